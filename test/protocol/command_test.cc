#include "protocol/command.h"

#include "protocol/limits.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace roomd;

namespace {

template <typename Wanted>
Wanted parsed(std::string_view payload) {
    const auto result = parse_command(payload);
    const auto* const command = std::get_if<Command>(&result);
    REQUIRE_MESSAGE(command != nullptr, std::string(payload));
    const auto* const wanted = std::get_if<Wanted>(command);
    REQUIRE_MESSAGE(wanted != nullptr, std::string(payload));
    return *wanted;
}

BadCommand refused(std::string_view payload) {
    const auto result = parse_command(payload);
    const auto* const bad = std::get_if<BadCommand>(&result);
    REQUIRE_MESSAGE(bad != nullptr, std::string(payload));
    return *bad;
}

/// Refused as a bad command, for the reason of its usage.
bool misused(std::string_view payload) {
    const BadCommand bad = refused(payload);
    const CommandRow* const row = find_command(bad.verb);
    return bad.code == ErrorCode::bad_command && row != nullptr &&
           bad.why == "usage: " + std::string(row->usage);
}

} // namespace

TEST_CASE("Command: what does not begin with a slash is said, byte for byte") {
    CHECK(parsed<Text>("hello").text == "hello");
    CHECK(parsed<Text>("  two  spaces ").text == "  two  spaces ");
    CHECK(parsed<Text>(" /quit").text == " /quit");
    CHECK(parsed<Text>("\xD0\xBF").text == "\xD0\xBF");
}

TEST_CASE("Command: two slashes say one") {
    CHECK(parsed<Text>("//quit").text == "/quit");
    CHECK(parsed<Text>("//").text == "/");
    CHECK(parsed<Text>("///").text == "//");
}

TEST_CASE("Command: nothing is nothing to say") {
    CHECK(refused("").verb == "say");
    CHECK(refused("").code == ErrorCode::bad_command);
}

TEST_CASE("Command: hello names version and options in any order") {
    const auto all = parsed<Hello>("/hello 1 ack=off nick=ann echo=on");
    CHECK(all.version == 1);
    CHECK(all.nick == "ann");
    CHECK(all.echo == true);
    CHECK(all.ack == false);
    const auto none = parsed<Hello>("/hello 1");
    CHECK_FALSE(none.nick);
    CHECK_FALSE(none.echo);
    CHECK_FALSE(none.ack);
    for (const char* bad :
         {"/hello", "/hello x", "/hello 1 nick=", "/hello 1 echo=yes", "/hello -1",
          "/hello 1 nick=a nick=b", "/hello 1 other=1", "/hello 1  echo=on",
          "/hello 1 echo=on echo=on", "/hello 99999999999999999999"}) {
        CAPTURE(bad);
        CHECK(misused(bad));
    }
    CHECK(refused("/hello 2").code == ErrorCode::bad_command);
    CHECK(refused("/hello 2").why.find("version 1") != std::string_view::npos);
}

TEST_CASE("Command: format, nick, trace take one word of theirs") {
    CHECK(parsed<SetFormat>("/format human").format == Format::human);
    CHECK(parsed<SetFormat>("/format plain").format == Format::plain);
    CHECK(parsed<SetFormat>("/format event").format == Format::event);
    CHECK(parsed<SetNick>("/nick ann").nick == "ann");
    CHECK(parsed<Trace>("/trace on").on);
    CHECK_FALSE(parsed<Trace>("/trace off").on);
    for (const char* bad : {"/format", "/format json", "/format human plain", "/nick", "/nick ",
                            "/nick a b", "/trace", "/trace maybe", "/format  human"}) {
        CAPTURE(bad);
        CHECK(misused(bad));
    }
}

TEST_CASE("Command: join takes a room and where to replay from") {
    const Join plain = parsed<Join>("/join ops");
    CHECK(plain.room == "ops");
    CHECK(std::holds_alternative<std::monostate>(plain.from));
    const Join since = parsed<Join>("/join ops since=5f3a:17");
    CHECK(std::get<Since>(since.from).epoch == "5f3a");
    CHECK(std::get<Since>(since.from).id == 17);
    CHECK(std::get<Last>(parsed<Join>("/join ops last=18446744073709551615").from).count ==
          18'446'744'073'709'551'615U);
    CHECK(std::get<Since>(parsed<Join>("/join ops since=a:b:0").from).epoch == "a:b");
    for (const char* bad :
         {"/join", "/join ", "/join  ops", "/join ops since=", "/join ops since=a",
          "/join ops since=:1", "/join ops since=a:", "/join ops since=a:-1",
          "/join ops since=a:1x", "/join ops last=", "/join ops last=+1",
          "/join ops last=18446744073709551616", "/join ops last=1 last=2", "/join ops other",
          "/join ops  last=1"}) {
        CAPTURE(bad);
        CHECK(misused(bad));
    }
}

