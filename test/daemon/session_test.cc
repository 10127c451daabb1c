#include "daemon/session.h"

#include "test/daemon/server_world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

namespace {

using std::chrono::milliseconds;

RoomSpec waiting(std::string name) {
    RoomSpec spec;
    spec.name = std::move(name);
    spec.slow = SlowPolicy::wait;
    return spec;
}

/// "part ROOM NICK REASON", as the rooms hear how somebody ended.
std::string part(std::string_view nick, CloseReason reason) {
    return "part lobby " + std::string(nick) + " " + std::string(word(reason));
}

} // namespace

// --- how a session ends ---

TEST_CASE("Session: end - after the last command has been answered, and not before") {
    ServerWorld world;
    world.start();
    Client watcher = world.program("watcher", "lobby");
    Client client = world.connect(Framing::line);
    REQUIRE(client.peer.say("/hello 1 nick=ann\n/join lobby\none\n/ping last") > 0);
    client.peer.finish();
    REQUIRE(world.until([&] { return client.ended(); }));
    CHECK(client.has("ok say lobby 1"));
    CHECK(client.has("ok ping last")); // a line needs no end at the end
    CHECK(client.heard().back() == "bye end");
    CHECK(world.until([&] { return watcher.has(part("ann", CloseReason::end)); }));
    CHECK(watcher.count("msg lobby 1 ") == 1);
    CHECK(world.until([&] { return world.server->session_count() == 1; }));
}

TEST_CASE(
    "Session: end - a last line without an end whose answer has to wait is answered in full") {
    ServerWorld world;
    world.config.limits.reply_bytes_max = 1024;
    world.start();
    Client mouth = world.program("mouth", "lobby");
    for (int count = 0; count < 500; ++count) {
        mouth.send("message " + std::to_string(count));
        if (count % 50 == 49) {
            world.settle(mouth);
        }
    }
    Client client = world.connect(Framing::line);
    SUBCASE("a replay of many portions") {
        REQUIRE(client.peer.say("/hello 1\n/join lobby\n/history lobby last=500") > 0);
        client.peer.finish();
        REQUIRE(world.until([&] { return client.ended(); }));
        CHECK(client.count("old lobby ") == 500);
        CHECK(client.has("ok history lobby 1 500"));
    }
    SUBCASE("a join with a replay") {
        REQUIRE(client.peer.say("/hello 1\n/join lobby last=500") > 0);
        client.peer.finish();
        REQUIRE(world.until([&] { return client.ended(); }));
        CHECK(client.count("old lobby ") == 500);
        CHECK(client.has("ok join lobby "));
    }
    SUBCASE("an answer above reply_bytes_max") {
        REQUIRE(client.peer.say("/help") > 0);
        client.peer.finish();
        REQUIRE(world.until([&] { return client.ended(); }));
        CHECK(client.count("* /") >= command_table().size() - 2);
        CHECK(world.hits(Limit::reply_bytes_max) > 0);
    }
    CHECK(world.until([&] { return world.server->session_count() == 1; }));
}

TEST_CASE("Session: quit - says goodbye, and the rooms hear why") {
    ServerWorld world;
    world.start();
    Client watcher = world.program("watcher", "lobby");
    Client ann = world.program("ann", "lobby");
    ann.send("/quit so long");
    ann.send("never said");
    REQUIRE(world.until([&] { return ann.ended(); }));
    CHECK(ann.heard().back() == "bye quit so long");
    CHECK(world.until([&] { return watcher.has(part("ann", CloseReason::quit)); }));
    world.settle(watcher);
    CHECK_FALSE(watcher.has("msg"));
    ann.peer.close();
    CHECK(world.until([&] { return world.server->session_count() == 1; }));
}

