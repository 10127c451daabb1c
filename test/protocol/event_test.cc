#include "protocol/event.h"

#include "protocol/event_format.h"
#include "protocol/limits.h"
#include "protocol/text.h"
#include "test/protocol/characters.h"
#include "test/protocol/decoding.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace roomd;
using roomd::test::encoded;
using roomd::test::hidden_points;
using roomd::test::shows_nothing_hidden;

namespace {

constexpr Dialect human_lines{Framing::line, Format::human};
constexpr Dialect event_lines{Framing::line, Format::event};
constexpr Dialect plain_lines{Framing::line, Format::plain};

std::string written(Dialect dialect, const Event& event) {
    std::string out;
    encode(out, dialect, event);
    return out;
}

/// Payloads of `event`, taken out of their framing by the decoder and joined by '|'; the payloads
/// are the same in both framings.
std::string shown(Format format, const Event& event) {
    const DecoderLimits limits{1'000'000, 1'000'000};
    std::vector<std::string> by_framing;
    for (const Framing framing : {Framing::frame, Framing::line}) {
        std::string all;
        for (const std::string& found :
             test::decode(framing, limits, written({framing, format}, event))) {
            REQUIRE(found.front() == '=');
            all += (all.empty() ? "" : "|") + found.substr(1);
        }
        by_framing.push_back(all);
    }
    CHECK(by_framing.front() == by_framing.back());
    return by_framing.front();
}

std::string event(const Event& what) {
    return shown(Format::event, what);
}

std::string plain(const Event& what) {
    return shown(Format::plain, what);
}

std::string human(const Event& what) {
    return shown(Format::human, what);
}

constexpr std::uint64_t noon_ms = 1'718'107'440'123; // 2024-06-11 12:04 UTC

SaidEvent said(std::string_view text) {
    return {"ops", 17, noon_ms, "ann", text};
}

/// Every event that carries something a person chose, with `text` in each such place.
std::vector<Event> all_with(std::string_view text) {
    SaidEvent act = said(text);
    act.action = true;
    SaidEvent old = said(text);
    old.replayed = true;
    SaidEvent oldact = act;
    oldact.replayed = true;
    return {said(text),
            act,
            old,
            oldact,
            DirectEvent{noon_ms, "ann", text},
            PartEvent{"ops", "ann", text},
            TopicEvent{"ops", "ann", text},
            ByeEvent{"quit", text},
            ByeEvent{"slow", text},
            ErrorReply{text, ErrorCode::bad_command, text},
            JoinReply{"ops", "e", 1, 2, 3, text},
            TopicReply{"ops", text, false},
            TopicReply{"ops", text, true},
            WhoReply{"ops", 1, text, true},
            WhoReply{"ops", 1, text, false},
            RoomsReply{1, text, true},
            RoomsReply{1, text, false},
            PingReply{text},
            StatsReply{text},
            DebugLine{"trace", text}};
}

} // namespace

TEST_CASE("Event: what is said, in the words of the event format") {
    SaidEvent line = said("hello  all ");
    CHECK(event(line) == "msg ops 17 1718107440123 ann hello  all ");
    line.action = true;
    CHECK(event(line) == "act ops 17 1718107440123 ann hello  all ");
    line.replayed = true;
    CHECK(event(line) == "oldact ops 17 1718107440123 ann hello  all ");
    line.action = false;
    CHECK(event(line) == "old ops 17 1718107440123 ann hello  all ");
    CHECK(event(DirectEvent{5, "bob", "psst"}) == "dm 5 bob psst");
}

TEST_CASE("Event: presence, crowds, gaps and goodbyes") {
    CHECK(event(JoinEvent{"ops", "bob"}) == "join ops bob");
    CHECK(event(PartEvent{"ops", "bob", "see you"}) == "part ops bob see you");
    CHECK(event(NickEvent{"bob", "rob"}) == "nick bob rob");
    CHECK(event(TopicEvent{"ops", "bob", "a b"}) == "topic ops bob a b");
    CHECK(event(TopicEvent{"ops", "bob", ""}) == "topic ops bob");
    CHECK(event(CrowdEvent{"ops", 12, 3, 140}) == "crowd ops 12 3 140");
    CHECK(event(GapEvent{"ops", 5, 41}) == "gap ops 5 41");
    CHECK(event(ByeEvent{"slow", "you read too slowly"}) == "bye slow you read too slowly");
    CHECK(event(ByeEvent{"quit", ""}) == "bye quit");
    CHECK(event(GreetingEvent{"roomd", "0.1", "guest-1"}) == "");
}

