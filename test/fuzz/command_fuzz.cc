// Any payload that is text: parsed as a command, then everything in it is said back in all
// dialects. Checks that views stay inside the payload, that nothing hidden reaches a terminal, that
// each payload arrives as one, and that parse_event reads what encode wrote.
#include "protocol/command.h"

#include "protocol/event.h"
#include "protocol/limits.h"
#include "protocol/text.h"
#include "test/fuzz/check.h"
#include "test/protocol/characters.h"
#include "test/protocol/decoding.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace roomd;

namespace {

void check_inside(std::string_view part, std::string_view whole) {
    const auto begin = reinterpret_cast<std::uintptr_t>(whole.data());
    const auto at = reinterpret_cast<std::uintptr_t>(part.data());
    fuzz::check(part.empty() || (at >= begin && at + part.size() <= begin + whole.size()));
}

/// One payload of `text` alone comes out of each dialect as a single payload, and tame in lines.
void check_event(const Event& event, std::string_view text) {
    const DecoderLimits limits{frame_bytes_ceiling, frame_bytes_ceiling};
    for (std::size_t index = 0; index < Dialect::count; ++index) {
        const Dialect dialect = Dialect::at(index);
        std::string out;
        // Before the first payload of a connection a byte order mark is left out: this is none.
        encode_payload(out, dialect.framing, "first");
        encode(out, dialect, event);
        const std::vector<std::string> found = test::decode(dialect.framing, limits, out);
        fuzz::check(found.size() == 1 || found.size() == 2);
        if (found.size() == 1) {
            continue;
        }
        const std::string_view payload = std::string_view{found.back()}.substr(1);
        fuzz::check(check_text(payload).valid);
        if (dialect.framing == Framing::line) {
            fuzz::check(test::shows_nothing_hidden(payload));
            fuzz::check(payload.size() <= visible_growth_max * text.size() + 100);
        } else {
            fuzz::check(payload.find(text) != std::string_view::npos);
        }
        if (dialect.format == Format::event) {
            const ParsedEvent parsed = parse_event(payload);
            fuzz::check(parsed.known);
            fuzz::check(dialect.framing == Framing::line || parsed.text == text);
        }
    }
}

struct Parts {
    std::string_view payload;

    void operator()(const Text& text) const { check_inside(text.text, payload); }

    void operator()(const Hello& hello) const { check_inside(hello.nick.value_or(""), payload); }

    void operator()(const SetNick& nick) const { check_inside(nick.nick, payload); }

    void operator()(const Join& join) const {
        check_inside(join.room, payload);
        check_from(join.from);
    }

    void operator()(const History& history) const {
        check_inside(history.room.value_or(""), payload);
        check_from(history.from);
    }

    void operator()(const Say& say) const {
        check_inside(say.room, payload);
        check_inside(say.text, payload);
        fuzz::check(!say.room.empty() && !say.text.empty());
    }

    void operator()(const Msg& msg) const {
        check_inside(msg.nick, payload);
        check_inside(msg.text, payload);
        fuzz::check(!msg.nick.empty() && !msg.text.empty());
    }

    void operator()(const Ignore& ignore) const {
        check_inside(ignore.nick, payload);
        fuzz::check(!ignore.nick.empty());
    }

    void operator()(const Me& me) const { fuzz::check(!me.text.empty()); }

    void operator()(const Topic& topic) const {
        check_inside(topic.room.value_or(""), payload);
        check_inside(topic.text.value_or(""), payload);
        fuzz::check(topic.room.has_value() || !topic.text.has_value());
        fuzz::check(topic.text.value_or("").size() <= topic_bytes_max);
    }

    void operator()(const Ping& ping) const { fuzz::check(ping.token.size() <= token_bytes_max); }

    void operator()(const Quit& quit) const { fuzz::check(quit.text.size() <= reason_bytes_max); }

    void operator()(const Leave& leave) const { check_inside(leave.room.value_or(""), payload); }

    void operator()(const Who& who) const { check_inside(who.room.value_or(""), payload); }

    void operator()(const Help& help) const { check_inside(help.command.value_or(""), payload); }

    void operator()(const SetFormat& /*unused*/) const {}

    void operator()(const Rooms& /*unused*/) const {}

    void operator()(const Stats& /*unused*/) const {}

    void operator()(const Ignores& /*unused*/) const {}

    void operator()(const Trace& /*unused*/) const {}

    void operator()(const Conns& /*unused*/) const {}

private:
    void check_from(const ReplayFrom& from) const {
        if (const auto* const since = std::get_if<Since>(&from)) {
            check_inside(since->epoch, payload);
            fuzz::check(!since->epoch.empty());
        }
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view payload = fuzz::Input(data, size).rest();
    const TextCheck checked = check_text(payload);
    const std::string logged = quoted(payload, 256);
    fuzz::check(logged.size() <= 258 && test::shows_nothing_hidden(logged));
    const ParsedEvent parsed = parse_event(payload);
    check_inside(parsed.text, payload);
    if (!checked.valid) {
        return 0;
    }
    std::string visible;
    append_visible(visible, payload);
    fuzz::check(test::shows_nothing_hidden(visible));
    fuzz::check((visible == payload) == checked.harmless);
    fuzz::check(visible.size() <= visible_growth_max * payload.size());

    const auto result = parse_command(payload);
    if (const auto* const bad = std::get_if<BadCommand>(&result)) {
        fuzz::check(!bad->verb.empty() && !bad->why.empty());
        fuzz::check(bad->verb.size() <= verb_bytes_max);
        if (bad->verb.find(' ') == std::string_view::npos) {
            check_event(ErrorReply{bad->verb, bad->code, bad->why}, bad->why);
        }
    } else {
        std::visit(Parts{payload}, std::get<Command>(result));
    }
    if (!payload.empty()) {
        check_event(SaidEvent{"lobby", 1, 2, "ann", payload, false, false, checked.harmless},
                    payload);
        check_event(DirectEvent{2, "ann", payload}, payload);
    }
    return 0;
}