TEST_CASE("Session: reset - a connection that breaks leaves its rooms at once") {
    ServerWorld world;
    world.start();
    Client watcher = world.program("watcher", "lobby");
    Client ann = world.program("ann", "lobby");
    ann.peer.vanish();
    CHECK(world.until([&] { return watcher.has(part("ann", CloseReason::reset)); }));
    CHECK(world.server->session_count() == 1);
}

TEST_CASE("Session: bad_frame - says so, runs nothing behind it, and closes") {
    ServerWorld world;
    world.start();
    Client watcher = world.program("watcher", "lobby");
    Client client = world.program("ann", "lobby");
    REQUIRE(client.peer.say(std::string("\x01\x00\x00\x00", 4)) == 4);
    client.send("never said");
    REQUIRE(world.until([&] { return client.ended(); }));
    CHECK(client.heard().back().starts_with("bye bad_frame "));
    CHECK(world.until([&] { return watcher.has(part("ann", CloseReason::bad_frame)); }));
    CHECK_FALSE(watcher.has("msg"));
}

TEST_CASE("Session: http, tls, unknown_protocol - one clear answer, and nothing behind it is run") {
    struct Row {
        CloseReason reason;
        std::string_view bytes;
        std::string_view answer;
    };

    using namespace std::string_view_literals;
    const std::array rows{
        Row{CloseReason::http, "POST / HTTP/1.1\r\nHost: x\r\n\r\nsay this\n"sv, "HTTP/1.1 400 "},
        Row{CloseReason::tls, "\x16\x03\x01\x02\x00\x01say this\n"sv, "! tls: "},
        Row{CloseReason::unknown_protocol, "\xfe\xfb\x01say this\n"sv, "! unknown_protocol: "}};
    for (const Row& row : rows) {
        CAPTURE(word(row.reason));
        ServerWorld world;
        world.start();
        Client watcher = world.program("watcher", "lobby");
        Client client = world.connect(Framing::line);
        REQUIRE(client.peer.say(row.bytes) == row.bytes.size());
        REQUIRE(world.until([&] { return client.ended(); }));
        CHECK(client.peer.heard.starts_with(row.answer));
        world.settle(watcher);
        CHECK_FALSE(watcher.has("msg"));
        CHECK_FALSE(watcher.has("join"));
        client.peer.close();
        CHECK(world.until([&] { return world.server->session_count() == 1; }));
    }
}

TEST_CASE(
    "Session: http - on a line listener, where one is greeted, the answer is the last word too") {
    ServerWorld world;
    world.listen("tcp://127.0.0.1:0?framing=line&room=lobby");
    world.start();
    Client client = world.connect(Framing::line);
    REQUIRE(client.peer.say("GET / HTTP/1.0\r\n\r\n") > 0);
    REQUIRE(world.until([&] { return client.ended(); }));
    CHECK(client.peer.heard.ends_with("roomd does not speak HTTP here.\n"));
}

TEST_CASE("Session: full - there is an answer for whom there is no place") {
    ServerWorld world;
    world.config.limits.connections_max = 1;
    world.start();
    Client ann = world.program("ann", "lobby");
    Client bob = world.connect(Framing::line);
    REQUIRE(world.until([&] { return bob.ended(); }));
    CHECK(bob.heard().front().starts_with("! " + std::string(word(CloseReason::full))));
    CHECK(world.hits(Limit::connections_max) == 1);
    ann.send("/quit");
    REQUIRE(world.until([&] { return ann.ended(); }));
    ann.peer.close();
    REQUIRE(world.until([&] { return world.server->session_count() == 0; }));
    Client eve = world.program("eve", "lobby");
    CHECK(world.server->session_count() == 1);
}