TEST_CASE("Event: one reply to each command") {
    CHECK(event(WelcomeReply{"roomd", "0.1.0", "ann"}) == "welcome 1 roomd/0.1.0 ann");
    CHECK(event(ErrorReply{"say", ErrorCode::no_room, "no such room: ops"}) ==
          "err say no_room no such room: ops");
    CHECK(event(FormatReply{Format::event}) == "ok format event");
    CHECK(event(NickReply{"ann"}) == "ok nick ann");
    CHECK(event(JoinReply{"ops", "5f3a", 3, 18, 4, "t"}) == "ok join ops 5f3a 3 18 4");
    CHECK(event(LeaveReply{"ops"}) == "ok leave ops");
    CHECK(event(SayReply{"say", "ops", 18}) == "ok say ops 18");
    CHECK(event(SayReply{"me", "ops", 19}) == "ok me ops 19");
    CHECK(event(MsgReply{"bob"}) == "ok msg bob");
    CHECK(event(TopicReply{"ops", "a b", false}) == "ok topic ops a b");
    CHECK(event(TopicReply{"ops", "", true}) == "ok topic ops");
    CHECK(event(WhoReply{"ops", 3, "ann bob", false}) == "who ops ann bob");
    CHECK(event(WhoReply{"ops", 3, "carl", true}) == "ok who ops 3 carl");
    CHECK(event(WhoReply{"ops", 0, "", true}) == "ok who ops 0");
    CHECK(event(RoomsReply{2, "ops:3", false}) == "rooms ops:3");
    CHECK(event(RoomsReply{2, "lobby:1", true}) == "ok rooms 2 lobby:1");
    CHECK(event(HistoryReply{"ops", 3, 9}) == "ok history ops 3 9");
    CHECK(event(PingReply{"42"}) == "ok ping 42");
    CHECK(event(PingReply{""}) == "ok ping");
    CHECK(event(StatsReply{"a=1 b=2"}) == "ok stats a=1 b=2");
    CHECK(event(TraceReply{true}) == "ok trace on");
    CHECK(event(ConnsReply{7}) == "ok conns 7");
    CHECK(event(DebugLine{"conn", "127.0.0.1:1 ann"}) == "conn 127.0.0.1:1 ann");
    CHECK(event(HelpReply{find_command("nick"), false}) == "ok help /nick NAME - Take a name.");
}

TEST_CASE("Event: help names debug commands only where they work") {
    for (const Format format : {Format::human, Format::plain, Format::event}) {
        CHECK(shown(format, HelpReply{nullptr, false}).find("conns") == std::string::npos);
        CHECK(shown(format, HelpReply{nullptr, true}).find("conns") != std::string::npos);
        for (const CommandRow& row : command_table()) {
            CHECK(shown(format, HelpReply{nullptr, true}).find(row.verb) != std::string::npos);
        }
    }
    CHECK(event(HelpReply{nullptr, false}).starts_with("ok help hello format nick join"));
}

TEST_CASE("Event: plain hears texts, answers to its queries and errors") {
    CHECK(plain(said("hello")) == "hello");
    CHECK(plain(DirectEvent{5, "bob", "psst"}) == "psst");
    CHECK(plain(ErrorReply{"say", ErrorCode::no_room, "no such room: x"}) ==
          "! no_room no such room: x");
    CHECK(plain(ErrorReply{"say", ErrorCode::internal, ""}) == "! internal");
    CHECK(plain(ByeEvent{"slow", "too slow"}) == "! slow too slow");
    CHECK(plain(ByeEvent{"quit", "see you"}) == "");
    CHECK(plain(TopicReply{"ops", "a b", false}) == "topic ops a b");
    CHECK(plain(WhoReply{"ops", 2, "ann bob", true}) == "who ops 2 ann bob");
    CHECK(plain(WhoReply{"ops", 2, "ann bob", false}) == "who ops ann bob");
    CHECK(plain(RoomsReply{1, "ops:3", true}) == "rooms 1 ops:3");
    CHECK(plain(PingReply{"42"}) == "ping 42");
    CHECK(plain(StatsReply{"a=1"}) == "stats a=1");
    CHECK(plain(TraceReply{false}) == "trace off");
    CHECK(plain(ConnsReply{1}) == "conns 1");
    CHECK(plain(DebugLine{"conn", "x"}) == "x");
    CHECK(plain(HelpReply{find_command("me"), false}).starts_with("help /me TEXT"));
}

