#include "client/conversation.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace roomd;

namespace {

using Texts = std::vector<std::string>;

struct Record final : ConversationPartner {
    void send(std::string_view payload) override { sent.emplace_back(payload); }

    void show(std::string_view line) override { shown.emplace_back(line); }

    void warn(std::string_view line) override { warned.emplace_back(line); }

    void pause(Duration length) override { pauses.push_back(length); }

    std::vector<Duration> pauses;
    Texts sent;
    Texts shown;
    Texts warned;
};

ConversationOptions from_pipe() {
    ConversationOptions options;
    options.address = "tcp://127.0.0.1:8888";
    options.room = "lobby";
    return options;
}

ConversationOptions from_terminal() {
    ConversationOptions options = from_pipe();
    options.interactive = true;
    return options;
}

/// A conversation and what it did; checks its invariants after every step.
struct Talk {
    explicit Talk(ConversationOptions options) : talk(std::move(options), record) {}

    void hear(std::string_view payload) {
        talk.on_payload(payload);
        talk.check();
    }

    void line(std::string_view text) {
        talk.on_line({++number, text, false});
        talk.check();
    }

    void end_lines() {
        talk.on_lines_ended();
        talk.check();
    }

    void end_pause() {
        REQUIRE(!record.pauses.empty());
        talk.on_pause_over();
        talk.check();
    }

    void disconnect() {
        talk.on_disconnected();
        talk.check();
    }

    /// Up to the point where lines are wanted, and so many are taken already that several may be on
    /// their way.
    void arrive() {
        arrive_new();
        for (std::uint64_t count = 0; count < Conversation::trusted_after; ++count) {
            line("x");
            hear("ok say lobby 1");
        }
        number = 0;
        record.sent.clear();
        record.shown.clear();
    }

    /// Up to the point where lines are wanted.
    void arrive_new() {
        talk.begin();
        hear("welcome 1 roomd/0.1.0 guest-1");
        hear("ok join lobby e 1 1 1");
        REQUIRE(talk.talking());
        record.sent.clear();
        record.shown.clear();
    }

    Record record;
    Conversation talk;
    std::uint64_t number = 0;
};

} // namespace

TEST_CASE("Conversation: says hello, enters the room, and only then wants lines") {
    Talk it(from_pipe());
    it.talk.begin();
    CHECK(it.record.sent == Texts{"/hello 1"});
    CHECK_FALSE(it.talk.wants_line());
    it.hear("welcome 1 roomd/0.1.0 guest-1");
    CHECK(it.record.sent == Texts{"/hello 1", "/join lobby"});
    CHECK_FALSE(it.talk.wants_line());
    it.hear("ok join lobby e 1 1 1");
    CHECK(it.talk.wants_line());
    CHECK(it.record.shown.empty());
}

TEST_CASE("Conversation: a pipe's lines are said, acknowledged, and then it leaves with success") {
    Talk it(from_pipe());
    it.arrive();
    it.line("one");
    it.line("");
    it.line("/etc/passwd");
    it.end_lines();
    CHECK(it.record.sent == Texts{"one", "//etc/passwd"});
    it.hear("ok say lobby 1");
    CHECK_FALSE(it.talk.leaving());
    it.hear("ok say lobby 2");
    CHECK(it.talk.leaving());
    CHECK(it.record.sent.back() == "/quit");
    it.hear("bye quit");
    CHECK(it.talk.over());
    CHECK(it.talk.status() == ExitStatus::done);
    CHECK(it.record.warned.empty());
}

TEST_CASE("Conversation: an empty pipe leaves at once and well") {
    Talk it(from_pipe());
    it.arrive();
    it.end_lines();
    CHECK(it.record.sent == Texts{"/quit"});
    it.disconnect(); // the goodbye itself may be lost
    CHECK(it.talk.status() == ExitStatus::done);
}

TEST_CASE("Conversation: a refused line is named, and those behind it are still said") {
    Talk it(from_pipe());
    it.arrive();
    it.line("one");
    it.line("two");
    it.end_lines();
    it.hear("err say too_large longer than 16 bytes");
    it.hear("ok say lobby 1");
    it.hear("bye quit");
    CHECK(it.record.warned == Texts{"line 1 was refused: too_large: longer than 16 bytes"});
    CHECK(it.talk.status() == ExitStatus::refused);
}

