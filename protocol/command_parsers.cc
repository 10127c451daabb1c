#include "protocol/command_parsers.h"

#include "protocol/limits.h"
#include "protocol/text.h"
#include "protocol/words.h"

namespace roomd::command_parsers {

namespace {

/// Refused; parse_command() writes in the verb, and the usage where there is no better reason.
constexpr BadCommand misused{{}, ErrorCode::bad_command, {}};

constexpr BadCommand refused(ErrorCode code, std::string_view why) {
    return {{}, code, why};
}

/// since=EPOCH:ID or last=N.
std::optional<ReplayFrom> replay_from(std::string_view word) {
    if (take(word, "last=")) {
        const auto count = number(word);
        return count ? std::optional<ReplayFrom>{Last{*count}} : std::nullopt;
    }
    if (!take(word, "since=")) {
        return std::nullopt;
    }
    const std::size_t colon = word.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
        return std::nullopt;
    }
    const auto id = number(word.substr(colon + 1));
    return id ? std::optional<ReplayFrom>{Since{word.substr(0, colon), *id}} : std::nullopt;
}

bool asks_for_replay(std::string_view word) {
    return word.starts_with("since=") || word.starts_with("last=");
}

/// At most one word; `wrong` if there is more, or a word that is empty.
std::optional<std::string_view> one_word_or_none(std::string_view rest, bool& wrong) {
    Words words = Words::only(rest);
    if (words.empty()) {
        return std::nullopt;
    }
    const std::string_view word = words.word();
    wrong = word.empty() || !words.empty();
    return word;
}

Result no_arguments(const Command& command, std::string_view rest) {
    return Words::only(rest).empty() ? Result{command} : misused;
}

} // namespace

Result parse_hello(std::string_view rest, bool /*has_rest*/) {
    Words words = Words::only(rest);
    if (words.empty()) {
        return misused;
    }
    const auto version = number(words.word());
    if (!version) {
        return misused;
    }
    if (*version != protocol_version) {
        return refused(ErrorCode::bad_command, "this server speaks version 1");
    }
    Hello hello{*version, {}, {}, {}};
    while (!words.empty()) {
        std::string_view word = words.word();
        bool good = false;
        if (take(word, "nick=")) {
            good = !word.empty() && !hello.nick;
            hello.nick = word;
        } else if (take(word, "echo=")) {
            good = !hello.echo && on_or_off(word);
            hello.echo = on_or_off(word);
        } else if (take(word, "ack=")) {
            good = !hello.ack && on_or_off(word);
            hello.ack = on_or_off(word);
        }
        if (!good) {
            return misused;
        }
    }
    return Command{hello};
}

Result parse_format(std::string_view rest, bool /*has_rest*/) {
    bool wrong = false;
    const auto word = one_word_or_none(rest, wrong);
    if (!wrong && word == "human") {
        return Command{SetFormat{Format::human}};
    }
    if (!wrong && word == "plain") {
        return Command{SetFormat{Format::plain}};
    }
    if (!wrong && word == "event") {
        return Command{SetFormat{Format::event}};
    }
    return misused;
}

Result parse_nick(std::string_view rest, bool /*has_rest*/) {
    bool wrong = false;
    const auto nick = one_word_or_none(rest, wrong);
    return nick && !wrong ? Result{Command{SetNick{*nick}}} : misused;
}

Result parse_join(std::string_view rest, bool /*has_rest*/) {
    Words words = Words::only(rest);
    const std::string_view room = words.word();
    if (room.empty()) {
        return misused;
    }
    ReplayFrom from;
    if (!words.empty()) {
        const auto asked = replay_from(words.word());
        if (!asked || !words.empty()) {
            return misused;
        }
        from = *asked;
    }
    return Command{Join{room, from}};
}

Result parse_leave(std::string_view rest, bool /*has_rest*/) {
    bool wrong = false;
    const auto room = one_word_or_none(rest, wrong);
    return wrong ? misused : Result{Command{Leave{room}}};
}

Result parse_say(std::string_view rest, bool /*has_rest*/) {
    Words words = Words::and_rest(rest);
    const std::string_view room = words.word();
    if (room.empty() || words.rest().empty()) {
        return misused;
    }
    if (words.rest().size() > text_bytes_ceiling) {
        return refused(ErrorCode::too_large, why_text_large);
    }
    return Command{Say{room, words.rest()}};
}

