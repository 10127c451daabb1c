// Name — a valid nick or room name: parsed once, folded once, compared by its folded bytes.
//
// A value (move and copy). Valid by construction: whoever holds a Name need not check it again.
// Keeps what the person typed (NFC) beside the folded form (NFKC case folding by utf8proc), which
// share their bytes when they are equal. Up to 14 bytes are kept in place, more in one heap block
// of exact size, so that an idle member pays 16 bytes for it. Folding a folded form changes
// nothing. A moved-from Name is empty in both forms.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

namespace roomd {

enum class NameKind : std::uint8_t { nick, room };

/// Whether a name may mix scripts whose letters look alike (Latin with Cyrillic ...). `single` is
/// for listeners that strangers can reach.
enum class ScriptPolicy : std::uint8_t { any, single };

struct BadName {
    std::string_view why; // static text for the person who chose the name
};

class Name {
public:
    /// 1 to name_characters_max letters, digits, '_', '-', '.' of any script (marks only behind a
    /// letter, at most name_marks_max in a row); no spaces, controls, bidi or invisible characters.
    /// The folded form must be such a name too. Nicks "server" and "roomd" are nobody's (compared
    /// folded). Bounded work; one allocation if the name is good, none if not.
    [[nodiscard]] static std::variant<Name, BadName> parse(std::string_view text, NameKind kind,
                                                           ScriptPolicy scripts);

    Name(const Name& other);
    Name(Name&& other) noexcept;
    Name& operator=(const Name& other);
    Name& operator=(Name&& other) noexcept;
    ~Name();

    /// As typed, in NFC. Valid until this Name moves or ends.
    [[nodiscard]] std::string_view text() const;
    /// For comparing and hashing. Valid until this Name moves or ends.
    [[nodiscard]] std::string_view folded() const;

    friend bool operator==(const Name& left, const Name& right) {
        return left.folded() == right.folded();
    }

private:
    static constexpr std::size_t in_place_max = 14;

    Name(std::string_view text, std::string_view folded);

    [[nodiscard]] std::size_t text_bytes() const;
    [[nodiscard]] std::size_t folded_bytes() const; // 0: the same as the text
    [[nodiscard]] bool in_place() const;
    /// The text, and the folded form behind it.
    [[nodiscard]] const char* bytes() const;
    [[nodiscard]] char* make_room();

    // Both sizes, then the bytes; or, if they are too many, at offset 8 where they are.
    alignas(8) std::array<char, 2 + in_place_max> memory_{};
};

} // namespace roomd