TEST_CASE("Conversation: a line that no frame could hold is refused without asking roomd") {
    Talk it(from_pipe());
    it.arrive();
    it.talk.on_line({7, {}, true});
    CHECK(it.record.sent.empty());
    REQUIRE(it.record.warned.size() == 1);
    CHECK(it.record.warned[0].starts_with("line 7 was refused: too_large"));
    it.end_lines();
    it.hear("bye quit");
    CHECK(it.talk.status() == ExitStatus::refused);
}

TEST_CASE("Conversation: never more than the window is on its way") {
    Talk it(from_pipe());
    it.arrive();
    for (std::size_t count = 0; count < Conversation::unanswered_max; ++count) {
        REQUIRE(it.talk.wants_line());
        it.line("text");
    }
    CHECK_FALSE(it.talk.wants_line());
    it.hear("ok say lobby 1");
    CHECK(it.talk.wants_line());
}

TEST_CASE("Conversation: at first one message at a time is on its way") {
    Talk it(from_pipe());
    it.arrive_new();
    REQUIRE(it.talk.wants_line());
    it.line("one");
    CHECK_FALSE(it.talk.wants_line());
    it.hear("ok say lobby 1");
    CHECK(it.talk.wants_line());
}

TEST_CASE("Conversation: a line refused for now is sent again after a pause, and told once") {
    for (const std::string_view code : {"rate_limited", "busy", "slow"}) {
        CAPTURE(code);
        Talk it(from_pipe());
        it.arrive_new();
        it.line("one");
        it.hear("err say " + std::string(code) + " not so fast");
        CHECK(it.record.pauses == std::vector<Duration>{Conversation::pause_min});
        CHECK_FALSE(it.talk.wants_line());
        CHECK(it.record.sent == Texts{"one"});
        it.end_pause();
        CHECK(it.record.sent == Texts{"one", "one"});
        it.hear("err say " + std::string(code) + " not so fast");
        CHECK(it.record.pauses.back() == 2 * Conversation::pause_min);
        it.end_pause();
        it.hear("ok say lobby 1");
        CHECK_FALSE(it.talk.wants_line()); // at the pace that was found
        it.end_pause();
        CHECK(it.talk.wants_line());
        it.line("two");
        it.end_lines();
        it.hear("ok say lobby 2");
        it.hear("bye quit");
        CHECK(it.record.sent == Texts{"one", "one", "one", "two", "/quit"});
        CHECK(it.talk.status() == ExitStatus::done);
        CHECK(it.record.warned ==
              Texts{"roomd takes nothing more for now (not so fast); from line 1 "
                    "on, lines are sent again, in order, until they are taken"});
    }
}

TEST_CASE("Conversation: what was on its way is sent again in order, none doubled") {
    Talk it(from_pipe());
    it.arrive();
    for (const std::string_view text : {"one", "two", "three", "four"}) {
        it.line(text);
    }
    it.end_lines();
    it.hear("ok say lobby 1");
    it.hear("err say rate_limited not so fast");
    it.hear("err say rate_limited not so fast");
    it.hear("ok say lobby 2"); // cheaper than the two before it
    it.record.sent.clear();
    it.end_pause();
    CHECK(it.record.sent == Texts{"two"});
    it.hear("err say rate_limited not so fast"); // still
    it.end_pause();
    CHECK(it.record.sent == Texts{"two", "two"});
    it.hear("ok say lobby 3");
    CHECK_FALSE(it.talk.leaving());
    it.end_pause();
    CHECK(it.record.sent == Texts{"two", "two", "three"});
    it.hear("ok say lobby 4");
    CHECK(it.record.sent == Texts{"two", "two", "three", "/quit"});
    it.hear("bye quit");
    CHECK(it.talk.status() == ExitStatus::done);
    CHECK(it.record.warned.back() == "line 4 was said before line 2, which is sent again");
}

