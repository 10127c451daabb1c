#include "client/render.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

using namespace roomd;

namespace {

/// What a person sees of `payload`; "-" for nothing.
std::string seen(std::string_view payload) {
    std::string line;
    return append_rendered(line, parse_event(payload)) ? line : "-";
}

} // namespace

TEST_CASE("render: what is said names the room and the speaker") {
    CHECK(seen("msg lobby 7 1700000000000 bob hello all") == "[lobby] bob: hello all");
    CHECK(seen("act lobby 8 1700000000000 bob waves") == "[lobby] * bob waves");
    CHECK(seen("dm 1700000000000 bob psst") == "[bob -> you] psst");
}

TEST_CASE("render: what is replayed bears the time at which it was said") {
    REQUIRE(::setenv("TZ", "UTC", 1) == 0); // NOLINT(concurrency-mt-unsafe): no other thread
    ::tzset();
    CHECK(seen("old lobby 7 1700000000000 bob hello") == "[lobby] (22:13) bob: hello");
    CHECK(seen("oldact lobby 7 1700000000000 bob waves") == "[lobby] (22:13) * bob waves");
}

TEST_CASE("render: presence is told in sentences") {
    CHECK(seen("join lobby bob") == "* bob joined lobby");
    CHECK(seen("part lobby bob went home") == "* bob left lobby (went home)");
    CHECK(seen("part lobby bob") == "* bob left lobby");
    CHECK(seen("nick guest-3 bob") == "* guest-3 is now bob");
    CHECK(seen("topic lobby bob new things") == "* bob set the topic of lobby: new things");
    CHECK(seen("topic lobby bob") == "* bob cleared the topic of lobby");
    CHECK(seen("crowd lobby 12 3 450") == "* lobby: 12 joined, 3 left, 450 here");
}

TEST_CASE("render: a gap says how many messages are missing and which") {
    CHECK(seen("gap lobby 4 40") == "* 37 messages were skipped in lobby (4 to 40)");
    CHECK(seen("gap lobby 4 4") == "* 1 message was skipped in lobby (4 to 4)");
}

TEST_CASE("render: answers are told, acknowledgements are not") {
    CHECK(seen("welcome 1 roomd/0.1.0 guest-3") == "* you are guest-3 on roomd/0.1.0");
    CHECK(seen("ok join ops e1 1 5 3") == "* you are in ops (3 here)");
    CHECK(seen("ok leave ops") == "* you left ops");
    CHECK(seen("ok nick ann") == "* you are now ann");
    CHECK(seen("ok topic ops new things") == "* topic of ops: new things");
    CHECK(seen("ok topic ops") == "* no topic in ops");
    CHECK(seen("who ops ann bob") == "* in ops: ann bob");
    CHECK(seen("ok who ops 3 cyd") == "* in ops (3): cyd");
    CHECK(seen("ok rooms 2 lobby:4 ops:1") == "* rooms (2): lobby:4 ops:1");
    CHECK(seen("ok history ops 3 9") == "* that was ops from message 3 to 9");
    CHECK(seen("ok history ops 1 0") == "* nothing to show of ops");
    CHECK(seen("ok ping token") == "* pong token");
    CHECK(seen("ok conns 1") == "* 1 connection");
    CHECK(seen("ok say ops 9") == "-");
    CHECK(seen("ok me ops 9") == "-");
    CHECK(seen("ok msg ann") == "-");
}

TEST_CASE("render: errors and goodbyes say why") {
    CHECK(seen("err join no_room no such room: ops") == "! no such room: ops");
    CHECK(seen("err join no_room") == "! no_room");
    CHECK(seen("bye quit see you") == "* bye: see you");
    CHECK(seen("bye shutting_down") == "! bye: shutting_down");
}

TEST_CASE("render: nothing that anybody says can drive the terminal or make a second line") {
    CHECK(seen("msg lobby 7 1 bob \x1b[2Jgone\nbob: fake") == "[lobby] bob: ^[[2Jgone^Jbob: fake");
    CHECK(seen("part lobby bob \xE2\x80\xAEright\xE2\x80\xAC") ==
          "* bob left lobby (\\u202eright\\u202c)");
    CHECK(seen("topic lobby bo\x07z x") == "* bo^Gz set the topic of lobby: x");
}

TEST_CASE("render: events of a later protocol are passed over") {
    CHECK(seen("sparkle lobby bob") == "-");
    CHECK(seen("ok sparkle") == "-");
    CHECK(seen("msg lobby") == "-");
    CHECK(seen("") == "-");
}

TEST_CASE("render: a pipe prints what is said, not who comes and goes") {
    for (const std::string_view said : {"msg r 1 1 a x", "act r 1 1 a x", "old r 1 1 a x",
                                        "oldact r 1 1 a x", "dm 1 a x", "gap r 1 2"}) {
        CHECK(is_said(parse_event(said)));
    }
    for (const std::string_view other : {"join r a", "ok say r 1", "err say slow x", "msg r"}) {
        CHECK_FALSE(is_said(parse_event(other)));
    }
}
