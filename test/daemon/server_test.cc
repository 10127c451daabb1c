#include "daemon/server.h"

#include "test/daemon/server_world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string framed(std::string_view payload) {
    std::string bytes;
    encode_payload(bytes, Framing::frame, payload);
    return bytes;
}

ListenerSpec listener(std::string_view uri) {
    ListenerSpec spec;
    std::string error;
    REQUIRE_MESSAGE(parse_listener(uri, spec, error), error);
    return spec;
}

} // namespace

// --- time ---

TEST_CASE("Server: a message bears the time at which it was said, however long all was quiet") {
    ServerWorld world;
    world.start();
    Client ann = world.program("ann", "lobby");
    Client bob = world.program("bob", "lobby");
    const WallTime quiet = sys::wall_now();
    while (sys::wall_now() < quiet + 30) { // nothing happens, not even a tick
    }
    const WallTime before = sys::wall_now();
    ann.send("hello");
    REQUIRE(world.until([&] { return bob.has("msg lobby 1 "); }));
    const std::string message = bob.heard().back();
    const WallTime said = std::stoull(std::string(parse_event(message).fields[2]));
    CHECK(said >= before);
    CHECK(said <= sys::wall_now());
}

TEST_CASE("Server: a flush time above a second is kept, neither cut nor stretched") {
    ServerWorld world;
    world.listen("tcp://127.0.0.1:0?framing=line&room=lobby&flush=1100");
    world.start();
    Client ann = world.connect(Framing::line);
    Client bob = world.connect(Framing::line);
    std::size_t said = 0;
    const auto time_a_word = [&] {
        const TimePoint before = sys::monotonic_now();
        REQUIRE(ann.peer.say("hello") == 5);
        ++said;
        REQUIRE(world.until([&] { return bob.count("[lobby] ") == said; }));
        return sys::monotonic_now() - before;
    };
    Duration waited = time_a_word();
    CHECK(waited >= milliseconds(1100));
    // A machine under load may hold up one word, but not each.
    for (int again = 0; again < 4 && waited >= milliseconds(1900); ++again) {
        waited = time_a_word();
    }
    CHECK(waited < milliseconds(1900));
}

TEST_CASE("Server: half a line does not overtake a message that has to wait") {
    ServerWorld world;
    world.listen("tcp://127.0.0.1:0?framing=line&room=lobby&flush=10");
    RoomSpec pipe;
    pipe.name = "pipe";
    pipe.slow = SlowPolicy::wait;
    world.config.rooms = {pipe};
    world.start();
    Client reader = world.connect(Framing::line); // the first member: slot 0, generation 1
    reader.send("/join pipe");
    REQUIRE(world.until([&] { return reader.has("* you are in pipe"); }));
    Client ann = world.connect(Framing::line);
    ann.send("/join pipe");
    REQUIRE(world.until([&] { return ann.has("* you are in pipe"); }));
    const Key blocked{0, 1};
    REQUIRE(world.server->hub().member(blocked) != nullptr);
    world.server->hub().set_blocked(blocked, true);
    REQUIRE(ann.peer.say("first\nsecond") > 0);
    CHECK_FALSE(world.until([&] { return reader.has("[pipe] "); }, milliseconds(60)));
    world.server->hub().set_blocked(blocked, false);
    REQUIRE(world.until([&] { return reader.count("[pipe] ") == 2; }));
    const Payloads& heard = reader.heard();
    CHECK(heard[heard.size() - 2].ends_with(": first"));
    CHECK(heard.back().ends_with(": second"));
}

// --- fairness and memory ---