TEST_CASE("Conversation: what is refused for ever is given up, named, and the rest is said") {
    Talk it(from_pipe());
    it.arrive_new();
    it.line("one");
    for (unsigned attempt = 1; attempt < Conversation::attempts_max; ++attempt) {
        it.hear("err say rate_limited not so fast");
        CHECK(it.record.pauses.back() <= Conversation::pause_max);
        it.end_pause();
    }
    it.hear("err say rate_limited not so fast");
    CHECK(it.record.warned.back() == "line 1 was refused: rate_limited: not so fast");
    it.end_lines();
    it.hear("bye quit");
    CHECK(it.talk.status() == ExitStatus::refused);
}

TEST_CASE("Conversation: leaving with something to be sent again says so") {
    Talk it(from_pipe());
    it.arrive();
    it.line("one");
    it.line("two");
    it.hear("err say rate_limited not so fast");
    it.hear("err say rate_limited not so fast");
    SUBCASE("by a signal") {
        it.talk.leave();
        CHECK(it.record.warned.back() == "not said: line 1 and 1 behind it");
        it.hear("bye quit");
        CHECK(it.talk.status() == ExitStatus::refused);
    }
    SUBCASE("because the connection is lost") {
        it.disconnect();
        CHECK(it.record.warned.back() ==
              "the connection to tcp://127.0.0.1:8888 was lost; not acknowledged: line 1 and 1 "
              "behind it");
        CHECK(it.talk.status() == ExitStatus::lost);
    }
    it.talk.on_pause_over(); // comes too late
    CHECK(it.record.sent.size() <= 3);
}

TEST_CASE("Conversation: hello and join that are refused for now are asked again, too") {
    Talk it(from_pipe());
    it.talk.begin();
    it.hear("! rate_limited not so fast");
    it.end_pause();
    CHECK(it.record.sent == Texts{"/hello 1", "/hello 1"});
    it.hear("welcome 1 roomd/0.1.0 guest-1");
    it.hear("err join rate_limited not so fast");
    CHECK(it.talk.is_asking_again());
    it.end_pause();
    CHECK(it.record.sent == Texts{"/hello 1", "/hello 1", "/join lobby", "/join lobby"});
    it.hear("ok join lobby e 1 1 1");
    CHECK(it.talk.talking());
}

TEST_CASE("Conversation: a person's messages are sent again and told, other commands only told") {
    Talk it(from_terminal());
    it.arrive_new();
    it.line("hello");
    it.hear("err say rate_limited not so fast");
    CHECK(it.record.shown == Texts{"! roomd takes nothing more for now (not so fast); what you "
                                   "typed is sent again, in order, until it is taken"});
    it.end_pause();
    it.hear("ok say lobby 1");
    it.end_pause();
    it.line("/nick bob");
    it.hear("err nick rate_limited not so fast");
    CHECK(it.record.shown.back() == "! not so fast");
    CHECK(it.record.sent == Texts{"hello", "hello", "/nick bob"});
    CHECK(it.talk.wants_line());
}

TEST_CASE("Conversation: a line that the terminal has cut is not said, and told") {
    Talk it(from_terminal());
    it.arrive_new();
    const std::string beginning(4095, 'x');
    it.talk.on_line({1, beginning, false, true});
    CHECK(it.record.sent.empty());
    REQUIRE(it.record.shown.size() == 1);
    CHECK(it.record.shown[0].starts_with("! a terminal keeps 4095 bytes of a line"));
}

TEST_CASE("Conversation: a lost connection names the lines that nobody acknowledged") {
    Talk it(from_pipe());
    it.arrive();
    it.line("one");
    it.line("two");
    it.line("three");
    it.hear("ok say lobby 1");
    SUBCASE("without a word") {
        it.disconnect();
        CHECK(it.record.warned == Texts{"the connection to tcp://127.0.0.1:8888 was lost; not "
                                        "acknowledged: line 2 and 1 behind it"});
    }
    SUBCASE("with a goodbye") {
        it.hear("bye shutting_down back soon");
        CHECK(it.record.warned == Texts{"the connection to tcp://127.0.0.1:8888 was lost "
                                        "(shutting_down: back soon); not acknowledged: line 2 and "
                                        "1 behind it"});
    }
    SUBCASE("after the last line was read") {
        it.end_lines();
        it.disconnect();
        CHECK(it.record.warned.size() == 1);
    }
    SUBCASE("while leaving early") {
        it.talk.leave();
        it.disconnect();
        CHECK(it.record.warned.size() == 1);
    }
    CHECK(it.talk.over());
    CHECK(it.talk.status() == ExitStatus::lost);
}

