#include "reactor/stream.h"

#include "test/reactor/streams.h"
#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>

// How a stream reads. stream_write_test.cc and stream_close_test.cc hold the rest.
namespace roomd {

TEST_CASE("Stream: bytes arrive the same however they were cut, at every pair of places") {
    constexpr std::string_view text = "hello, world";
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        for (std::size_t first = 0; first <= text.size(); ++first) {
            for (std::size_t second = first; second <= text.size(); ++second) {
                line.ear.heard.clear();
                line.peer.say(text.substr(0, first));
                world.ticks(1);
                line.peer.say(text.substr(first, second - first));
                world.ticks(1);
                line.peer.say(text.substr(second));
                REQUIRE(world.until([&] { return line.ear.heard.size() >= text.size(); }));
                CHECK(line.ear.heard == text);
            }
        }
        CHECK(world.would_sleep());
    }
}

TEST_CASE("Stream: what the owner leaves stays, and what comes later stands behind it") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    std::vector<std::string> lines;
    line.ear.input_act = [&](Stream& stream) {
        const std::string_view bytes = stream.input().readable();
        if (const std::size_t end = bytes.find('\n'); end != std::string_view::npos) {
            lines.emplace_back(bytes.substr(0, end));
            stream.input().consume(end + 1);
        }
    };
    for (const char* piece : {"he", "llo\nwor", "ld", "\n", "rest"}) {
        line.peer.say(piece);
        world.ticks(1);
        line.stream.check();
    }
    CHECK(lines == std::vector<std::string>{"hello", "world"});
    CHECK(line.stream.input().readable() == "rest");
    CHECK(line.stream.input().capacity() <= 64);
    line.stream.input().consume(4);
    line.peer.say("\n");
    world.ticks(1);
    CHECK(line.stream.input().capacity() == 0); // an idle peer owns nothing
}

