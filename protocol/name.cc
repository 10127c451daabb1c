#include "protocol/name.h"

#include "protocol/limits.h"
#include "protocol/script.h"
#include "protocol/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <span>
#include <utility>

namespace roomd {

namespace {

constexpr std::string_view why_empty = "a name has at least one character";
constexpr std::string_view why_long = "a name has at most 32 characters";
constexpr std::string_view why_utf8 = "a name is valid UTF-8";
constexpr std::string_view why_characters = "a name is made of letters, digits, '_', '-' and '.'";
constexpr std::string_view why_invisible = "a name has no invisible characters";
constexpr std::string_view why_marks =
    "a name has accents only on letters, and at most four on one";
constexpr std::string_view why_reserved = "this name is nobody's";
constexpr std::string_view why_scripts = "a name does not mix scripts";
constexpr std::string_view why_unstable = "a name has one folded form";

/// A character that stands for itself in a composed form is at most four code points (a letter and
/// three marks) in a decomposed one. What is longer is no name, and is not looked at any further:
/// one code point becomes at most 18 by folding (U+FDFA), and 32 of those cost 19 us.
constexpr std::size_t code_points_max = std::size_t{name_characters_max} * 4;
constexpr std::size_t code_points_of_one = 18;

/// As many marks can come from a letter that is composed with three, and name_marks_max more. To
/// put more into their order costs the square of their number.
constexpr std::size_t marks_in_a_row_max = name_marks_max + 3;

/// One form of a name while it is being judged; on the stack, so that a bad name costs no
/// allocation.
struct Form {
    std::array<char, name_bytes_max> bytes;
    std::size_t size = 0;

    [[nodiscard]] std::string_view view() const { return {bytes.data(), size}; }
};

/// The code points of a name while it is being normalised, in their canonical order.
class Points {
public:
    /// What is wrong with `text`, or empty. Stops as soon as it is known.
    std::string_view decompose(std::string_view text, utf8proc_option_t options) {
        while (!text.empty()) {
            const Character character = first_character(text);
            if (character.bytes == 0) {
                return why_utf8;
            }
            text.remove_prefix(character.bytes);
            int boundary = 0;
            const utf8proc_ssize_t added = utf8proc_decompose_char(
                static_cast<utf8proc_int32_t>(character.code_point), &points_[size_],
                static_cast<utf8proc_ssize_t>(code_points_of_one), options, &boundary);
            if (added < 0 || added > static_cast<utf8proc_ssize_t>(code_points_of_one)) {
                return why_utf8;
            }
            for (utf8proc_ssize_t count = 0; count < added; ++count) {
                if (!order_next()) {
                    return why_marks;
                }
            }
            if (size_ > code_points_max) {
                return why_long;
            }
        }
        return {};
    }

    /// Composed again, as far as `options` say so. None: it cannot be.
    std::span<const utf8proc_int32_t> compose(utf8proc_option_t options) {
        const utf8proc_ssize_t left =
            utf8proc_normalize_utf32(points_.data(), static_cast<utf8proc_ssize_t>(size_), options);
        return std::span(points_).first(
            static_cast<std::size_t>(std::max<utf8proc_ssize_t>(left, 0)));
    }

private:
    /// The next point goes before the marks of a higher class (Unicode Standard, D109). False: too
    /// many of them are there.
    bool order_next() {
        const utf8proc_int32_t point = points_[size_];
        const utf8proc_propval_t mark_class = utf8proc_get_property(point)->combining_class;
        if (mark_class == 0) {
            marks_ = 0;
            ++size_;
            return true;
        }
        std::size_t place = size_;
        for (std::size_t before = marks_; before > 0; --before, --place) {
            if (utf8proc_get_property(points_[place - 1])->combining_class <= mark_class) {
                break;
            }
            points_[place] = points_[place - 1];
        }
        points_[place] = point;
        ++size_;
        return ++marks_ <= marks_in_a_row_max;
    }

    std::array<utf8proc_int32_t, code_points_max + code_points_of_one> points_;
    std::size_t size_ = 0;
    std::size_t marks_ = 0; // in a row, at the end
};

/// `text` normalised into `form`; an explanation if it cannot be, else empty.
std::string_view normalise(std::string_view text, unsigned options, Form& form) {
    const auto all = static_cast<utf8proc_option_t>(options);
    Points points; // NOLINT: written before it is read
    if (const std::string_view why = points.decompose(text, all); !why.empty()) {
        return why;
    }
    const std::span<const utf8proc_int32_t> composed = points.compose(all);
    if (composed.size() > name_characters_max) {
        return why_long;
    }
    form.size = 0;
    for (const utf8proc_int32_t point : composed) {
        std::array<utf8proc_uint8_t, 4> encoded{};
        const auto bytes = static_cast<std::size_t>(utf8proc_encode_char(point, encoded.data()));
        assert(form.size + bytes <= form.bytes.size());
        std::memcpy(&form.bytes[form.size], encoded.data(), bytes);
        form.size += bytes;
    }
    return {};
}

enum class Kind : std::uint8_t { letter, mark, digit, sign, bad, invisible };

Kind kind_of(utf8proc_int32_t point) {
    if (point == '_' || point == '-' || point == '.') {
        return Kind::sign;
    }
    const utf8proc_property_t* const property = utf8proc_get_property(point);
    if (property->ignorable != 0) {
        return Kind::invisible;
    }
    switch (property->category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return Kind::letter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return Kind::mark;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return Kind::digit;
    case UTF8PROC_CATEGORY_CF:
        return Kind::invisible;
    default:
        return Kind::bad;
    }
}

/// Judges one form of a name, character by character.
class Judge {
public:
    explicit Judge(ScriptPolicy scripts) : scripts_(scripts) {}