TEST_CASE("Session: idle - what was begun has to end in time, whoever has sent it") {
    ServerWorld world;
    world.config.limits.partial_ms_max = 50;
    world.start();
    Client watcher = world.program("watcher", "lobby");
    Client ann = world.program("ann", "lobby");
    SUBCASE("half a frame") {
        REQUIRE(ann.peer.say(std::string("\0\0\0\x05hel", 7)) == 7);
    }
    SUBCASE("half a header") {
        REQUIRE(ann.peer.say(std::string("\0", 1)) == 1);
    }
    SUBCASE("half of what is skipped as too large") {
        REQUIRE(ann.peer.say(std::string("\0\x10\0\0hel", 7)) == 7);
        REQUIRE(world.until([&] { return ann.has("err say too_large"); }));
    }
    REQUIRE(world.until([&] { return ann.ended(); }));
    CHECK(ann.heard().back().starts_with("bye idle "));
    CHECK(world.until([&] { return watcher.has(part("ann", CloseReason::idle)); }));
    CHECK(world.hits(Limit::partial_ms_max) == 1);
    world.settle(watcher); // who owes nothing may be silent for ever
}

TEST_CASE("Session: idle - a stranger has to say something, and a keep-alive says nothing") {
    ServerWorld world;
    world.config.limits.first_payload_ms_max = 100;
    world.start();
    for (const bool speaks : {false, true}) {
        auto [server_end, client_end] = connected(Medium::unix_socket);
        ListenerSpec spec;
        spec.framing = Framing::frame;
        spec.limits = RateLimits::off;
        Session session(*world.server, world.server->host(), std::move(server_end), spec,
                        {true, {}});
        session.start({1000, 1});
        Client client(std::move(client_end), Framing::frame);
        client.send(speaks ? "hello" : "");
        const bool closed = world.until([&] { return client.ended(); },
                                        speaks ? milliseconds(300) : milliseconds(5000));
        CHECK(closed != speaks);
        CHECK(session.ending() != speaks);
        if (!speaks) {
            CHECK(session.reason() == CloseReason::idle);
            CHECK(client.heard().back().starts_with("! idle "));
        }
        session.abort(CloseReason::reset);
    }
}

TEST_CASE("Session: shutting_down - everybody is told, and what waited is sent before") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    world.start();
    Client ann = world.program("ann", "lobby");
    Client bob = world.program("bob", "lobby");
    for (int count = 0; count < 100; ++count) {
        bob.send(std::string(1000, 'x'));
        world.loop.tick(Duration::zero());
    }
    world.settle(bob);
    world.server->stop();
    REQUIRE(world.until([&] { return ann.ended() && bob.ended(); }));
    CHECK(ann.count("msg lobby ") == 100);
    CHECK(ann.heard().back().starts_with("bye shutting_down "));
    CHECK(bob.heard().back().starts_with("bye " + std::string(word(CloseReason::shutting_down))));
    CHECK_FALSE(world.loop.stopping()); // they have not closed yet
    ann.peer.close();
    bob.peer.close();
    CHECK(world.until([&] { return world.loop.stopping(); }));
    CHECK(world.server->session_count() == 0);
}

// --- who does not read ---

TEST_CASE("Session: slow - a plain reader above the hard limit is closed, and told") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    world.config.limits.queue_bytes_max = 64 * 1024;
    world.start();
    Client slow = world.connect(Framing::frame);
    slow.send("/join lobby");
    Client watcher = world.program("watcher", "lobby");
    for (int count = 0; count < 400 && !watcher.has("part"); ++count) {
        watcher.send(std::to_string(count) + " " + std::string(1000, 'x'));
        world.settle(watcher);
    }
    CHECK(world.until([&] { return watcher.has(part("guest-1", CloseReason::slow)); }));
    REQUIRE(world.until([&] { return slow.ended(); }));
    const Payloads& heard = slow.heard();
    CHECK(heard.back().starts_with("! slow "));
    for (std::size_t index = 0; index + 1 < heard.size(); ++index) {
        REQUIRE(heard[index].starts_with(std::to_string(index) + " ")); // whole, in order, no hole
    }
    CHECK(world.hits(Limit::queue_bytes_max) > 0);
}