TEST_CASE("Event: plain hears nothing else") {
    const Event silent[] = {JoinEvent{"ops", "bob"},
                            PartEvent{"ops", "bob", "x"},
                            NickEvent{"bob", "rob"},
                            TopicEvent{"ops", "bob", "x"},
                            CrowdEvent{"ops", 1, 2, 3},
                            GapEvent{"ops", 1, 2},
                            GreetingEvent{"roomd", "0.1", "ann"},
                            WelcomeReply{"roomd", "0.1", "ann"},
                            FormatReply{Format::plain},
                            NickReply{"ann"},
                            JoinReply{"ops", "e", 1, 2, 3, "t"},
                            LeaveReply{"ops"},
                            SayReply{"say", "ops", 1},
                            MsgReply{"bob"},
                            TopicReply{"ops", "x", true},
                            HistoryReply{"ops", 1, 2}};
    for (const Event& each : silent) {
        CHECK(written(plain_lines, each).empty());
        CHECK(written({Framing::frame, Format::plain}, each).empty());
    }
}

TEST_CASE("Event: what a person on netcat reads") {
    SaidEvent line = said("hello");
    CHECK(human(line) == "[ops] ann: hello");
    line.action = true;
    CHECK(human(line) == "[ops] * ann hello");
    line.replayed = true;
    CHECK(human(line) == "[ops] (12:04) * ann hello");
    line.action = false;
    CHECK(human(line) == "[ops] (12:04) ann: hello");
    CHECK(human(DirectEvent{5, "bob", "psst"}) == "[bob -> you] psst");
    CHECK(human(JoinEvent{"ops", "bob"}) == "* bob joined ops");
    CHECK(human(PartEvent{"ops", "bob", "quit"}) == "* bob left ops (quit)");
    CHECK(human(PartEvent{"ops", "bob", ""}) == "* bob left ops");
    CHECK(human(NickEvent{"bob", "rob"}) == "* bob is now rob");
    CHECK(human(TopicEvent{"ops", "bob", "a b"}) == "* bob set the topic of ops: a b");
    CHECK(human(TopicEvent{"ops", "bob", ""}) == "* bob cleared the topic of ops");
    CHECK(human(CrowdEvent{"ops", 12, 3, 140}) == "* ops: 12 joined, 3 left, 140 here");
    CHECK(human(GapEvent{"ops", 5, 41}) == "* 37 messages were skipped in ops");
    CHECK(human(GapEvent{"ops", 5, 5}) == "* 1 message was skipped in ops");
    CHECK(human(ByeEvent{"quit", ""}) == "* bye");
    CHECK(human(ByeEvent{"quit", "see you"}) == "* bye: see you");
    CHECK(human(ByeEvent{"end", ""}) == "* bye");
    CHECK(human(ByeEvent{"slow", "you read too slowly"}) == "! bye: you read too slowly");
    CHECK(human(ByeEvent{"idle", ""}) == "! bye: idle");
    CHECK(human(GreetingEvent{"roomd", "0.1", "guest-1"}) ==
          "* welcome to roomd 0.1; you are guest-1; /help shows the commands");
}

