#include "reactor/stream.h"
#include "test/reactor/streams.h"
#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// How a stream writes.
namespace roomd {

namespace {

/// Queues so much that the kernel will not take it all.
void block(StreamWorld& world, Wire& line, std::string_view text) {
    set_socket_option(Fd(::dup(line.stream.fd())), SO_SNDBUF, 4096);
    line.stream.send(text);
    REQUIRE(world.until([&] { return line.stream.blocked(); }));
}

/// The peer takes everything in, as it comes.
bool drained(StreamWorld& world, Wire& line) {
    return world.until([&] {
        line.peer.hear();
        return line.stream.output().empty() && line.peer.heard.size() == world.host.bytes_written;
    });
}

/// Appends `text` as the next unit and sends it.
void send_unit(Stream& stream, const ChunkRef& chunk, std::string_view text, std::uint64_t number) {
    const std::uint32_t from = chunk->size();
    chunk->append(text);
    chunk->mark(0, number);
    stream.send(chunk, from, chunk->size());
}

} // namespace

TEST_CASE("Stream: what is sent in one tick goes out in one call, at the tick's end") {
    StreamWorld world;
    Wire line(world, Medium::tcp);
    line.ear.input_act = [&](Stream& stream) {
        line.ear.take_all(stream);
        stream.send("one ");
        stream.send("two ");
        stream.send("three");
        CHECK(world.host.write_calls == 0);
    };
    line.peer.say("go");
    CHECK(world.until([&] { return world.host.write_calls > 0; }));
    line.peer.hear();
    CHECK(line.peer.heard == "one two three");
    CHECK(world.host.write_calls == 1);
    CHECK(world.host.bytes_written == 13);
    CHECK(line.ear.flushes == 1);
}

TEST_CASE("Stream: own bytes and windows of shared chunks leave in the order they were sent") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    const ChunkRef chunk = world.arena.make(ChunkKind::shared, 256);
    line.stream.send("a");
    send_unit(line.stream, chunk, "b", 1);
    line.stream.send("c");
    send_unit(line.stream, chunk, "d", 2);
    line.stream.send("");
    line.stream.send(chunk, 1, 1);
    world.ticks(1);
    line.peer.hear();
    CHECK(line.peer.heard == "abcd");
    CHECK(world.host.write_calls == 1);
    CHECK(chunk->references() == 1);
}

TEST_CASE("Stream: the kernel takes little, the writable edge comes, the rest is sent") {
    const std::string text = counted_text(1'000'000);
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        block(world, line, text);
        CHECK(world.would_sleep()); // no attempt before the edge
        const std::uint64_t calls = world.host.write_calls;
        line.stream.send("tail");
        CHECK(world.flush_list.size() == 0); // nor a place in the walk
        world.ticks(3);
        CHECK(world.host.write_calls == calls);
        CHECK(drained(world, line));
        CHECK(line.peer.heard == text + "tail");
        CHECK_FALSE(line.stream.blocked());
        line.stream.check();
        CHECK(world.would_sleep());
    }
}

TEST_CASE("Stream: blocked_since tells when the kernel last took something") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    block(world, line, counted_text(500'000));
    const TimePoint first = line.stream.blocked_since();
    CHECK(first <= world.loop.now());
    line.stream.send("more of it changes nothing");
    world.ticks(3);
    CHECK(line.stream.blocked_since() == first);
    line.stream.on_ready(Ready::writable); // a spurious edge: allowed, and no progress
    world.ticks(1);
    CHECK(line.stream.blocked_since() == first);
    const std::uint64_t before = world.host.bytes_written;
    line.peer.hear();
    CHECK(world.until([&] { return world.host.bytes_written > before; }));
    CHECK(line.stream.blocked());
    CHECK(line.stream.blocked_since() > first);
}

TEST_CASE("Stream: what the peer takes is seen before the kernel says that it has room") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        block(world, line, counted_text(8'000'000));
        // TCP blocks early, too: at what was not sent yet, which the peer's kernel then takes.
        REQUIRE(world.until([&] {
            return line.stream.blocked() &&
                   line.stream.bytes_taken() != line.stream.bytes_written();
        }));
        CHECK(line.stream.bytes_written() == world.host.bytes_written);
        const std::uint32_t before = line.stream.bytes_taken();
        // No tick of the loop in between: the stream is told of nothing.
        const TimePoint deadline = sys::monotonic_now() + std::chrono::seconds(5);
        while (line.stream.bytes_taken() == before && sys::monotonic_now() < deadline) {
            line.peer.hear(4'096);
        }
        CHECK(line.stream.bytes_taken() != before);
        const TimePoint since = line.stream.blocked_since();
        world.loop.tick(Duration::zero());
        line.stream.note_progress();
        CHECK(line.stream.blocked_since() > since);
    }
}