TEST_CASE("Server: when more is said than a tick takes, everybody gets a turn") {
    ServerWorld world;
    world.config.limits.said_bytes_per_tick_max = 4096;
    world.config.limits.read_bytes_per_tick_max = 4096;
    world.start();
    constexpr int flooders = 12;
    std::vector<Client> clients;
    for (int number = 0; number < flooders; ++number) {
        clients.push_back(world.connect(Framing::frame));
        clients.back().send("/hello 1 ack=off nick=f" + std::to_string(number));
        clients.back().send("/join lobby");
        REQUIRE(world.until([&] { return clients.back().has("ok join"); }));
    }
    const std::string message = framed(std::string(1000, 'x'));
    const std::string many = [&] {
        std::string bytes;
        for (int count = 0; count < 20; ++count) {
            bytes += message;
        }
        return bytes;
    }();
    std::vector<std::string> unsent(flooders);
    for (int tick = 0; tick < 200; ++tick) {
        for (std::size_t number = 0; number < clients.size(); ++number) {
            unsent[number] += unsent[number].size() < many.size() ? many : "";
            unsent[number].erase(0, clients[number].peer.say(unsent[number]));
        }
        world.loop.tick(Duration::zero());
        for (Client& client : clients) {
            client.peer.hear();
        }
    }
    std::array<std::size_t, flooders> said{};
    for (const std::string& payload : clients[0].heard()) {
        const ParsedEvent event = parse_event(payload);
        if (event.verb == "msg") {
            ++said.at(std::stoul(std::string(event.fields[3].substr(1))));
        }
    }
    const auto others = std::span(said).subspan(1); // its own it does not hear
    const std::size_t least = *std::ranges::min_element(others);
    const std::size_t most = *std::ranges::max_element(others);
    CAPTURE(most);
    CHECK(least > 10);
    CHECK(least * 3 > most);
}

TEST_CASE(
    "Server: while talk is sent on to many, whoever asks something aside is answered at once") {
    ServerWorld world;
    world.config.limits.said_bytes_per_tick_max = 4096;
    world.config.limits.flushed_bytes_per_tick_max = 16 * 1024; // two calls a tick
    world.start();
    std::vector<Client> crowd;
    crowd.reserve(30);
    for (int number = 0; number < 30; ++number) {
        crowd.push_back(world.program("m" + std::to_string(number), "lobby"));
    }
    Client flooder = world.connect(Framing::frame);
    flooder.send("/join lobby");
    world.settle(flooder);
    constexpr std::uint64_t count = 60;
    for (std::uint64_t number = 0; number < count; ++number) {
        flooder.send(std::string(1000, 'x'));
    }
    REQUIRE(world.until([&] { return world.server->counters().messages_said > 0; }));
    const std::uint64_t ticks = world.loop.ticks();
    crowd.back().send("/ping now"); // one who hears the flood too
    REQUIRE(world.until([&] { return crowd.back().has("ok ping now"); }));
    CHECK(world.loop.ticks() - ticks <
          30); // a message takes as many: two calls a tick, sixty peers
    CHECK(world.server->counters().messages_said < count);
    CHECK(world.hits(Limit::flushed_bytes_per_tick_max) > 0);
    for (Client& member : crowd) {
        REQUIRE(world.until([&] { return member.count("msg lobby ") == count; }));
    }
}

TEST_CASE("Server: those who wait to speak are not asked again before anybody may speak") {
    ServerWorld world;
    world.config.limits.said_bytes_per_tick_max = 1;
    world.config.limits.flushed_bytes_per_tick_max = 1; // one hearer a tick
    world.start();
    std::vector<Client> crowd;
    constexpr std::size_t people = 20;
    crowd.reserve(people);
    for (std::size_t number = 0; number < people; ++number) {
        crowd.push_back(world.program("m" + std::to_string(number), "lobby"));
    }
    world.settle(crowd.back());
    const std::uint64_t hits = world.hits(Limit::said_bytes_per_tick_max);
    const std::uint64_t ticks = world.loop.ticks();
    for (Client& client : crowd) {
        client.send("hello");
    }
    for (Client& client : crowd) { // what it says itself it does not hear
        REQUIRE(world.until([&] { return client.count("msg lobby ") == people - 1; }));
    }
    // A message takes as many ticks as it has hearers; each who waits is asked once a message.
    CHECK(world.loop.ticks() - ticks > people * people / 2);
    CHECK(world.hits(Limit::said_bytes_per_tick_max) - hits <= people * people);
}

