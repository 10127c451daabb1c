#include "reactor/stream.h"
#include "test/reactor/streams.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// How a stream goes on in another process.
namespace roomd {

namespace {

/// What one stream leaves to another, copied as if through a file.
struct Legacy {
    struct Window {
        ChunkRef chunk;
        std::uint32_t from;
        std::uint32_t to;
    };

    Legacy(Stream& stream, Arena& arena) : saved(stream.saved()), input(saved.input) {
        saved.input = input;
        stream.output().for_each([&](const ChunkRef& chunk, std::uint32_t from, std::uint32_t to) {
            windows.push_back({copy(*chunk, arena), from, to});
        });
        fd = stream.release();
    }

    static ChunkRef copy(Chunk& chunk, Arena& arena) {
        ChunkRef result = arena.make(chunk.kind(), chunk.size(), chunk.label());
        std::uint32_t begin = 0;
        for (const Mark& mark : chunk.marks()) {
            result->append(chunk.view(begin, mark.end));
            result->mark(mark.source, mark.number);
            begin = mark.end;
        }
        result->append(chunk.view(begin, chunk.size()));
        result->lost() = chunk.lost();
        return result;
    }

    StreamSaved saved;
    std::string input;
    std::vector<Window> windows;
    Fd fd;
};

/// The other process: a loop and an owner of its own.
struct Heir {
    explicit Heir(Stream& from) : legacy(from, world.arena) {}

    void begin() {
        stream = std::make_unique<Stream>(world.host, std::move(legacy.fd), ear);
        stream->continue_from(legacy.saved);
        for (Legacy::Window& window : legacy.windows) {
            stream->restore_output(std::move(window.chunk), window.from, window.to);
        }
        legacy.windows.clear();
        stream->check();
    }

    StreamWorld world;
    Legacy legacy;
    StreamEar ear;
    std::unique_ptr<Stream> stream;
};

/// Queues so much that the kernel will not take it all.
void block(StreamWorld& world, Wire& line, std::string_view text) {
    set_socket_option(Fd(::dup(line.stream.fd())), SO_SNDBUF, 4096);
    line.stream.send(text);
    REQUIRE(world.until([&] { return line.stream.blocked(); }));
}

void send_unit(Stream& stream, const ChunkRef& chunk, std::string_view text, std::uint64_t number) {
    const std::uint32_t from = chunk->size();
    chunk->append(text);
    chunk->mark(0, number);
    stream.send(chunk, from, chunk->size());
}

/// The peer hears the end of it, closes, and the heir is through.
bool ends_well(Heir& heir, Peer& peer) {
    const bool ended = heir.world.until([&] {
        peer.hear();
        return peer.ended || peer.reset;
    });
    peer.close();
    return ended && heir.world.until([&] { return heir.stream->closed(); });
}

} // namespace

TEST_CASE("Stream: what was read and not taken goes over, what came meanwhile is heard behind it") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        line.ear.input_act = [&](Stream& stream) {
            line.ear.heard += stream.input().readable().substr(0, 3);
            stream.input().consume(3);
            stream.pause_reading();
        };
        line.peer.say("abcdef");
        REQUIRE(world.until([&] { return line.ear.heard == "abc"; }));
        line.peer.say("ghi"); // its edge comes here, where nothing is read any more
        world.ticks(2);
        Heir heir(line.stream);
        line.peer.say("jkl"); // its edge comes nowhere
        heir.begin();
        CHECK(heir.ear.inputs == 0); // not from within
        CHECK(heir.world.until([&] { return heir.ear.heard.size() >= 9; }));
        line.peer.say("mno");
        CHECK(heir.world.until([&] { return heir.ear.heard.size() >= 12; }));
        CHECK(heir.ear.heard == "defghijklmno");
        CHECK(line.ear.heard == "abc");
        CHECK(heir.world.would_sleep());
    }
}