TEST_CASE("Session: slow - an event reader loses the oldest and is told the exact ids") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    Limits& limits = world.config.limits;
    std::size_t bytes = 1000;
    SUBCASE("too many bytes") {
        limits.queue_bytes_max = 32 * 1024;
    }
    SUBCASE("too many pieces") {
        limits.queue_entries_max = 20;
        limits.queue_bytes_max = 64 << 20;
        bytes = 40'000; // each in a chunk of its own
    }
    SUBCASE("too long above the soft limit") {
        limits.queue_soft_bytes = 16 * 1024;
        limits.queue_soft_ms = 20;
    }
    world.start();
    Client slow = world.program("slow", "lobby");
    Client bob = world.program("bob", "lobby");
    for (int count = 1; count <= 600; ++count) {
        bob.send(std::to_string(count) + " " + std::string(bytes, 'x'));
        if (count % 100 == 0) {
            bob.send("/msg slow psst"); // a piece of its own between the others
        }
        world.settle(bob);
    }
    CHECK(world.until([&] { return world.server->counters().messages_dropped > 0; }));
    slow.send("/ping end");
    REQUIRE(world.until([&] { return slow.has("ok ping end"); }));
    std::uint64_t next = 1;
    for (const std::string& payload : slow.heard()) {
        const ParsedEvent event = parse_event(payload);
        if (event.verb == "msg" || event.verb == "gap") {
            REQUIRE(event.fields[1] == std::to_string(next));
            next = event.verb == "msg" ? next + 1 : std::stoull(std::string(event.fields[2])) + 1;
        }
    }
    CHECK(next == 601);
    CHECK(slow.has("gap lobby "));
}

TEST_CASE("Session: slow - who takes no byte for too long is closed, and its place is free") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    world.config.limits.stalled_ms_max = 50;
    world.config.limits.linger_ms_max = 50;
    world.start();
    Client stalled = world.program("stalled", "lobby");
    Client watcher = world.program("watcher", "lobby");
    for (int count = 0; count < 400; ++count) {
        watcher.send(std::string(1000, 'x'));
        world.settle(watcher);
    }
    CHECK(world.until([&] { return watcher.has(part("stalled", CloseReason::slow)); }));
    CHECK(world.hits(Limit::stalled_ms_max) == 1);
    CHECK(world.until([&] { return world.server->session_count() == 1; })); // it never read a byte
    CHECK(world.server->bytes_pinned() < 128 * 1024);
}

TEST_CASE("Session: who has said all it wanted may read the rest slowly, if it reads") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    world.config.limits.linger_ms_max = 300;
    world.config.limits.queue_bytes_max = 4 << 20;
    world.start();
    Client slow = world.program("slow", "lobby");
    Client mouth = world.program("mouth", "lobby");
    constexpr std::size_t count = 150;
    for (std::size_t number = 0; number < count; ++number) {
        mouth.send(std::string(10'000, 'x'));
        world.settle(mouth);
    }
    // However long that took, and it read nothing: from here on it reads, and pauses count.
    slow.peer.hear();
    world.settle(mouth);
    std::string error;
    world.config.limits.stalled_ms_max = 300;
    REQUIRE_MESSAGE(world.server->reload(world.config, error), error);
    slow.peer.finish();
    const TimePoint before = sys::monotonic_now();
    REQUIRE(world.until([&] { // no pause is too long, but all of them together are
        const TimePoint step = sys::monotonic_now() + std::chrono::milliseconds(80);
        static_cast<void>(
            world.until([&] { return sys::monotonic_now() > step; }, std::chrono::seconds(1)));
        slow.peer.hear(); // what the kernel holds; it asks for more only when most of it is gone
        return slow.peer.ended || slow.peer.reset;
    }));
    CHECK(sys::monotonic_now() - before > std::chrono::milliseconds(350));
    CHECK(slow.count("msg lobby ") == count);
    CHECK(slow.has("bye end"));
}

TEST_CASE("Session: what somebody who has gone has asked costs nobody its answers") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    world.config.limits.work_per_tick_max = 2'000; // one /stats
    world.config.limits.reply_bytes_max = 64 << 20;
    world.start();
    Client ann = world.program("ann", "lobby");
    Client ben = world.program("ben", "lobby");
    constexpr int count = 400;
    std::string questions;
    for (int number = 0; number < count; ++number) {
        encode_payload(questions, Framing::frame, "/stats");
    }
    encode_payload(questions, Framing::frame, "last words");
    REQUIRE(ann.peer.say(questions) == questions.size());
    const std::uint64_t before = world.loop.ticks();
    ann.peer.vanish();
    REQUIRE(world.until([&] { return ben.has("part lobby ann "); }));
    CHECK(ben.has("msg lobby 1 ")); // what it said before is heard
    CHECK(world.loop.ticks() - before < count / 4);
}