TEST_CASE("Event: replies to a person") {
    CHECK(human(ErrorReply{"say", ErrorCode::no_room, "no such room: ops"}) ==
          "! no such room: ops");
    CHECK(human(ErrorReply{"say", ErrorCode::internal, ""}) == "! internal");
    CHECK(human(JoinReply{"ops", "e", 1, 2, 3, ""}) == "* you are in ops (3 here)");
    CHECK(human(JoinReply{"ops", "e", 1, 2, 3, "a b"}) ==
          "* you are in ops (3 here)|* topic of ops: a b");
    CHECK(human(LeaveReply{"ops"}) == "* you left ops");
    CHECK(human(NickReply{"ann"}) == "* you are now ann");
    CHECK(human(SayReply{"say", "ops", 1}) == "");
    CHECK(human(MsgReply{"bob"}) == "");
    CHECK(human(TopicReply{"ops", "a b", false}) == "* topic of ops: a b");
    CHECK(human(TopicReply{"ops", "", false}) == "* no topic is set in ops");
    CHECK(human(TopicReply{"ops", "a b", true}) == "* you set the topic of ops: a b");
    CHECK(human(TopicReply{"ops", "", true}) == "* you cleared the topic of ops");
    CHECK(human(WhoReply{"ops", 2, "ann bob", true}) == "* in ops (2): ann bob");
    CHECK(human(WhoReply{"ops", 2, "ann bob", false}) == "* in ops: ann bob");
    CHECK(human(RoomsReply{1, "ops:3", true}) == "* rooms (1): ops:3");
    CHECK(human(HistoryReply{"ops", 3, 9}) == "* that was ops from message 3 to 9");
    CHECK(human(HistoryReply{"ops", 0, 0}) == "* nothing to show of ops");
    CHECK(human(HistoryReply{"ops", 10, 9}) == "* nothing to show of ops");
    CHECK(human(PingReply{"42"}) == "* pong 42");
    CHECK(human(PingReply{""}) == "* pong");
    CHECK(human(ConnsReply{1}) == "* 1 connection");
    CHECK(human(ConnsReply{2}) == "* 2 connections");
    CHECK(human(FormatReply{Format::human}) == "* the format is human now");
    CHECK(human(DebugLine{"conn", "127.0.0.1:1"}) == "127.0.0.1:1");
}

TEST_CASE("Event: nothing hidden reaches a terminal, wherever it stands and whatever the format") {
    for (const char32_t point : hidden_points()) {
        CAPTURE(static_cast<std::uint32_t>(point));
        const std::string text = "a" + encoded(point) + "b";
        for (const Event& each : all_with(text)) {
            for (const Format format : {Format::human, Format::plain, Format::event}) {
                const std::string line = written({Framing::line, format}, each);
                if (line.empty()) {
                    continue; // this format does not show it
                }
                CHECK(line.back() == '\n');
                // JoinReply with a topic is two lines; no text makes more of them.
                std::string_view rest = line;
                while (!rest.empty()) {
                    const std::size_t end = rest.find('\n');
                    CHECK(shows_nothing_hidden(rest.substr(0, end)));
                    rest.remove_prefix(end + 1);
                }
            }
        }
        std::string payload;
        encode_payload(payload, Framing::line, text);
        CHECK(shows_nothing_hidden(std::string_view{payload}.substr(0, payload.size() - 1)));
    }
}

TEST_CASE("Event: in frames a text is verbatim in every format") {
    const std::string text = "l1\nl2\r\x1B[31m" + encoded(0x202E) + encoded(0x9B);
    for (const Format format : {Format::human, Format::plain, Format::event}) {
        const std::string out = written({Framing::frame, format}, said(text));
        CHECK(out.ends_with(text));
        CHECK(out.substr(0, 4) == test::header(static_cast<std::uint32_t>(out.size() - 4)));
    }
}

TEST_CASE("Event: no line of a person looks like a line of the server") {
    for (const char* text : {"x\n* bob joined ops", "x\r\n! bye", "* server says", "! no_room"}) {
        SaidEvent line = said(text);
        for (const bool action : {false, true}) {
            line.action = action;
            const std::string out = written(human_lines, line);
            CHECK(out.front() == '[');
            CHECK(out.find('\n') == out.size() - 1);
        }
        CHECK(written(human_lines, DirectEvent{1, "bob", text}).front() == '[');
    }
}

TEST_CASE("Event: a text known to be harmless is not looked at again") {
    SaidEvent line = said("\x1B");
    line.harmless = true; // a lie, to see that it is believed
    CHECK(written(event_lines, line) == "msg ops 17 1718107440123 ann \x1B\n");
    line.harmless = false;
    CHECK(written(event_lines, line) == "msg ops 17 1718107440123 ann ^[\n");
}