TEST_CASE("Conversation: a connection lost when all is acknowledged but more may come is lost") {
    Talk it(from_pipe());
    it.arrive();
    it.disconnect();
    CHECK(it.talk.status() == ExitStatus::lost);
}

TEST_CASE("Conversation: who is turned away at the door says why") {
    Talk it(from_pipe());
    it.talk.begin();
    SUBCASE("in events") {
        it.hear("bye full no place left");
        CHECK(it.record.warned ==
              Texts{"tcp://127.0.0.1:8888 let us go at once: full: no place left"});
    }
    SUBCASE("in plain frames") {
        it.hear("! full no place left");
        it.disconnect();
        CHECK(it.record.warned ==
              Texts{"tcp://127.0.0.1:8888 let us go at once: full: no place left"});
    }
    SUBCASE("in a line of text") {
        it.talk.on_text("! full no place left");
        CHECK(it.record.warned ==
              Texts{"tcp://127.0.0.1:8888 let us go at once: \"full no place left\""});
    }
    SUBCASE("not at all") {
        it.disconnect();
        CHECK(it.record.warned == Texts{"tcp://127.0.0.1:8888 let us go at once"});
    }
    CHECK(it.talk.over());
    CHECK(it.talk.status() == ExitStatus::unavailable);
}

TEST_CASE("Conversation: what is not roomd is told apart") {
    Talk it(from_pipe());
    it.talk.begin();
    SUBCASE("text") {
        it.talk.on_text("SSH-2.0-OpenSSH_9.2\x1b");
    }
    SUBCASE("an echo") {
        it.hear("/hello 1");
    }
    SUBCASE("no text") {
        it.hear("\xff\xfe");
    }
    SUBCASE("an impossible frame") {
        it.talk.on_bad_frame();
    }
    SUBCASE("silence") {
        it.talk.on_timeout();
    }
    CHECK(it.talk.over());
    CHECK(it.talk.status() == ExitStatus::protocol);
    REQUIRE(it.record.warned.size() == 1);
    CHECK(it.record.warned[0].starts_with("tcp://127.0.0.1:8888 does not speak as roomd does"));
    CHECK(it.record.warned[0].find('\x1b') == std::string::npos);
}

TEST_CASE("Conversation: an answer to another question is noticed") {
    Talk it(from_pipe());
    it.arrive();
    it.line("one");
    it.hear("ok ping");
    CHECK(it.talk.status() == ExitStatus::protocol);
}

TEST_CASE("Conversation: what is said before the welcome is not taken for an answer") {
    Talk it(from_pipe());
    it.talk.begin();
    it.hear("good morning");
    it.hear("ok whatever");
    it.hear("welcome 1 roomd/0.1.0 guest-1");
    CHECK(it.record.sent.back() == "/join lobby");
    CHECK(it.record.shown.empty());
}

TEST_CASE("Conversation: a taken name makes a guest") {
    ConversationOptions options = from_pipe();
    options.nick = "ann";
    const auto refuse_name = [](Talk& it, std::string_view answer) {
        it.talk.begin();
        CHECK(it.record.sent == Texts{"/hello 1 nick=ann"});
        it.hear(answer);
        CHECK(it.record.sent.back() == "/hello 1");
        it.hear("welcome 1 roomd/0.1.0 guest-1");
        it.hear("ok join lobby e 1 1 1");
    };
    SUBCASE("which a pipe that asked for it calls a failure") {
        options.nick_required = true;
        Talk it(options);
        refuse_name(it, "err hello name_taken ann is taken");
        CHECK(it.record.warned ==
              Texts{"cannot be ann (name_taken: ann is taken); going on as a guest"});
        it.line("one");
        it.hear("ok say lobby 1");
        it.end_lines();
        it.hear("bye quit");
        CHECK(it.talk.status() == ExitStatus::refused);
    }
    SUBCASE("which a person is told") {
        options.interactive = true;
        Talk it(options);
        refuse_name(it, "! name_taken ann is taken"); // in plain, before the welcome
        CHECK(it.record.warned.size() == 1);
        it.end_lines();
        it.hear("bye quit");
        CHECK(it.talk.status() == ExitStatus::done);
    }
}

