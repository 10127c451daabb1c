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

/// Room for any name in any state of decomposition: one code point becomes at most 18 (U+FDFA).
constexpr std::size_t code_points_max = std::size_t{name_bytes_max} * 18;

/// One form of a name while it is being judged; on the stack, so that a bad name costs no
/// allocation.
struct Form {
    std::array<char, name_bytes_max> bytes;
    std::size_t size = 0;

    [[nodiscard]] std::string_view view() const { return {bytes.data(), size}; }
};

/// `text` normalised into `form`; an explanation if it cannot be, else empty.
std::string_view normalise(std::string_view text, unsigned options, Form& form) {
    std::array<utf8proc_int32_t, code_points_max> points; // NOLINT: written before it is read
    const void* const data = text.data();
    const auto all = static_cast<utf8proc_option_t>(options);
    const utf8proc_ssize_t decomposed = utf8proc_decompose(
        static_cast<const utf8proc_uint8_t*>(data), static_cast<utf8proc_ssize_t>(text.size()),
        points.data(), static_cast<utf8proc_ssize_t>(points.size()), all);
    if (decomposed < 0) {
        return why_utf8;
    }
    if (decomposed > static_cast<utf8proc_ssize_t>(points.size())) {
        return why_long;
    }
    const utf8proc_ssize_t composed = utf8proc_normalize_utf32(points.data(), decomposed, all);
    if (composed < 0) {
        return why_utf8;
    }
    if (composed > static_cast<utf8proc_ssize_t>(name_characters_max)) {
        return why_long;
    }
    form.size = 0;
    for (const auto point : std::span(points).first(static_cast<std::size_t>(composed))) {
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
    if (utf8proc_get_property(point)->ignorable != 0) {
        return Kind::invisible;
    }
    switch (utf8proc_category(point)) {
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

/// NFKC case folding until nothing changes. Once is enough for nearly every name; where folding
/// makes a letter of a mark (U+0345) it is not.
std::string_view fold(std::string_view text, Form& folded) {
    constexpr unsigned options =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    Form before{};
    std::memcpy(before.bytes.data(), text.data(), text.size());
    before.size = text.size();
    constexpr int rounds_max = 4;
    for (int round = 0; round < rounds_max; ++round) {
        const std::string_view why = normalise(before.view(), options, folded);
        if (!why.empty() || folded.view() == before.view()) {
            return why;
        }
        before = folded;
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