TEST_CASE("Stream: a stream whose budget ran out is not blocked, and goes on without sleep") {
    StreamWorld world;
    world.host.flush_bytes_per_tick_max = 100;
    Wire line(world, Medium::unix_socket);
    block(world, line, counted_text(100'000));
    const std::uint64_t written = world.host.bytes_written;
    line.peer.hear();
    CHECK(world.until([&] { return world.host.bytes_written > written; }));
    CHECK(world.host.bytes_written == written + 100);
    CHECK_FALSE(line.stream.blocked()); // the kernel would take more
    CHECK(world.flush_list.size() == 1);
    const TimePoint before = sys::monotonic_now();
    world.loop.tick(std::chrono::seconds(2)); // the hook was busy: no sleep
    CHECK(sys::monotonic_now() - before < std::chrono::seconds(1));
    CHECK(world.host.bytes_written == written + 200);
    CHECK(drained(world, line));
    CHECK(line.peer.heard == counted_text(100'000));
}

TEST_CASE("Stream: one with much to write does not keep another from its turn") {
    StreamWorld world;
    world.host.flush_bytes_per_tick_max = 1000;
    Wire large(world, Medium::unix_socket);
    Wire small(world, Medium::unix_socket);
    large.stream.send(counted_text(50'000));
    for (std::size_t tick = 1; tick <= 20; ++tick) {
        small.stream.send("x");
        world.ticks(1);
        small.peer.hear();
        CHECK(small.peer.heard.size() == tick);
    }
    CHECK(world.host.bytes_written == 20 * 1001);
}

TEST_CASE("Stream: an owner that answers a flush with more is not left with unsent bytes") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    Wire other(world, Medium::unix_socket);
    line.ear.flushed_act = [&](Stream& stream) {
        if (line.ear.flushes < 4) {
            stream.send("more ");
            other.stream.send("news ");
        }
    };
    line.stream.send("first ");
    world.ticks(1);
    for (int tick = 0; tick < 3; ++tick) { // each would wait long if it could
        const TimePoint before = sys::monotonic_now();
        world.loop.tick(std::chrono::seconds(2));
        CHECK(sys::monotonic_now() - before < std::chrono::seconds(1));
    }
    line.peer.hear();
    other.peer.hear();
    CHECK(line.peer.heard == "first more more more ");
    CHECK(other.peer.heard == "news news news ");
}

TEST_CASE(
    "Stream: a reader who fell behind gets whole units, a notice in place of the lost, the rest") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    const ChunkRef chunk = world.arena.make(ChunkKind::shared, 65'000, LabelRef("lobby"));
    set_socket_option(Fd(::dup(line.stream.fd())), SO_SNDBUF, 4096);
    for (std::uint64_t number = 1; number <= 640; ++number) {
        send_unit(line.stream, chunk, std::to_string(number) + std::string(97, '.') + "\n", number);
    }
    world.ticks(1);
    REQUIRE(line.stream.blocked());
    const std::uint64_t dropped = line.stream.drop_oldest(1000).messages;
    CHECK(dropped > 500);
    CHECK(line.stream.output().bytes() < 1200); // with the unit that is half sent
    line.stream.check();
    CHECK(line.ear.notices == 0); // not before its place is reached
    line.stream.send("end");
    CHECK(drained(world, line));
    CHECK(line.ear.notices == 1);

    const std::size_t notice = line.peer.heard.find('<');
    REQUIRE(notice != std::string::npos);
    CHECK(line.peer.heard[notice - 1] == '\n'); // after a whole unit
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    const char* const end = line.peer.heard.data() + line.peer.heard.size();
    const char* const dash = std::from_chars(&line.peer.heard[notice + 1], end, first).ptr;
    const char* const space = std::from_chars(dash + 1, end, last).ptr;
    CHECK(last - first + 1 == dropped);
    CHECK(std::count(line.peer.heard.begin(), line.peer.heard.end(), '\n') ==
          static_cast<std::ptrdiff_t>(640 - dropped));
    const std::string words = std::to_string(dropped) + ">" + std::to_string(last + 1) + ".";
    CHECK(std::string_view(space + 1, words.size()) == words);
    CHECK(line.peer.heard.ends_with(".\nend"));
}

TEST_CASE("Stream: when writing fails, all that the peer had said is still heard") {
    for (const std::size_t bytes : {10U, 150'000U}) { // within one tick's budget, and beyond it
        StreamWorld world;
        Wire line(world, Medium::unix_socket);
        set_socket_option(line.peer.fd(), SO_SNDBUF, 1 << 20);
        std::string text = counted_text(bytes);
        text.resize(line.peer.say(text));
        line.peer.close();
        line.ear.input_act = [&](Stream& stream) {
            line.ear.take_all(stream);
            stream.send("an answer");
        };
        line.stream.send("too late");
        CHECK(world.until([&] { return !line.ear.closed.empty(); }));
        CHECK(line.ear.heard == text);
        CHECK(line.ear.ends_of_input <= 1);
        CHECK(line.ear.closed_as(StreamEnd::reset));
        CHECK(world.arena.chunks_alive() == 0);
        CHECK(world.would_sleep());
    }
}

TEST_CASE("Stream: when writing fails, an owner that works in portions still gets all of them") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    line.ear.input_act = [&](Stream& stream) {
        line.ear.heard += stream.input().readable().substr(0, 1);
        stream.input().consume(1);
        stream.send("x");
        if (stream.input().size() > 0) {
            stream.requeue_input();
        }
    };
    line.peer.say("abcdefgh");
    line.peer.close();
    CHECK(world.until([&] { return !line.ear.closed.empty(); }));
    CHECK(line.ear.heard == "abcdefgh");
    CHECK(line.ear.closed_as(StreamEnd::reset));
}

TEST_CASE("Stream: a member who left at the broadcast's worst moment harms nobody else") {
    StreamWorld world;
    std::vector<std::unique_ptr<Wire>> lines;
    for (int index = 0; index < 64; ++index) {
        lines.push_back(std::make_unique<Wire>(world, Medium::unix_socket));
        lines.back()->ear.closed_act = [&](Stream&) {
            for (const auto& line : lines) { // the others are told, while the list is walked
                line->stream.send("left ");
            }
        };
    }
    const ChunkRef chunk = world.arena.make(ChunkKind::shared, 256);
    chunk->append("news ");
    chunk->mark(0, 1);
    for (std::size_t index = 0; index < lines.size(); ++index) {
        lines[index]->stream.send(chunk, 0, 5);
        if (index % 3 == 0) {
            lines[index]->peer.close();
        }
    }
    CHECK(world.until([&] { return world.host.bytes_written >= std::size_t{42} * (5 + 22 * 5); }));
    for (std::size_t index = 0; index < lines.size(); ++index) {
        Wire& line = *lines[index];
        CHECK(line.ear.closed.size() == (index % 3 == 0 ? 1 : 0));
        line.peer.hear();
        CHECK(line.peer.heard.size() == (index % 3 == 0 ? 0 : 5 + 22 * 5));
    }
    CHECK(world.loop.watched() == 42);
}

TEST_CASE("Stream: random sends, drops and readers: units whole and in order, each loss told") {
    sim::Random random(12);
    for (int round = 0; round < 12; ++round) {
        StreamWorld world;
        world.host.flush_bytes_per_tick_max =
            static_cast<std::uint32_t>(random.skewed(10, 100'000));
        Wire line(world, media.at(random.below(2)));
        set_socket_option(Fd(::dup(line.stream.fd())), SO_SNDBUF, 4096);
        const LabelRef label("lobby");
        ChunkRef chunk;
        std::uint64_t number = 0;
        for (int step = 0; step < 600; ++step) {
            for (std::uint64_t burst = random.below(20); burst > 0; --burst) {
                if (!chunk || chunk->room() < 100) {
                    chunk = world.arena.make(ChunkKind::shared, 8192, label);
                }
                ++number;
                send_unit(line.stream, chunk,
                          "<" + std::to_string(number) + "-" + std::to_string(number) + " 0" +
                              std::string(random.below(60), '.') + ">",
                          number);
            }
            if (random.one_in(20)) {
                line.stream.drop_oldest(static_cast<std::uint32_t>(random.below(5000)));
            }
            line.peer.hear(random.skewed(1, 4000));
            world.ticks(1);
            line.stream.check();
        }
        CHECK(drained(world, line));
        // Units and notices look alike: FIRST-LAST. Together they leave no number out.
        std::uint64_t expected = 1;
        for (std::size_t at = 0; at < line.peer.heard.size();) {
            const char* const end = line.peer.heard.data() + line.peer.heard.size();
            std::uint64_t first = 0;
            std::uint64_t last = 0;
            const char* const dash = std::from_chars(&line.peer.heard[at + 1], end, first).ptr;
            std::from_chars(dash + 1, end, last);
            REQUIRE(line.peer.heard[at] == '<');
            REQUIRE(first == expected);
            expected = last + 1;
            at = line.peer.heard.find('>', at) + 1;
            REQUIRE(at > 0);
        }
        CHECK(expected == number + 1);
    }
}

} // namespace roomd