TEST_CASE("Event: encode appends, and names and texts of any length arrive whole") {
    for (const std::size_t size : {0U, 1U, 400U, 479U, 480U, 481U, 70'000U}) {
        const std::string text(size, 'x');
        std::string out = "before";
        encode(out, {Framing::frame, Format::plain}, said(text));
        CHECK(out == "before" + test::frame(text));
        const std::string name(128, 'n');
        std::string expected = "msg ";
        expected.append(name)
            .append(" 1 2 ")
            .append(name)
            .append(size == 0 ? "" : " ")
            .append(text);
        CHECK(event(SaidEvent{name, 1, 2, name, text}) == expected);
    }
}

TEST_CASE("Event: a payload that would not fit a frame is cut between characters") {
    std::string text(frame_bytes_ceiling - 2, 'x');
    text += "\xE2\x82\xAC";
    std::string out;
    encode_payload(out, Framing::frame, text);
    CHECK(out.size() == frame_header_bytes + frame_bytes_ceiling - 2);
    CHECK(out.substr(0, 4) == test::header(frame_bytes_ceiling - 2));
    // The longest text that can be said fits behind the longest fields.
    const std::string name(name_bytes_max, 'n');
    const std::string longest(text_bytes_ceiling, 't');
    out.clear();
    encode(out, {Framing::frame, Format::event},
           SaidEvent{name, ~0ULL, ~0ULL, name, longest, true, true});
    CHECK(out.ends_with(longest));
}

TEST_CASE("Event: six dialects have six numbers") {
    for (std::size_t index = 0; index < Dialect::count; ++index) {
        CHECK(Dialect::at(index).index() == index);
    }
    CHECK(human_lines.index() != event_lines.index());
}

TEST_CASE("Event: parse_event takes apart what encode wrote") {
    const auto parse = [](const Event& what) {
        static std::string keep;
        keep = event(what);
        return parse_event(keep);
    };
    ParsedEvent got = parse(said("two  words "));
    CHECK(got.known);
    CHECK(got.verb == "msg");
    CHECK(got.fields[0] == "ops");
    CHECK(got.fields[1] == "17");
    CHECK(got.fields[2] == "1718107440123");
    CHECK(got.fields[3] == "ann");
    CHECK(got.text == "two  words ");
    got = parse(JoinReply{"ops", "5f3a", 3, 18, 4, ""});
    CHECK(got.known);
    CHECK(got.verb == "ok");
    CHECK(got.fields[0] == "join");
    CHECK(got.fields[1] == "ops");
    CHECK(got.fields[2] == "5f3a");
    CHECK(got.fields[5] == "4");
    CHECK(got.text.empty());
    got = parse(ErrorReply{"say", ErrorCode::no_room, "no such room"});
    CHECK(got.known);
    CHECK(got.fields[0] == "say");
    CHECK(got.fields[1] == "no_room");
    CHECK(got.text == "no such room");
    got = parse(ErrorReply{"say", ErrorCode::slow, ""});
    CHECK(got.known);
    CHECK(got.text.empty());
}

TEST_CASE("Event: parse_event knows every event and reply of version 1") {
    std::vector<Event> all = all_with("text");
    const Event others[] = {JoinEvent{"ops", "bob"},
                            NickEvent{"bob", "rob"},
                            CrowdEvent{"ops", 1, 2, 3},
                            GapEvent{"ops", 1, 2},
                            WelcomeReply{"roomd", "0.1", "ann"},
                            FormatReply{Format::plain},
                            NickReply{"ann"},
                            LeaveReply{"ops"},
                            SayReply{"say", "ops", 1},
                            SayReply{"me", "ops", 1},
                            MsgReply{"bob"},
                            HistoryReply{"ops", 1, 2},
                            HelpReply{nullptr, false},
                            TraceReply{true},
                            ConnsReply{1},
                            DebugLine{"conn", "x"}};
    all.insert(all.end(), std::begin(others), std::end(others));
    for (const Event& each : all) {
        const std::string payload = event(each);
        CAPTURE(payload);
        const ParsedEvent parsed = parse_event(payload);
        CHECK(parsed.known);
        if (payload.ends_with(" text")) {
            CHECK(parsed.text == "text");
        }
    }
}

TEST_CASE("Event: parse_event never fails on what it does not know") {
    ParsedEvent got = parse_event("later some thing");
    CHECK_FALSE(got.known);
    CHECK(got.verb == "later");
    CHECK(got.text == "some thing");
    got = parse_event("ok later a b");
    CHECK_FALSE(got.known);
    CHECK(got.fields[0] == "later");
    CHECK(got.text == "a b");
    CHECK_FALSE(parse_event("").known);
    CHECK_FALSE(parse_event("ok").known);
    CHECK_FALSE(parse_event("msg ops 17").known);
    CHECK_FALSE(parse_event("msg  17 1 ann x").known);
    CHECK_FALSE(parse_event("gap ops 1").known);
    CHECK(parse_event("gap ops 1 2 and what a later version adds").known);
}
