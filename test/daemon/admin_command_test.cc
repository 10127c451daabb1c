#include "daemon/admin_command.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

namespace roomd {

namespace {

using std::chrono::milliseconds;
using Verb = AdminCommand::Verb;

AdminCommand parsed(std::string_view line) {
    const auto result = parse_admin_command(line);
    REQUIRE_MESSAGE(std::holds_alternative<AdminCommand>(result), line);
    return std::get<AdminCommand>(result);
}

std::string refused(std::string_view line) {
    const auto result = parse_admin_command(line);
    REQUIRE_MESSAGE(std::holds_alternative<std::string>(result), line);
    return std::get<std::string>(result);
}

} // namespace

TEST_CASE("AdminCommand: each command by its word, whatever the blanks") {
    for (const Verb verb : {Verb::help, Verb::status, Verb::reload, Verb::upgrade, Verb::drain}) {
        const std::string word(word_of(verb));
        CHECK(parsed(word).verb == verb);
        CHECK(parsed("  " + word + "\t \r").verb == verb);
        CHECK(admin_help().find("\n" + word) != (verb == Verb::status ? 0 : std::string::npos));
    }
    CHECK(word_of(Verb::lockdown) == "lockdown");
}

TEST_CASE("AdminCommand: a drain takes a time, ten seconds if none is given, an hour at most") {
    CHECK(parsed("drain").over == milliseconds(10'000));
    CHECK(parsed("drain 0").over == milliseconds(0));
    CHECK(parsed("drain 500ms").over == milliseconds(500));
    CHECK(parsed("drain 2m").over == milliseconds(120'000));
    CHECK(parsed("drain 1h").over == milliseconds(3'600'000));
    for (const std::string_view time : {"-1s", "61m", "soon", "1.5s", "99999999999999999999"}) {
        CHECK(refused("drain " + std::string(time)).find(time) != std::string::npos);
    }
}

TEST_CASE("AdminCommand: a lockdown is on or off and nothing else") {
    CHECK(parsed("lockdown on").on);
    CHECK_FALSE(parsed("lockdown off").on);
    for (const std::string_view line :
         {"lockdown", "lockdown maybe", "lockdown on off", "lockdown ON"}) {
        CHECK(refused(line).find("lockdown on") != std::string::npos);
    }
}

TEST_CASE("AdminCommand: what is none is named, with what was meant") {
    CHECK(refused("relaod").find("did you mean reload?") != std::string::npos);
    CHECK(refused("status now").find("\"now\"") != std::string::npos);
    CHECK(refused("drain 1s 2s").find("\"1s\"") != std::string::npos);
    CHECK(refused("").find("help") != std::string::npos);
    CHECK(refused(" \r").find("help") != std::string::npos);
    CHECK(refused("Status").find("no command") != std::string::npos);
    // nothing of it reaches a terminal as it came
    CHECK(refused("\x1b[2J").find('\x1b') == std::string::npos);
    CHECK(refused(std::string(250, 'x')).size() < 200);
}

} // namespace roomd