TEST_CASE("Stream: what was read is shown over there although nothing more comes, however long") {
    for (const std::size_t size : {std::size_t{1}, std::size_t{64}, std::size_t{200'000}}) {
        StreamWorld world;
        Wire line(world, Medium::unix_socket);
        line.ear.input_act = [](Stream&) {}; // takes nothing
        const std::string text = counted_text(size);
        std::size_t said = 0;
        REQUIRE(world.until([&] {
            said += line.peer.say(std::string_view(text).substr(said));
            return line.stream.input().size() == size;
        }));
        Heir heir(line.stream);
        heir.begin();
        heir.world.ticks(1);
        CHECK(heir.ear.heard == text);
        CHECK(heir.world.would_sleep());
        CHECK(heir.ear.inputs == 1);
        CHECK(heir.stream->input().capacity() == 0);
    }
}

TEST_CASE("Stream: what the kernel has not taken is sent by the other, nothing lost or repeated") {
    const std::string text = counted_text(500'000);
    for (const Medium medium : media) {
        for (const bool drained_meanwhile : {false, true}) {
            StreamWorld world;
            Wire line(world, medium);
            block(world, line, text);
            Heir heir(line.stream);
            if (drained_meanwhile) { // the edge of it comes nowhere
                line.peer.hear();
            }
            heir.begin();
            heir.stream->send("and more");
            CHECK(heir.world.until([&] {
                line.peer.hear();
                return heir.stream->output().empty() && line.peer.heard.size() == text.size() + 8;
            }));
            CHECK(line.peer.heard == text + "and more");
            CHECK(heir.world.would_sleep());
            CHECK(heir.ear.closed.empty());
        }
    }
}

TEST_CASE("Stream: how long the kernel has taken nothing goes on being counted") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        block(world, line, counted_text(500'000));
        REQUIRE(world.would_sleep()); // some milliseconds pass
        const Duration before = world.loop.now() - line.stream.blocked_since();
        REQUIRE(before > Duration::zero());
        Heir heir(line.stream);
        REQUIRE(heir.legacy.saved.blocked);
        CHECK(*heir.legacy.saved.blocked == before);
        heir.begin();
        heir.world.ticks(2);
        REQUIRE(heir.stream->blocked());
        CHECK(heir.world.loop.now() - heir.stream->blocked_since() >= before);
    }
}

TEST_CASE("Stream: units, half a unit and the word for lost ones come in their order") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    set_socket_option(Fd(::dup(line.stream.fd())), SO_SNDBUF, 4096);
    const ChunkRef chunk = world.arena.make(ChunkKind::shared, 1'000'000, LabelRef("lobby"));
    std::string all;
    for (std::uint64_t number = 1; number <= 9; ++number) {
        const std::string text = counted_text(100'000);
        send_unit(line.stream, chunk, text, number);
        all += text;
    }
    REQUIRE(world.until([&] { return line.stream.blocked(); }));
    const std::uint32_t waiting = line.stream.output().bytes();
    const auto dropped = static_cast<std::size_t>(line.stream.drop_oldest(waiting / 2).messages);
    REQUIRE(dropped > 1);
    line.stream.send("own");
    const std::size_t begun =
        (all.size() - waiting) / 100'000 + 1; // units of which a byte was sent
    Heir heir(line.stream);
    heir.begin();
    CHECK(heir.world.until([&] {
        line.peer.hear();
        return line.peer.heard.ends_with("own");
    }));
    CHECK(line.peer.heard == all.substr(0, begun * 100'000) + "<" + std::to_string(begun + 1) +
                                 "-" + std::to_string(begun + dropped) + " " +
                                 std::to_string(dropped) + ">" +
                                 all.substr((begun + dropped) * 100'000) + "own");
    CHECK(heir.ear.notices == 1);
    CHECK(line.ear.notices == 0);
}

TEST_CASE("Stream: a goodbye that is on its way gets there, and is lingered for") {
    const std::string text = counted_text(300'000);
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        block(world, line, text);
        line.stream.close_after_flush();
        Heir heir(line.stream);
        CHECK(heir.legacy.saved.phase == StreamPhase::draining);
        line.peer.say("nobody reads this");
        heir.begin();
        CHECK_FALSE(heir.stream->open());
        CHECK(ends_well(heir, line.peer));
        CHECK(line.peer.heard == text);
        CHECK_FALSE(line.peer.reset);
        CHECK(heir.ear.inputs == 0);
        CHECK(heir.ear.closed_as(StreamEnd::finished));
    }
}

TEST_CASE("Stream: one that drains with nothing left to send is shut over there") {
    StreamWorld world;
    Wire line(world, Medium::tcp);
    line.stream.close_after_flush(); // and no flush comes any more
    Heir heir(line.stream);
    heir.begin();
    CHECK(heir.world.until([&] { return heir.stream->lingering(); }));
    CHECK(ends_well(heir, line.peer));
    CHECK(heir.ear.closed_as(StreamEnd::finished));
}

TEST_CASE("Stream: one that lingers goes on lingering until the peer has closed") {
    for (const Medium medium : media) {
        for (const bool closed_meanwhile : {false, true}) {
            StreamWorld world;
            Wire line(world, medium);
            line.stream.send("bye");
            line.stream.close_after_flush();
            REQUIRE(world.until([&] { return line.stream.lingering(); }));
            Heir heir(line.stream);
            CHECK(heir.legacy.saved.phase == StreamPhase::lingering);
            line.peer.say("thrown away");
            line.peer.hear();
            if (closed_meanwhile) {
                line.peer.close();
            }
            heir.begin();
            CHECK(heir.stream->lingering());
            heir.world.ticks(2);
            CHECK(heir.stream->closed() == closed_meanwhile);
            if (!closed_meanwhile) {
                CHECK(heir.stream->lingering());
                CHECK(heir.world.would_sleep());
                line.peer.close();
            }
            CHECK(heir.world.until([&] { return heir.stream->closed(); }));
            CHECK(line.peer.heard == "bye");
            CHECK(heir.ear.inputs == 0);
            CHECK(heir.ear.flushes == 0);
            CHECK(heir.ear.closed_as(StreamEnd::finished));
        }
    }
}

TEST_CASE("Stream: an end of input is told by the one or the other, never by both") {
    for (const Medium medium : media) {
        for (const bool meanwhile : {false, true}) {
            StreamWorld world;
            Wire line(world, medium);
            line.ear.input_act = [](Stream&) {}; // takes nothing
            line.peer.say("last words");
            if (!meanwhile) {
                line.peer.finish();
                REQUIRE(world.until([&] { return line.ear.ends_of_input == 1; }));
            }
            REQUIRE(world.until([&] { return line.stream.input().size() == 10; }));
            Heir heir(line.stream);
            CHECK(heir.legacy.saved.input_ended == !meanwhile);
            if (meanwhile) {
                line.peer.finish();
            }
            heir.begin();
            CHECK(heir.world.until(
                [&] { return heir.stream->input_ended() && heir.ear.inputs > 0; }));
            CHECK(heir.ear.heard == "last words");
            CHECK(heir.ear.ends_of_input == (meanwhile ? 1 : 0));
            heir.stream->send("still heard");
            CHECK(heir.world.until([&] {
                line.peer.hear();
                return line.peer.heard == "still heard";
            }));
            CHECK(heir.world.would_sleep());
        }
    }
}

TEST_CASE("Stream: a peer that vanished meanwhile is found out") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        Heir heir(line.stream);
        line.peer.vanish();
        heir.begin();
        CHECK(heir.world.until([&] {
            return medium == Medium::tcp ? heir.ear.closed_as(StreamEnd::reset)
                                         : heir.ear.ends_of_input == 1;
        }));
    }
}

TEST_CASE("Stream: what broke over here is no end over there, for the kernel tells an error once") {
    StreamWorld world;
    Wire line(world, Medium::tcp);
    line.peer.say("half a li");
    line.peer.vanish();
    await(Fd(::dup(line.stream.fd())), 0); // for the reset
    line.stream.send("x");
    static_cast<void>(line.stream.flush());
    REQUIRE(line.stream.open());
    Heir heir(line.stream);
    CHECK(heir.legacy.saved.write_failed);
    heir.begin();
    CHECK(heir.world.until([&] { return heir.ear.closed_as(StreamEnd::reset); }));
    CHECK(heir.ear.ends_of_input == 0);
}

TEST_CASE("Stream: an owner that waits to hear that all was sent hears it over there") {
    StreamWorld world;
    Wire line(world, Medium::unix_socket);
    Heir heir(line.stream);
    heir.begin();
    CHECK(heir.world.until([&] { return heir.ear.flushes > 0; }));
    CHECK(heir.world.host.write_calls == 0);
}

TEST_CASE("Stream: who has released its descriptor never touches it again, whatever is asked") {
    StreamWorld world;
    auto line = std::make_unique<Wire>(world, Medium::unix_socket);
    Peer peer = std::move(line->peer);
    peer.say("unread");
    line->stream.send("queued ");
    line->stream.requeue_input();
    Heir heir(line->stream);
    CHECK(line->stream.closed());
    CHECK(line->stream.fd() == -1);
    CHECK(line->ear.closed.empty()); // nobody is told: it is not the end
    CHECK(world.loop.watched() == 0);
    CHECK(world.arena.chunks_alive() == 0);
    line->stream.check();
    heir.begin();
    line->stream.send("x");
    line->stream.requeue_input();
    line->stream.pause_reading();
    line->stream.resume_reading();
    line->stream.close_after_flush();
    line->stream.close_now();
    CHECK(line->stream.flush() == 0);
    CHECK(world.would_sleep());
    CHECK(line->ear.inputs == 0);
    CHECK(world.host.read_calls == 0);
    CHECK(world.host.write_calls == 0);
    line.reset();
    CHECK(heir.world.until([&] {
        peer.hear();
        return heir.ear.heard == "unread" && peer.heard == "queued ";
    }));
    CHECK(heir.world.loop.watched() == 1);
}

} // namespace roomd
