// Any bytes as a name: whatever is accepted keeps every bound, and its folded form is a name that
// folds to itself.
#include "protocol/name.h"

#include "protocol/limits.h"
#include "protocol/text.h"
#include "protocol/utf8.h"
#include "test/fuzz/check.h"
#include "test/protocol/characters.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

using namespace roomd;

namespace {

void check_form(std::string_view form) {
    fuzz::check(!form.empty() && form.size() <= name_bytes_max);
    const TextCheck checked = check_text(form);
    fuzz::check(checked.valid && checked.harmless && test::shows_nothing_hidden(form));
    std::size_t characters = 0;
    for (std::string_view rest = form; !rest.empty(); ++characters) {
        const Character first = first_character(rest);
        const char32_t point = first.code_point;
        const bool letter = (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
        const bool digit = point >= '0' && point <= '9';
        const bool sign = point == '_' || point == '-' || point == '.';
        fuzz::check(point >= 0x80 || letter || digit || sign);
        rest.remove_prefix(first.bytes);
    }
    fuzz::check(characters <= name_characters_max);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::Input(data, size).rest();
    const auto any = Name::parse(text, NameKind::room, ScriptPolicy::any);
    const auto single = Name::parse(text, NameKind::nick, ScriptPolicy::single);
    if (const auto* const bad = std::get_if<BadName>(&any)) {
        fuzz::check(!bad->why.empty());
        fuzz::check(std::holds_alternative<BadName>(single)); // strict is never laxer
        return 0;
    }
    const Name& name = std::get<Name>(any);
    check_form(name.text());
    check_form(name.folded());
    const auto again = Name::parse(name.folded(), NameKind::room, ScriptPolicy::any);
    fuzz::check(std::holds_alternative<Name>(again));
    fuzz::check(std::get<Name>(again).text() == name.folded());
    fuzz::check(std::get<Name>(again) == name);
    const auto retyped = Name::parse(name.text(), NameKind::room, ScriptPolicy::any);
    fuzz::check(std::holds_alternative<Name>(retyped));
    fuzz::check(std::get<Name>(retyped).text() == name.text());
    const Name copy = name; // NOLINT(performance-unnecessary-copy-initialization): to be copied
    fuzz::check(copy == name && copy.text() == name.text());
    return 0;
}