TEST_CASE("Command: a space at the end of words means nothing") {
    CHECK(parsed<Join>("/join ops ").room == "ops");
    CHECK(parsed<Join>("/join ops   ").room == "ops");
    CHECK_FALSE(parsed<Who>("/who ").room);
    CHECK_FALSE(parsed<Leave>("/leave ").room);
    CHECK(parsed<Ping>("/ping ").token.empty());
    CHECK(std::holds_alternative<Rooms>(std::get<Command>(parse_command("/rooms "))));
}

TEST_CASE("Command: the last argument of say, me and msg is the rest, byte for byte") {
    CHECK(parsed<Say>("/say ops  two  spaces ").room == "ops");
    CHECK(parsed<Say>("/say ops  two  spaces ").text == " two  spaces ");
    CHECK(parsed<Say>("/say ops /quit").text == "/quit");
    CHECK(parsed<Me>("/me waves ").text == "waves ");
    CHECK(parsed<Me>("/me  ").text == " ");
    CHECK(parsed<Msg>("/msg bob psst: a\nb").nick == "bob");
    CHECK(parsed<Msg>("/msg bob psst: a\nb").text == "psst: a\nb");
    for (const char* bad : {"/say", "/say ", "/say ops", "/say ops ", "/say  ops x", "/me", "/me ",
                            "/msg", "/msg bob", "/msg bob "}) {
        CAPTURE(bad);
        CHECK(misused(bad));
    }
}

TEST_CASE("Command: topic reads, sets and clears") {
    CHECK_FALSE(parsed<Topic>("/topic").room);
    CHECK_FALSE(parsed<Topic>("/topic ").room);
    CHECK(parsed<Topic>("/topic ops").room == "ops");
    CHECK_FALSE(parsed<Topic>("/topic ops").text);
    CHECK(parsed<Topic>("/topic ops a b ").text == "a b ");
    CHECK(parsed<Topic>("/topic ops ").text == "");
    CHECK(misused("/topic  x"));
    const std::string longest(topic_bytes_max, 't');
    CHECK(parsed<Topic>("/topic ops " + longest).text->size() == topic_bytes_max);
    CHECK(refused("/topic ops " + longest + "t").code == ErrorCode::too_large);
}

TEST_CASE("Command: lists take a room or none") {
    CHECK(parsed<Who>("/who ops").room == "ops");
    CHECK_FALSE(parsed<Who>("/who").room);
    CHECK(parsed<Leave>("/leave ops").room == "ops");
    CHECK_FALSE(parsed<Leave>("/leave").room);
    CHECK(misused("/who a b"));
    CHECK(misused("/leave a b"));
    CHECK(misused("/rooms x"));
    CHECK(misused("/stats x"));
    CHECK(misused("/conns x"));
}

TEST_CASE("Command: history takes a room, a place, both or none") {
    CHECK_FALSE(parsed<History>("/history").room);
    CHECK(parsed<History>("/history ops").room == "ops");
    CHECK(std::get<Last>(parsed<History>("/history last=3").from).count == 3);
    CHECK_FALSE(parsed<History>("/history last=3").room);
    CHECK(std::get<Since>(parsed<History>("/history ops since=e:9").from).id == 9);
    CHECK(parsed<History>("/history ops since=e:9").room == "ops");
    for (const char* bad : {"/history ops x", "/history last=1 ops", "/history since=x",
                            "/history  ops", "/history ops last=1 x"}) {
        CAPTURE(bad);
        CHECK(misused(bad));
    }
}

TEST_CASE("Command: ping carries a token of at most 64 bytes") {
    CHECK(parsed<Ping>("/ping").token.empty());
    CHECK(parsed<Ping>("/ping 42").token == "42");
    CHECK(parsed<Ping>("/ping " + std::string(token_bytes_max, 't')).token.size() ==
          token_bytes_max);
    CHECK(refused("/ping " + std::string(token_bytes_max + 1, 't')).code == ErrorCode::too_large);
    CHECK(misused("/ping a b"));
}

TEST_CASE("Command: help takes a command with or without its slash") {
    CHECK_FALSE(parsed<Help>("/help").command);
    CHECK(parsed<Help>("/help join").command == "join");
    CHECK(parsed<Help>("/help /join").command == "join");
    CHECK(misused("/help a b"));
}