TEST_CASE("Server: answers without end do not mute those who speak") {
    ServerWorld world;
    world.config.limits.said_bytes_per_tick_max = 1024;
    world.config.limits.flushed_bytes_per_tick_max = 1024; // one answer and one hearer a tick
    world.start();
    Client hearer = world.program("hearer", "lobby");
    Client speaker = world.program("speaker", "lobby");
    std::vector<Client> curious;
    curious.reserve(4);
    for (int number = 0; number < 4; ++number) {
        curious.push_back(world.program("c" + std::to_string(number), "elsewhere"));
    }
    constexpr std::size_t count = 10;
    for (std::size_t number = 0; number < count; ++number) {
        speaker.send(std::string(1000, 'x'));
    }
    CHECK(world.until([&] {
        for (Client& client : curious) { // more than is answered in a tick, so some always wait
            client.send("/ping now");
        }
        return hearer.count("msg lobby ") == count;
    }));
    CHECK(world.hits(Limit::said_bytes_per_tick_max) > 0);
}

TEST_CASE("Server: all queues together have a bound; the largest loses first, and talk goes on") {
    for (const Framing framing : {Framing::frame, Framing::line}) {
        CAPTURE(framing == Framing::line);
        ServerWorld world;
        world.listen_unix("room=lobby");
        Limits& limits = world.config.limits;
        limits.pinned_bytes_max = 1 << 20;
        limits.queue_bytes_max = 64 << 20;
        limits.queue_soft_bytes = 64 << 20;
        limits.queue_entries_max = 1'000'000;
        world.start();
        Client live = world.program("live", "lobby");
        Client slow = world.connect(framing); // a plain program, or a person
        slow.send("/join lobby");
        Client mouth = world.program("mouth", "lobby");
        REQUIRE(world.until([&] { return live.has("join lobby mouth"); }));
        constexpr std::size_t count = 400;
        for (std::size_t number = 1; number <= count; ++number) {
            mouth.send(std::string(10'000, 'x'));
            world.settle(mouth);
            REQUIRE(world.server->bytes_pinned() <= (1 << 20) + 300'000);
            static_cast<void>(live.heard());
        }
        REQUIRE(world.until([&] { return live.count("msg lobby ") == count; }));
        CHECK_FALSE(live.has("gap"));
        CHECK(world.hits(Limit::pinned_bytes_max) > 0);
        if (framing == Framing::frame) {
            CHECK(world.until([&] { return live.has("part lobby guest-2 slow"); }));
        } else {
            slow.send("/ping end");
            REQUIRE(world.until([&] { return slow.has("* pong end"); }));
            std::size_t skipped = 0;
            for (const std::string& line : slow.heard()) {
                skipped += line.ends_with(" skipped in lobby") ? std::stoul(line.substr(2)) : 0;
            }
            CHECK(skipped > 0);
            CHECK(skipped + slow.count("[lobby] mouth: ") == count);
        }
    }
}

TEST_CASE("Server: who is waited for loses the connection rather than a message") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    RoomSpec pipe;
    pipe.name = "pipe";
    pipe.slow = SlowPolicy::wait;
    world.config.rooms = {pipe};
    Limits& limits = world.config.limits;
    limits.pinned_bytes_max = 1 << 20; // reached before any queue is long
    limits.queue_bytes_max = 64 << 20;
    limits.queue_soft_bytes = 64 << 20;
    limits.queue_entries_max = 1'000'000;
    world.start();
    Client slow = world.program("slow", "pipe");
    Client mouth = world.program("mouth", "pipe");
    std::size_t said = 0;
    for (; said < 400 && !mouth.has("part pipe slow slow"); ++said) {
        mouth.send(std::string(10'000, 'x'));
        world.settle(mouth);
    }
    REQUIRE(said < 400);
    REQUIRE(world.until([&] { return slow.ended(); }));
    const Payloads& heard = slow.heard();
    CHECK(slow.count("gap") == 1); // what it lost with the connection, and then
    CHECK(heard[heard.size() - 2].starts_with("gap pipe "));
    CHECK(heard.back().starts_with("bye slow"));
    CHECK(world.hits(Limit::pinned_bytes_max) > 0);
    CHECK(world.server->counters().messages_dropped == 0);
}

TEST_CASE(
    "Server: rooms that fell silent over a slow reader do not hold up the rest of the world") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    Limits& limits = world.config.limits;
    limits.pinned_bytes_max = 1 << 20;
    limits.queue_bytes_max = 64 << 20;
    limits.queue_soft_bytes = 64 << 20;
    world.start();
    Client slow = world.program("slow", "lobby");
    Client mouth = world.program("mouth", "lobby");
    for (int number = 0; number < 40; ++number) {
        const std::string room = "r" + std::to_string(number);
        slow.send("/join " + room);
        REQUIRE(world.until([&] {
            return world.server->hub().room_count() > static_cast<std::size_t>(number) + 1;
        }));
        mouth.send("/join " + room);
        mouth.send(std::string(60'000, 'x')); // and never again
        world.settle(mouth);
    }
    mouth.send("/join lobby");
    world.settle(mouth);
    mouth.send("still there");
    REQUIRE(world.until([&] { return slow.has("msg lobby 1 "); }));
    CHECK(world.until([&] { return world.server->bytes_pinned() < 4096; }));
}

TEST_CASE("Server: a refused peer that does not stop talking holds nobody up") {
    ServerWorld world;
    world.config.limits.connections_max = 1;
    world.start();
    Client ann = world.program("ann", "lobby");
    std::vector<Fd> loud;
    for (int number = 0; number < 5; ++number) {
        loud.push_back(sys::connect_begin(world.address()));
        const std::string noise(4'000'000, 'x');
        static_cast<void>(::send(loud.back().get(), noise.data(), noise.size(), MSG_NOSIGNAL));
    }
    REQUIRE(world.until([&] { return world.server->counters().refused == 5; }));
    world.settle(ann);
}

// --- limits per source ---

TEST_CASE("Server: connections of one source are counted in and out again, on any kind of socket") {
    for (const bool local : {false, true}) {
        CAPTURE(local);
        ServerWorld world;
        if (local) {
            world.listen_unix("room=lobby&limits=on");
        } else {
            world.listen("tcp://127.0.0.1:0?room=lobby&limits=on");
        }
        world.config.limits.source_connections_max = 2;
        world.config.limits.source_connects_per_minute_max = 10;
        world.start();
        for (int time = 0; time < 3; ++time) {
            std::vector<Client> clients;
            clients.push_back(world.connect(Framing::line));
            clients.push_back(world.connect(Framing::line));
            clients.push_back(world.connect(Framing::line));
            REQUIRE(world.until([&] { return clients[2].ended(); }));
            CHECK(clients[2].has("! full"));
            clients[0].peer.close();
            clients[1].peer.close();
            REQUIRE(world.until([&] { return world.server->session_count() == 0; }));
        }
        CHECK(world.hits(Limit::source_connections_max) == 3);
        for (int time = 0; time < 4; ++time) { // six so far
            Client client = world.connect(Framing::line);
            client.peer.close();
            REQUIRE(world.until([&] { return world.server->session_count() == 0; }));
        }
        Client client = world.connect(Framing::line);
        REQUIRE(world.until([&] { return client.ended(); }));
        CHECK(client.has("! rate_limited"));
        CHECK(world.hits(Limit::source_connects_per_minute_max) == 1);
    }
}

TEST_CASE("Server: rates hold where limits are on, and nowhere else") {
    for (const std::string_view limits : {"on", "off", "by_address"}) {
        CAPTURE(limits);
        ServerWorld world;
        const std::string option = limits == "by_address" ? "" : "&limits=" + std::string(limits);
        world.listen("tcp://127.0.0.1:0?room=lobby" + option);
        world.start();
        Client ann = world.program("ann", "lobby");
        for (int count = 0; count < 40; ++count) { // what comes behind 20 refusals is held
            ann.send("hello");
        }
        REQUIRE(world.until(
            [&] { return ann.count("ok say") + ann.count("err say rate_limited") == 40; }));
        CHECK(ann.has("err say rate_limited") == (limits == "on"));
        CHECK(ann.count("ok say") >= 20);
        CHECK((world.hits(Limit::messages_per_second_max) > 0) == (limits == "on"));
    }
}

// --- stopping and reloading ---

TEST_CASE(
    "Server: stopping closes the listeners, and does not wait for ever for who does not read") {
    ServerWorld world;
    world.listen_unix("room=lobby");
    world.config.limits.drain_ms_max = 50;
    world.start();
    Client slow = world.program("slow", "lobby");
    Client mouth = world.program("mouth", "lobby");
    for (int count = 0; count < 400; ++count) {
        mouth.send(std::string(1000, 'x'));
        world.settle(mouth);
    }
    const SocketAddress address = unix_address(world.server->bound().at(0).address);
    world.server->stop();
    CHECK_THROWS_AS(static_cast<void>(sys::connect_begin(address)), std::system_error);
    SUBCASE("the deadline ends it") {
        REQUIRE(world.until([&] { return world.loop.stopping(); }));
        CHECK(world.server->session_count() > 0);
    }
    SUBCASE("a second stop ends it at once") {
        CHECK_FALSE(world.loop.stopping());
        world.server->stop();
        CHECK(world.loop.stopping());
    }
    world.server.reset(); // with sessions still open
    REQUIRE_FALSE(world.until([&] { return false; }, Duration::zero()));
}

TEST_CASE("Server: with nobody there it stops at once") {
    ServerWorld world;
    world.start();
    world.server->stop();
    CHECK(world.until([&] { return world.loop.stopping(); }, seconds(1)));
}

TEST_CASE("Server: a reload keeps who is there, closes what is not listed, and opens what is new") {
    ServerWorld world;
    world.listen("tcp://127.0.0.1:0?room=lobby");
    world.start();
    Client ann = world.program("ann", "lobby");
    Config config = world.config;
    std::string error;
    SUBCASE("other words for the same place") {
        config.listeners[0].room = "hall";
        config.limits.wire.frame_bytes_max = 100;
        REQUIRE(world.server->reload(config, error));
        ann.send(std::string(101, 'x'));
        REQUIRE(world.until([&] { return ann.has("err say too_large"); }));
        Client bob = world.connect(Framing::frame);
        bob.send("/ping x");
        REQUIRE(world.until([&] { return bob.has("ping x"); }));
        CHECK(world.server->hub().room_count() == 2);
    }
    SUBCASE("another place") {
        config.listeners = {listener("tcp://127.0.0.1:0?room=lobby&framing=frame")};
        config.listeners[0].endpoint.host = "127.0.0.2";
        REQUIRE(world.server->reload(config, error));
        CHECK(world.server->bound().size() == 1);
        CHECK(world.server->bound()[0].address.starts_with("127.0.0.2:"));
        world.settle(ann);
    }
    SUBCASE("nowhere that can be had") {
        config.listeners.push_back(listener("unix:/nonexistent/directory/socket"));
        config.limits.wire.frame_bytes_max = 100;
        CHECK_FALSE(world.server->reload(config, error));
        CHECK(error.starts_with("cannot listen on unix:"));
        CHECK(world.server->bound().size() == 1);
        ann.send(std::string(101, 'x')); // nothing has changed
        REQUIRE(world.until([&] { return ann.has("ok say"); }));
    }
    SUBCASE("not while it stops") {
        world.server->stop();
        CHECK_FALSE(world.server->reload(config, error));
        CHECK(!error.empty());
    }
    ann.peer.close();
    CHECK(world.until(
        [&] { return world.server->session_count() == 0 || world.server->session_count() == 1; }));
}

// --- other ears ---

TEST_CASE("Server: a datagram is said by a guest named after its address, and never answered") {
    ServerWorld world;
    world.listen("tcp://127.0.0.1:0?room=lobby");
    world.listen("udp://127.0.0.1:0?room=lobby");
    world.start();
    Client ann = world.program("ann", "lobby");
    const SocketAddress to = world.address(1);
    const Fd fd = sys::bind_datagram(sys::resolve("127.0.0.1", 0, true).at(0));
    const auto throw_one = [&](std::string_view payload) {
        sockaddr raw{};
        static_assert(sizeof raw <= sizeof to.storage);
        std::memcpy(&raw, &to.storage, sizeof raw);
        REQUIRE(::sendto(fd.get(), payload.data(), payload.size(), 0, &raw, sizeof raw) ==
                static_cast<ssize_t>(payload.size()));
    };
    throw_one("hello\n");
    throw_one("/quit");
    throw_one("\xff\xfe");
    throw_one("");
    throw_one("//slash");
    REQUIRE(world.until([&] { return world.server->counters().datagrams == 5; }));
    REQUIRE(world.until([&] { return ann.count("msg lobby ") == 2; }));
    const Payloads& heard = ann.heard();
    const std::string name = to_string(sys::local_address(fd.get()));
    CHECK(heard[heard.size() - 2].ends_with(" " + name + " hello"));
    CHECK(heard.back().ends_with(" " + name + " /slash"));
    CHECK(world.server->counters().datagrams_dropped == 3);
    std::array<char, 16> answer{};
    CHECK(::recv(fd.get(), answer.data(), answer.size(), MSG_DONTWAIT) < 0);
}

TEST_CASE(
    "Server: on a debug listener one sees every payload as it was framed; elsewhere nobody does") {
    ServerWorld world;
    world.listen("tcp://127.0.0.1:0?room=lobby");
    world.listen("tcp://127.0.0.1:0?framing=line&room=lobby&debug=on");
    world.start();
    Client ann = world.program("ann", "lobby");
    Client eye = world.connect(Framing::line, 1);
    eye.send("/trace on");
    REQUIRE(world.until([&] { return eye.has("* trace is on"); }));
    ann.send("hi");
    REQUIRE(world.until([&] {
        return std::any_of(eye.heard().begin(), eye.heard().end(), [](const std::string& line) {
            return line.find("frame [00 00 00 02] 2 bytes \"hi\"") != std::string::npos;
        });
    }));
    eye.send("/conns");
    REQUIRE(world.until([&] { return eye.has("* 2 connections"); }));
    eye.send("/trace off");
    REQUIRE(world.until([&] { return eye.has("* trace is off"); }));
    ann.send("/trace on");
    ann.send("/conns");
    REQUIRE(world.until([&] { return ann.has("err conns no_permission"); }));
    CHECK(ann.has("err trace no_permission"));
    eye.send("/trace on");
    eye.send("/quit"); // a tracer that goes takes its trace with it
    REQUIRE(world.until([&] { return eye.ended(); }));
    CHECK_FALSE(world.server->tracer().on());
    world.settle(ann);
}

TEST_CASE("Server: an echo listener gives back every byte, however slowly it is taken") {
    ServerWorld world;
    world.listen_unix("framing=echo");
    world.config.limits.reply_bytes_max = 4096;
    world.start();
    Client client = world.connect(Framing::line);
    const std::string all = counted_text(1'000'000);
    std::size_t sent = 0;
    REQUIRE(world.until([&] {
        sent += client.peer.say(std::string_view(all).substr(sent));
        if (sent == all.size()) {
            client.peer.finish();
        }
        client.peer.hear(3000);
        REQUIRE(world.server->bytes_pinned() < 300'000);
        return client.peer.ended;
    }));
    CHECK(client.peer.heard == all);
}

} // namespace roomd