TEST_CASE("Conversation: a pipe that may not enter its room says so and stops") {
    Talk it(from_pipe());
    it.talk.begin();
    it.hear("welcome 1 roomd/0.1.0 guest-1");
    it.hear("err join no_permission not for you");
    CHECK(it.talk.over());
    CHECK(it.talk.status() == ExitStatus::refused);
    CHECK(it.record.warned == Texts{"cannot join lobby: no_permission: not for you"});
}

TEST_CASE("Conversation: a pipe prints what is said and nothing else") {
    Talk it(from_pipe());
    it.arrive();
    it.hear("join lobby bob");
    it.hear("msg lobby 1 1 bob hi");
    it.hear("dm 1 bob psst");
    it.hear("part lobby bob");
    CHECK(it.record.shown == Texts{"[lobby] bob: hi", "[bob -> you] psst"});
}

TEST_CASE("Conversation: a person sees everything, and how to go on") {
    Talk it(from_terminal());
    it.talk.begin();
    it.hear("welcome 1 roomd/0.1.0 guest-1");
    it.hear("ok join lobby e 1 1 2");
    CHECK(it.record.shown == Texts{"* you are guest-1 on roomd/0.1.0",
                                   "* you are in lobby (2 here)",
                                   "* type to talk; /help shows the commands, quit leaves"});
    it.record.shown.clear();
    it.hear("join lobby bob");
    it.line("/who");
    it.hear("ok who lobby 2 ann bob");
    it.line("/nonsense");
    it.hear("err nonsense bad_command no such command");
    CHECK(it.record.shown ==
          Texts{"* bob joined lobby", "* in lobby (2): ann bob", "! no such command"});
    CHECK(it.record.warned.empty());
}

TEST_CASE("Conversation: help is given at once and lists what one can type") {
    Talk it(from_terminal());
    it.arrive();
    it.line("/help");
    CHECK(it.record.sent.empty());
    bool join = false;
    for (const std::string& line : it.record.shown) {
        join = join || line.starts_with("* /join ROOM");
        CHECK_FALSE(line.starts_with("* /hello"));
    }
    CHECK(join);
}

TEST_CASE("Conversation: a person leaves in many ways, all of them well") {
    const std::array<void (*)(Talk&), 3> ways = {
        [](Talk& it) { it.line("quit"); }, [](Talk& it) { it.end_lines(); },
        [](Talk& it) { it.talk.leave(); }, // a signal
    };
    const std::array<void (*)(Talk&), 2> answers = {
        [](Talk& it) { it.hear("bye quit"); },
        [](Talk& it) { it.disconnect(); },
    };
    for (const auto way : ways) {
        for (const auto answer : answers) {
            Talk it(from_terminal());
            it.arrive();
            way(it);
            CHECK(it.talk.leaving());
            it.talk.leave();
            CHECK(it.record.sent == Texts{"/quit"});
            CHECK_FALSE(it.talk.over());
            answer(it);
            CHECK(it.talk.over());
            CHECK(it.talk.status() == ExitStatus::done);
        }
    }
}

TEST_CASE("Conversation: a person's answers still come before the goodbye") {
    Talk it(from_terminal());
    it.arrive();
    it.line("/rooms");
    it.line("quit");
    it.hear("ok rooms 1 lobby:1");
    CHECK_FALSE(it.talk.over());
    it.hear("bye quit");
    CHECK(it.talk.over());
    CHECK(it.record.shown == Texts{"* rooms (1): lobby:1", "* bye"});
}

TEST_CASE("Conversation: a person whose server goes is told, and the shell too") {
    Talk it(from_terminal());
    it.arrive();
    it.hear("bye shutting_down back soon");
    CHECK(it.talk.status() == ExitStatus::lost);
    CHECK(it.record.shown == Texts{"! bye: back soon"});
}

TEST_CASE("Conversation: unreadable input ends it") {
    Talk it(from_pipe());
    it.arrive();
    it.talk.on_lines_failed("Is a directory");
    CHECK(it.talk.status() == ExitStatus::input_output);
    CHECK(it.record.warned == Texts{"cannot read stdin: Is a directory"});
}