Result parse_me(std::string_view rest, bool /*has_rest*/) {
    if (rest.size() > text_bytes_ceiling) {
        return refused(ErrorCode::too_large, why_text_large);
    }
    return rest.empty() ? Result{misused} : Command{Me{rest}};
}

Result parse_msg(std::string_view rest, bool /*has_rest*/) {
    Words words = Words::and_rest(rest);
    const std::string_view nick = words.word();
    if (nick.empty() || words.rest().empty()) {
        return misused;
    }
    if (words.rest().size() > text_bytes_ceiling) {
        return refused(ErrorCode::too_large, why_text_large);
    }
    return Command{Msg{nick, words.rest()}};
}

/// "/topic ROOM" reads, "/topic ROOM " clears: behind the space stands a text, an empty one.
Result parse_topic(std::string_view rest, bool has_rest) {
    if (!has_rest || rest.empty()) {
        return Command{Topic{}};
    }
    Words words = Words::and_rest(rest);
    const std::string_view room = words.word();
    if (room.empty()) {
        return misused;
    }
    if (words.empty()) {
        return Command{Topic{room, {}}};
    }
    if (words.rest().size() > topic_bytes_max) {
        return refused(ErrorCode::too_large, "a topic has at most 1560 bytes");
    }
    return Command{Topic{room, words.rest()}};
}

Result parse_who(std::string_view rest, bool /*has_rest*/) {
    bool wrong = false;
    const auto room = one_word_or_none(rest, wrong);
    return wrong ? misused : Result{Command{Who{room}}};
}

Result parse_rooms(std::string_view rest, bool /*has_rest*/) {
    return no_arguments(Rooms{}, rest);
}

/// A name holds no '=', so a first word that asks for a replay is no room.
Result parse_history(std::string_view rest, bool /*has_rest*/) {
    Words words = Words::only(rest);
    History history{};
    bool pending = !words.empty();
    std::string_view word = words.word();
    if (pending && !asks_for_replay(word)) {
        if (word.empty()) {
            return misused;
        }
        history.room = word;
        pending = !words.empty();
        word = words.word();
    }
    if (pending) {
        const auto asked = replay_from(word);
        if (!asked || !words.empty()) {
            return misused;
        }
        history.from = *asked;
    }
    return Command{history};
}

Result parse_ping(std::string_view rest, bool /*has_rest*/) {
    bool wrong = false;
    const auto token = one_word_or_none(rest, wrong);
    if (token && token->size() > token_bytes_max) {
        return refused(ErrorCode::too_large, "a token has at most 64 bytes");
    }
    return wrong ? misused : Result{Command{Ping{token.value_or(std::string_view{})}}};
}

Result parse_stats(std::string_view rest, bool /*has_rest*/) {
    return no_arguments(Stats{}, rest);
}

Result parse_help(std::string_view rest, bool /*has_rest*/) {
    bool wrong = false;
    auto command = one_word_or_none(rest, wrong);
    if (command) {
        take(*command, "/");
    }
    return wrong ? misused : Result{Command{Help{command}}};
}

Result parse_ignore(std::string_view rest, bool /*has_rest*/) {
    Words words = Words::only(rest);
    const std::string_view nick = words.word();
    if (nick.empty()) {
        return misused;
    }
    if (words.empty()) {
        return Command{Ignore{nick, true}};
    }
    const bool off = words.word() == "off" && words.empty();
    return off ? Result{Command{Ignore{nick, false}}} : misused;
}

Result parse_ignores(std::string_view rest, bool /*has_rest*/) {
    return no_arguments(Ignores{}, rest);
}

/// A goodbye that is too long is cut, not refused: who quits wants to be gone.
Result parse_quit(std::string_view rest, bool /*has_rest*/) {
    return Command{Quit{cut_at_character(rest, reason_bytes_max)}};
}

Result parse_trace(std::string_view rest, bool /*has_rest*/) {
    bool wrong = false;
    const auto word = one_word_or_none(rest, wrong);
    const auto on = word ? on_or_off(*word) : std::nullopt;
    return on && !wrong ? Result{Command{Trace{*on}}} : misused;
}

Result parse_conns(std::string_view rest, bool /*has_rest*/) {
    return no_arguments(Conns{}, rest);
}

} // namespace roomd::command_parsers