TEST_CASE("Command: a goodbye that is too long is cut between characters, not refused") {
    CHECK(parsed<Quit>("/quit").text.empty());
    CHECK(parsed<Quit>("/quit see  you ").text == "see  you ");
    std::string words;
    while (words.size() < std::size_t{2} * reason_bytes_max) {
        words += "\xE2\x82\xAC";
    }
    CHECK(parsed<Quit>("/quit " + words).text.size() == reason_bytes_max / 3 * 3);
}

TEST_CASE("Command: an unknown one is named in its refusal, but not at any length") {
    CHECK(refused("/nosuch thing").verb == "nosuch");
    CHECK(refused("/").verb == "/");
    CHECK(refused("/ join ops").verb == "/");
    CHECK(refused("/Join ops").verb == "Join");
    CHECK(refused("/join\tops").verb == "join\tops");
    CHECK(refused("/" + std::string(70'000, 'x')).verb.size() == verb_bytes_max);
    CHECK(refused("/nosuch").code == ErrorCode::bad_command);
}

TEST_CASE("Command: no text is longer than a frame can carry") {
    const std::string longest(text_bytes_ceiling, 'x');
    CHECK(parsed<Text>(longest).text.size() == text_bytes_ceiling);
    CHECK(refused(longest + "x").code == ErrorCode::too_large);
    CHECK(refused("/say ops " + longest + "x").code == ErrorCode::too_large);
    CHECK(refused("/me " + longest + "x").code == ErrorCode::too_large);
    CHECK(refused("/msg bob " + longest + "x").code == ErrorCode::too_large);
    CHECK(parsed<Me>("/me " + longest).text.size() == text_bytes_ceiling);
}

TEST_CASE("Command: every row of the table parses, under its own verb") {
    const std::pair<const char*, const char*> examples[] = {
        {"hello", "/hello 1"},
        {"format", "/format human"},
        {"nick", "/nick a"},
        {"join", "/join a"},
        {"leave", "/leave"},
        {"say", "/say a b"},
        {"me", "/me a"},
        {"msg", "/msg a b"},
        {"topic", "/topic"},
        {"who", "/who"},
        {"rooms", "/rooms"},
        {"history", "/history"},
        {"ping", "/ping"},
        {"stats", "/stats"},
        {"help", "/help"},
        {"quit", "/quit"},
        {"trace", "/trace on"},
        {"conns", "/conns"},
        {"ignore", "/ignore a off"},
        {"ignores", "/ignores"},
    };
    CHECK(std::size(examples) == command_table().size());
    for (const auto& example : examples) {
        const std::string verb = example.first;
        CAPTURE(verb);
        const auto result = parse_command(example.second);
        REQUIRE(std::holds_alternative<Command>(result));
        CHECK(verb_of(std::get<Command>(result)) == verb);
        const CommandRow* const row = find_command(verb);
        REQUIRE(row != nullptr);
        CHECK(row->usage.substr(0, row->verb.size() + 1) == "/" + verb);
        CHECK(row->help.ends_with('.'));
        CHECK(row->debug == (row->verb == "trace" || row->verb == "conns"));
    }
    CHECK(verb_of(Text{"x"}) == "say");
    CHECK(find_command("nosuch") == nullptr);
    CHECK(find_command("") == nullptr);
}

TEST_CASE("Command: PROTOCOL.md shows the table as it is") {
    std::ifstream document("protocol/PROTOCOL.md");
    REQUIRE(document.is_open());
    std::vector<std::string> rows;
    for (std::string line; std::getline(document, line);) {
        if (line.starts_with("| `/")) {
            rows.push_back(line);
        }
    }
    REQUIRE(rows.size() == command_table().size());
    for (std::size_t index = 0; index < rows.size(); ++index) {
        const CommandRow& row = command_table()[index];
        std::string usage;
        for (const char byte : row.usage) {
            usage += byte == '|' ? "\\|" : std::string(1, byte);
        }
        const std::string expected = "| `" + usage + "` | " + std::string(row.help);
        CHECK(rows[index].substr(0, expected.size()) == expected);
    }
}

TEST_CASE("ErrorCode: one word each, as the protocol lists them") {
    const char* const words[] = {
        "too_large", "bad_frame",   "bad_utf8", "bad_command",    "bad_name",     "name_taken",
        "no_room",   "not_in_room", "no_nick",  "too_many_rooms", "rate_limited", "no_permission",
        "slow",      "idle",        "full",     "shutting_down",  "internal"};
    for (std::size_t index = 0; index < std::size(words); ++index) {
        CHECK(word(static_cast<ErrorCode>(index)) == words[index]);
    }
    CHECK(static_cast<std::size_t>(ErrorCode::internal) + 1 == std::size(words));
}