TEST_CASE("Stream: a spent budget goes on in the next tick, without an edge and without sleep") {
    for (const Medium medium : media) {
        StreamWorld world;
        world.host.read_bytes_per_tick_max = 1000;
        Wire line(world, medium);
        set_socket_option(line.peer.fd(), SO_SNDBUF, 1 << 20);
        std::string text = counted_text(150'000);
        text.resize(line.peer.say(text));
        REQUIRE(text.size() > 70'000); // more than one read of a block
        world.ticks(1);
        CHECK(line.ear.heard.size() <= BlockPool::block_bytes);
        CHECK(world.until([&] { return line.ear.heard.size() == text.size(); }));
        CHECK(line.ear.heard == text);
        CHECK(world.would_sleep());
    }
}

TEST_CASE("Stream: one who floods does not keep another from being heard in the same tick") {
    StreamWorld world;
    world.host.read_bytes_per_tick_max = 1000;
    Wire flooder(world, Medium::unix_socket);
    Wire quiet(world, Medium::unix_socket);
    const std::string flood = counted_text(150'000);
    for (int round = 1; round <= 50; ++round) {
        flooder.peer.say(flood);
        quiet.peer.say(".");
        world.ticks(1);
        CHECK(quiet.ear.heard.size() == static_cast<std::size_t>(round));
        CHECK(flooder.ear.heard.size() <=
              2 * static_cast<std::size_t>(round) * BlockPool::block_bytes);
    }
}

TEST_CASE("Stream: who sends little is read in a tick that others have used up") {
    StreamWorld world;
    Wire flood(world, Medium::unix_socket);
    Wire person(world, Medium::unix_socket);
    const auto tick = [&](std::int64_t for_all, std::int64_t for_first_reads) {
        world.host.read_cost_left = for_all;
        world.host.first_read_cost_left = for_first_reads;
        world.ticks(1);
    };
    tick(0, 1 << 20);
    flood.peer.say(std::string(40'000, 'x'));
    person.peer.say("hello");
    tick(0, 1 << 20);
    CHECK(flood.ear.heard.size() == StreamHost::first_read_bytes);
    CHECK(person.ear.heard == "hello");
    for (int count = 0; count < 3; ++count) { // the flood has had its first read, and has more
        person.peer.say("!");
        flood.peer.say("x");
        tick(0, 1 << 20);
    }
    CHECK(flood.ear.heard.size() == StreamHost::first_read_bytes);
    CHECK(person.ear.heard == "hello!!!");
    person.peer.say("?");
    tick(0, 0);
    CHECK(person.ear.heard == "hello!!!");
    CHECK_FALSE(world.would_sleep());
    tick(1 << 20, 0);
    CHECK(flood.ear.heard.size() == 40'003);
    CHECK(person.ear.heard == "hello!!!?");
    flood.peer.say("y"); // it has caught up: what it says next is its first again
    tick(0, 1 << 20);
    CHECK(flood.ear.heard.back() == 'y');
}

TEST_CASE("Stream: those who never stop sending are read by turns where a tick has time for few") {
    StreamWorld world;
    std::array<std::unique_ptr<Wire>, 4> floods;
    for (std::unique_ptr<Wire>& flood : floods) {
        flood = std::make_unique<Wire>(world, Medium::unix_socket);
    }
    world.host.read_bytes_per_tick_max = 4'096;
    for (int count = 0; count < 40; ++count) {
        for (const std::unique_ptr<Wire>& flood : floods) {
            static_cast<void>(flood->peer.say(std::string(65'536, 'x'))); // what the kernel takes
        }
        world.host.read_cost_left = 1; // one of them
        world.ticks(1);
    }
    std::size_t least = SIZE_MAX;
    std::size_t most = 0;
    for (const std::unique_ptr<Wire>& flood : floods) {
        least = std::min(least, flood->ear.heard.size());
        most = std::max(most, flood->ear.heard.size());
    }
    CHECK(least > 0);
    CHECK(most <= 2 * least);
}

TEST_CASE("Stream: nothing is read while paused, and all of it after, without a new edge") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        line.stream.pause_reading();
        line.peer.say("one ");
        world.ticks(2);
        line.peer.say("two ");
        world.ticks(2);
        CHECK(line.ear.inputs == 0);
        CHECK(world.would_sleep());
        line.stream.resume_reading();
        CHECK(line.ear.inputs == 0); // in the next tick, not from within resume_reading()
        CHECK(world.until([&] { return line.ear.heard == "one two "; }));
        CHECK(world.would_sleep());
    }
}

TEST_CASE("Stream: an owner that pauses in the middle is shown the rest when it resumes") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    line.ear.input_act = [&](Stream& stream) {
        line.ear.heard += stream.input().readable().substr(0, 3);
        stream.input().consume(3);
        stream.pause_reading();
    };
    line.peer.say("abcdef");
    world.ticks(3);
    CHECK(line.ear.heard == "abc");
    line.stream.resume_reading();
    line.stream.resume_reading();
    world.ticks(3);
    CHECK(line.ear.heard == "abcdef");
    CHECK(line.ear.inputs == 2);
    line.stream.resume_reading(); // no bytes wait: nothing to show
    world.ticks(3);
    CHECK(line.ear.inputs == 2);
}

TEST_CASE("Stream: pausing and resuming within one tick loses nothing") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    line.ear.input_act = [&](Stream& stream) {
        line.ear.take_all(stream);
        stream.pause_reading();
        stream.resume_reading();
    };
    for (int round = 0; round < 20; ++round) {
        line.peer.say("abc");
        world.ticks(1);
    }
    CHECK(world.until([&] { return line.ear.heard.size() == 60; }));
    CHECK(world.would_sleep());
}

TEST_CASE("Stream: the end of input is told after the bytes before it, also across a pause") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        line.stream.pause_reading();
        line.peer.say("last words");
        line.peer.finish();
        world.ticks(3);
        CHECK(line.ear.ends_of_input == 0);
        line.ear.end_act = [&](Stream& stream) {
            CHECK(line.ear.heard == "last words");
            CHECK(stream.input_ended());
            CHECK(stream.open());
        };
        line.stream.resume_reading();
        CHECK(world.until([&] { return line.ear.ends_of_input > 0; }));
        line.stream.requeue_input(); // the end is told once
        world.ticks(3);
        CHECK(line.ear.ends_of_input == 1);
        CHECK(line.ear.closed.empty());
        line.stream.send("still heard"); // half-closed: the peer goes on reading
        CHECK(world.until([&] {
            line.peer.hear();
            return line.peer.heard == "still heard";
        }));
        CHECK(world.would_sleep());
    }
}

TEST_CASE("Stream: an owner with a budget of its own is shown the rest tick by tick") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    line.ear.input_act = [&](Stream& stream) {
        line.ear.heard += stream.input().readable().substr(0, 1);
        stream.input().consume(1);
        if (stream.input().size() > 0) {
            stream.requeue_input();
        }
    };
    line.peer.say("abcde");
    line.peer.finish();
    for (std::size_t tick = 1; tick <= 5; ++tick) {
        CHECK(line.ear.ends_of_input == 0);
        world.ticks(1);
        CHECK(line.ear.heard == std::string_view("abcde").substr(0, tick));
    }
    CHECK(line.ear.ends_of_input == 1);
    CHECK(world.would_sleep());
}

TEST_CASE("Stream: a message larger than a block is held until it is whole") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    const std::string text = counted_text(700'000);
    std::size_t said = 0;
    line.ear.input_act = [&](Stream& stream) {
        if (stream.input().size() == text.size()) {
            line.ear.take_all(stream);
        }
    };
    CHECK(world.until([&] {
        said += line.peer.say(std::string_view(text).substr(said));
        return !line.ear.heard.empty();
    }));
    CHECK(line.ear.heard == text);
    CHECK(line.stream.input().capacity() == 0);
}

TEST_CASE("Stream: a reset is told once, after the bytes that came before it") {
    StreamWorld world;
    Wire line(world, Medium::tcp);
    line.peer.say("last words");
    line.peer.vanish();
    CHECK(world.until([&] { return !line.ear.closed.empty(); }));
    CHECK(line.ear.heard == "last words");
    CHECK(line.ear.closed_as(StreamEnd::reset));
    CHECK(world.loop.watched() == 0);
    world.ticks(3);
    CHECK(line.ear.closed.size() == 1);
}

TEST_CASE("Stream: an idle peer costs no system call") {
    StreamWorld world;
    Wire idle(world, Medium::tcp);
    Wire busy(world, Medium::tcp);
    world.ticks(2);
    const std::uint64_t before = world.host.read_calls;
    busy.peer.say("x");
    CHECK(world.until([&] { return busy.ear.heard == "x"; }));
    CHECK(world.host.read_calls - before == 2); // the bytes, and would_block
    CHECK(world.host.bytes_read == 1);
    CHECK(world.host.write_calls == 0);
}

TEST_CASE("Stream: with random cuts, pauses and budgets every byte arrives, once and in order") {
    sim::Random random(11);
    for (int world_number = 0; world_number < 20; ++world_number) {
        StreamWorld world;
        world.host.read_bytes_per_tick_max = static_cast<std::uint32_t>(random.skewed(1, 65'536));
        Wire line(world, media.at(random.below(2)));
        line.ear.input_act = [&](Stream& stream) {
            const std::size_t some = random.below(stream.input().size() + 1);
            line.ear.heard += stream.input().readable().substr(0, some);
            stream.input().consume(some);
            if (random.one_in(4)) {
                stream.pause_reading();
            } else if (stream.input().size() > 0) {
                stream.requeue_input();
            }
        };
        const std::string text = counted_text(random.skewed(1, 300'000));
        std::size_t said = 0;
        CHECK(world.until([&] {
            said += line.peer.say(std::string_view(text).substr(said, random.skewed(1, 50'000)));
            line.stream.check();
            if (line.stream.reading_paused() && random.one_in(2)) {
                line.stream.resume_reading();
            }
            return line.ear.heard.size() >= text.size();
        }));
        CHECK(line.ear.heard == text);
    }
}

} // namespace roomd