TEST_CASE("Session: who asks and does not read is not answered further, until it reads") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    world.config.limits.reply_bytes_max = 4096;
    world.start();
    Client ann = world.program("ann", "lobby");
    const std::uint64_t before = world.server->counters().payloads;
    std::size_t sent = 0;
    std::string question;
    encode_payload(question, Framing::frame, "/stats");
    while (ann.peer.say(question) == question.size()) { // until the kernel takes no more
        ++sent;
        world.loop.tick(Duration::zero());
    }
    CHECK(world.hits(Limit::reply_bytes_max) > 0);
    CHECK(world.server->counters().payloads - before < sent);
    CHECK(world.server->bytes_pinned() < 64 * 1024);
    REQUIRE(world.until([&] { return ann.count("ok stats") >= sent; }));
}

// --- when commands wait ---

TEST_CASE("Session: what waits for a reader is said as soon as there is room, once, and in order") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    world.config.rooms = {waiting("pipe")};
    world.config.limits.queue_soft_bytes = 16 * 1024;
    world.config.limits.queue_bytes_max = 64 * 1024;
    world.start();
    Client slow = world.program("slow", "pipe");
    Client ann = world.program("ann", "pipe");
    std::size_t said = 0;
    const auto speak = [&] { // until it has to wait
        std::string message;
        encode_payload(message, Framing::frame,
                       std::to_string(said + 1) + " " + std::string(500, 'x'));
        const bool taken = ann.peer.say(message) == message.size();
        said += taken ? 1 : 0;
        world.loop.tick(Duration::zero());
        return !taken;
    };
    while (!speak()) {
        REQUIRE(said < 5000);
    }
    CHECK(ann.count("ok say") < said);
    CHECK(world.server->bytes_pinned() <
          128 * 1024); // it waits for the reader, not for its answers
    CHECK(world.server->counters().messages_dropped == 0);
    // The last one sends no more; what it has sent is said all the same.
    SUBCASE("and it waits for its answers") {
        REQUIRE(world.until(
            [&] { return slow.count("msg pipe ") == said && ann.count("ok say") == said; }));
    }
    SUBCASE("and it has closed its side") {
        ann.peer.finish();
        REQUIRE(world.until([&] { return slow.count("msg pipe ") == said && ann.ended(); }));
        CHECK(ann.count("ok say") == said);
        CHECK(ann.heard().back() == "bye end");
    }
    std::uint64_t next = 0;
    for (const std::string& payload : slow.heard()) {
        const ParsedEvent event = parse_event(payload);
        if (event.verb == "msg") {
            REQUIRE(event.fields[1] == std::to_string(++next));
            REQUIRE(event.text.starts_with(std::to_string(next) + " "));
        }
    }
    CHECK_FALSE(slow.has("gap"));
}