    /// What is wrong with `point` where it stands, or empty.
    std::string_view look_at(utf8proc_int32_t point) {
        const Kind kind = kind_of(point);
        if (kind == Kind::bad || kind == Kind::invisible) {
            return kind == Kind::bad ? why_characters : why_invisible;
        }
        marks_ = kind == Kind::mark ? marks_ + 1 : 0;
        marks_allowed_ = kind == Kind::letter || (kind == Kind::mark && marks_allowed_);
        if (marks_ > 0 && (!marks_allowed_ || marks_ > name_marks_max)) {
            return why_marks;
        }
        if (kind != Kind::letter || scripts_ == ScriptPolicy::any) {
            return {};
        }
        const Script here = script_of(static_cast<char32_t>(point));
        const bool mixed = script_known_ && here != script_;
        script_ = here;
        script_known_ = true;
        return mixed ? why_scripts : std::string_view{};
    }

private:
    ScriptPolicy scripts_;
    Script script_ = Script::other; // of the letters so far, once it is known
    bool script_known_ = false;
    bool marks_allowed_ = false; // behind a letter, or a mark that is
    std::uint32_t marks_ = 0;    // in a row
};

/// What is wrong with one form of a name, or empty.
std::string_view judge(std::string_view name, ScriptPolicy scripts) {
    std::string_view why = name.empty() ? why_empty : std::string_view{};
    Judge judge(scripts);
    while (!name.empty() && why.empty()) {
        const Character character = first_character(name);
        assert(character.bytes > 0); // normalise() wrote it
        why = judge.look_at(static_cast<utf8proc_int32_t>(character.code_point));
        name.remove_prefix(character.bytes);
    }
    return why;
}

/// Folding changes no character of `text`, which is composed, so it changes nothing.
bool is_folded(std::string_view text) {
    while (!text.empty()) {
        const Character character = first_character(text);
        const utf8proc_property_t* const property =
            utf8proc_get_property(static_cast<utf8proc_int32_t>(character.code_point));
        if (property->casefold_seqindex != UINT16_MAX || property->decomp_type != 0 ||
            property->ignorable != 0) {
            return false;
        }
        text.remove_prefix(character.bytes);
    }
    return true;
}

/// NFKC case folding until nothing changes. Once is enough for nearly every name; where folding
/// makes a letter of a mark (U+0345) it is not.
std::string_view fold(std::string_view text, Form& folded) {
    constexpr unsigned options =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    std::memcpy(folded.bytes.data(), text.data(), text.size());
    folded.size = text.size();
    constexpr int rounds_max = 4;
    for (int round = 0; round < rounds_max; ++round) {
        if (is_folded(folded.view())) {
            return {};
        }
        Form before = folded;
        const std::string_view why = normalise(before.view(), options, folded);
        if (!why.empty() || folded.view() == before.view()) {
            return why;
        }
    }
    return why_unstable;
}

// Nearly all names are of these. They are what they look like: normalising changes nothing, folding
// only the case, and no other rule is touched, but for their number.
bool is_simple(std::string_view text) {
    return text.size() <= name_characters_max &&
           std::all_of(text.begin(), text.end(), [](char byte) {
               return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                      (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == '.';
           });
}

void fold_simple(std::string_view text, Form& folded) {
    folded.size = text.size();
    std::transform(text.begin(), text.end(), folded.bytes.begin(), [](char byte) {
        return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
    });
}

bool is_reserved(NameKind kind, std::string_view folded) {
    return kind == NameKind::nick && (folded == "server" || folded == "roomd");
}

} // namespace

std::variant<Name, BadName> Name::parse(std::string_view text, NameKind kind,
                                        ScriptPolicy scripts) {
    if (text.empty()) {
        return BadName{why_empty};
    }
    if (text.size() > name_bytes_max) {
        return BadName{why_long};
    }
    Form folded; // NOLINT: written before it is read
    if (is_simple(text)) {
        fold_simple(text, folded);
        if (is_reserved(kind, folded.view())) {
            return BadName{why_reserved};
        }
        return Name{text, folded.view()};
    }
    Form typed; // NOLINT: written before it is read
    std::string_view why = normalise(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE, typed);
    if (why.empty()) {
        why = judge(typed.view(), ScriptPolicy::any);
    }
    if (why.empty()) {
        why = fold(typed.view(), folded);
    }
    // Scripts are compared in the folded form: a full-width or mathematical "a" is Latin there.
    if (why.empty()) {
        why = judge(folded.view(), scripts);
    }
    if (why.empty() && is_reserved(kind, folded.view())) {
        why = why_reserved;
    }
    if (!why.empty()) {
        return BadName{why};
    }
    return Name{typed.view(), folded.view()};
}

} // namespace roomd