TEST_CASE("Session: a single message that had to wait is not forgotten") {
    ServerWorld world;
    world.config.rooms = {waiting("pipe")};
    world.start();
    Client reader = world.program("reader", "pipe");
    Client ann = world.connect(Framing::line);
    REQUIRE(ann.peer.say("/join pipe\n") > 0);
    REQUIRE(world.until([&] { return ann.has("* you are in pipe"); }));
    Hub& hub = world.server->hub();
    const Key blocked = [&] {
        Key key;
        for (std::uint32_t slot = 0; slot < 2; ++slot) {
            const Member* const member = hub.member({slot, 1});
            key = member != nullptr && member->nick.text() == "reader" ? Key{slot, 1} : key;
        }
        return key;
    }();
    REQUIRE(blocked);
    hub.set_blocked(blocked, true);
    bool ends = false;
    SUBCASE("with nothing behind it") {
        REQUIRE(ann.peer.say("waited\n") > 0);
    }
    SUBCASE("as the last line, without an end") {
        REQUIRE(ann.peer.say("waited") > 0);
        ann.peer.finish();
        ends = true;
    }
    CHECK_FALSE(world.until([&] { return reader.has("msg "); }, milliseconds(30)));
    hub.set_blocked(blocked, false);
    CHECK(world.until([&] { return reader.has("msg pipe 1 "); }));
    CHECK(world.until([&] { return ann.ended() == ends; }));
    world.settle(reader);
    CHECK(reader.count("msg") == 1);
}

// --- flush ---

TEST_CASE(
    "Session: with flush a line that has waited so long is a line; its late end is no second one") {
    ServerWorld world;
    world.listen("tcp://127.0.0.1:0?framing=line&room=lobby&flush=30");
    world.start();
    Client watcher = world.connect(Framing::line);
    Client ann = world.connect(Framing::line);
    const TimePoint before = sys::monotonic_now();
    REQUIRE(ann.peer.say("hello") == 5);
    REQUIRE(world.until([&] { return watcher.has("[lobby] guest-"); }));
    CHECK(sys::monotonic_now() - before >= milliseconds(30));
    CHECK(watcher.heard().back().ends_with(": hello"));
    REQUIRE(ann.peer.say("\nwhole line\n") > 0);
    REQUIRE(world.until([&] { return watcher.count("[lobby] guest-") == 2; }));
    CHECK(watcher.heard().back().ends_with(": whole line"));
    CHECK_FALSE(watcher.has("! "));
}

TEST_CASE(
    "Session: with flush half a line that has to wait keeps its place, however long the rush") {
    ServerWorld world;
    world.listen("tcp://127.0.0.1:0?framing=line&room=lobby&flush=30");
    world.config.limits.said_bytes_per_tick_max = 1; // whoever speaks first in a tick is the last
    world.config.limits.read_bytes_per_tick_max = 4096;
    world.start();
    Client watcher = world.connect(Framing::line);
    Client flooder = world.connect(Framing::line);
    Client ann = world.connect(Framing::line);
    const auto halves = [&] {
        return std::ranges::count_if(
            watcher.heard(), [](const std::string& line) { return line.ends_with(": half"); });
    };
    std::string unsent;
    const auto flood = [&] {
        while (unsent.size() < 65'536) { // more than is said
            unsent += std::string(999, 'x') + "\n";
        }
        unsent.erase(0, flooder.peer.say(unsent));
        ann.peer.hear();
    };
    REQUIRE(world.until([&] {
        flood();
        return watcher.count("[lobby] ") > 10;
    }));
    REQUIRE(ann.peer.say("half") == 4);
    CHECK(world.until([&] {
        flood();
        return halves() == 1;
    }));
    const std::size_t before = watcher.count("[lobby] ");
    REQUIRE(ann.peer.say("\n") == 1);
    CHECK(world.until([&] { // and it is said once; the rush has gone on meanwhile
        flood();
        return watcher.count("[lobby] ") > before + 10;
    }));
    CHECK(halves() == 1);
    CHECK(world.hits(Limit::said_bytes_per_tick_max) > 0);
}

} // namespace roomd
