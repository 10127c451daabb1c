#include "reactor/stream.h"
#include "test/reactor/streams.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// How a stream ends.
namespace roomd {

namespace {

/// The peer reads to its end, and then closes.
bool hears_all(StreamWorld& world, Wire& line) {
    const bool ended = world.until([&] {
        line.peer.hear();
        return line.peer.ended || line.peer.reset || !line.peer.fd();
    });
    line.peer.close();
    return ended && world.until([&] { return line.stream.closed(); });
}

} // namespace

TEST_CASE("Stream: the goodbye arrives although unread input waits, 200 times of 200") {
    const std::string flood = counted_text(20'000);
    for (const Medium medium : media) {
        int arrived = 0;
        for (int round = 0; round < 200; ++round) {
            StreamWorld world;
            Wire line(world, medium);
            line.stream.pause_reading(); // its flood stays in the kernel
            line.peer.say(flood);
            world.ticks(1);
            line.stream.send("you talk too much\n");
            line.stream.close_after_flush();
            world.ticks(round % 3);
            line.peer.say(flood); // and it does not stop
            REQUIRE(hears_all(world, line));
            arrived += line.peer.heard == "you talk too much\n" && !line.peer.reset ? 1 : 0;
            CHECK(line.ear.inputs == 0);
            CHECK(line.ear.closed_as(StreamEnd::finished));
        }
        CHECK(arrived == 200);
    }
}

TEST_CASE("Stream: a peer that has gone already while it is told goodbye is no trouble") {
    for (const Medium medium : media) {
        for (const bool abruptly : {false, true}) {
            StreamWorld world;
            Wire line(world, medium);
            line.stream.send("bye");
            line.stream.close_after_flush();
            if (abruptly) {
                line.peer.vanish();
            } else {
                line.peer.close();
            }
            CHECK(world.until([&] { return line.stream.closed(); }));
            CHECK(line.ear.closed.size() == 1);
            CHECK(world.loop.watched() == 0);
            CHECK(world.would_sleep());
        }
    }
}

TEST_CASE("Stream: a peer that broke off has not finished, though a write was told so first") {
    StreamWorld world;
    Wire line(world, Medium::tcp);
    line.peer.say("half a li");
    line.peer.vanish();
    await(Fd(::dup(line.stream.fd())), 0); // for the reset
    line.stream.send("x");
    static_cast<void>(line.stream.flush());
    REQUIRE(line.stream.open());
    CHECK(world.until([&] { return line.ear.closed_as(StreamEnd::reset); }));
    CHECK(line.ear.ends_of_input == 0);
}

TEST_CASE("Stream: all that is queued goes out before the shut, however slow the reader") {
    const std::string text = counted_text(500'000);
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        set_socket_option(Fd(::dup(line.stream.fd())), SO_SNDBUF, 4096);
        line.stream.send(text);
        world.ticks(1);
        REQUIRE(line.stream.blocked());
        line.stream.close_after_flush();
        line.stream.close_after_flush();
        line.stream.send("too late");
        CHECK_FALSE(line.stream.open());
        CHECK_FALSE(line.stream.lingering());
        CHECK(hears_all(world, line));
        CHECK(line.peer.heard == text);
        CHECK(line.ear.closed_as(StreamEnd::finished));
    }
}

TEST_CASE("Stream: a peer that reads only when it has said all is not waited for in vain") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        set_socket_option(Fd(::dup(line.stream.fd())), SO_SNDBUF, 4096);
        set_socket_option(Fd(::dup(line.stream.fd())), SO_RCVBUF, 65536);
        set_socket_option(line.peer.fd(), SO_SNDBUF, 65536);
        const std::string speech = counted_text(1'000'000); // more than the kernel holds
        line.stream.pause_reading();
        std::size_t said = line.peer.say(speech);
        REQUIRE(said < speech.size());
        const std::string answer = counted_text(200'000);
        line.stream.send(answer);
        world.ticks(2);
        REQUIRE(line.stream.blocked());
        line.stream.close_after_flush();
        REQUIRE(world.until([&] {
            said += line.peer.say(std::string_view(speech).substr(said));
            return said == speech.size();
        }));
        CHECK(hears_all(world, line));
        CHECK(line.peer.heard == answer);
    }
}

TEST_CASE(
    "Stream: while it lingers it keeps no memory, reads on, and waits for its owner's patience") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        line.stream.send("bye");
        line.stream.close_after_flush();
        CHECK(world.until([&] { return line.stream.lingering(); }));
        const std::string flood = counted_text(100'000);
        std::size_t said = 0;
        CHECK(world.until([&] {
            said += line.peer.say(flood);
            CHECK(line.stream.input().capacity() == 0);
            line.stream.check();
            return said > 1'000'000; // more than the kernel would hold: it is thrown away
        }));
        CHECK(line.ear.inputs == 0);
        CHECK(line.ear.closed.empty());
        line.stream.close_now();
        CHECK(line.ear.closed_as(StreamEnd::aborted));
        CHECK(world.would_sleep());
    }
}

TEST_CASE("Stream: a peer that half-closed gets what is queued, and is closed without a wait") {
    for (const Medium medium : media) {
        StreamWorld world;
        Wire line(world, medium);
        line.ear.end_act = [](Stream& stream) {
            stream.send("your answers");
            stream.close_after_flush();
        };
        line.peer.say("questions");
        line.peer.finish();
        CHECK(world.until([&] { return line.stream.closed(); }));
        CHECK(line.ear.closed_as(StreamEnd::finished));
        CHECK(line.ear.heard == "questions");
        line.peer.hear();
        CHECK(line.peer.heard == "your answers");
        CHECK(line.peer.ended);
    }
}

TEST_CASE("Stream: close_now is once, at once, and takes everything with it") {
    StreamWorld world;
    Wire line(world, Medium::tcp);
    line.stream.pause_reading();
    line.peer.say("unread");
    world.ticks(1);
    line.stream.resume_reading();
    line.stream.requeue_input();
    line.stream.send("unsent");
    line.stream.close_now();
    CHECK(line.stream.fd() == -1);
    CHECK(world.loop.watched() == 0);
    CHECK(world.arena.chunks_alive() == 0);
    CHECK(world.host.write_calls == 0);
    // Whatever is asked of it now, nothing happens.
    line.stream.close_now();
    line.stream.close_after_flush();
    line.stream.send("x");
    line.stream.pause_reading();
    line.stream.resume_reading();
    line.stream.requeue_input();
    CHECK(line.stream.flush() == 0);
    CHECK(line.stream.drop_oldest(0).messages == 0);
    CHECK(world.would_sleep());
    line.stream.check();
    CHECK(line.ear.inputs == 0);
    CHECK(line.ear.closed_as(StreamEnd::aborted));
}

TEST_CASE("Stream: its owner may close it from any call") {
    const auto close = [](Stream& stream) { stream.close_now(); };
    for (int place = 0; place < 3; ++place) {
        CAPTURE(place);
        StreamWorld world;
        world.host.flush_bytes_per_tick_max = 10;
        Wire line(world, Medium::unix_socket);
        if (place == 0) {
            line.ear.input_act = close;
        } else if (place == 1) {
            line.ear.end_act = close;
        } else {
            line.ear.flushed_act = close;
        }
        line.stream.send(counted_text(100)); // more than one flush
        line.peer.say("words");
        line.peer.finish();
        CHECK(world.until([&] { return line.stream.closed(); }));
        CHECK(line.ear.closed_as(StreamEnd::aborted));
        CHECK(world.would_sleep());
        CHECK(world.flush_list.size() == 0);
    }
}

TEST_CASE("Stream: one stream may close another whose edge or bytes wait in the same tick") {
    StreamWorld world;
    Wire first(world, Medium::unix_socket);
    Wire second(world, Medium::unix_socket);
    const auto act = [](Wire& other) {
        return [&other](Stream& stream) {
            stream.input().consume(stream.input().size());
            other.stream.close_now();
        };
    };
    first.ear.input_act = act(second);
    second.ear.input_act = act(first);
    first.stream.send("unsent");
    second.stream.send("unsent");
    first.peer.say("x");
    second.peer.say("x");
    world.ticks(2);
    CHECK(first.stream.closed() != second.stream.closed()); // whoever came first
    CHECK(first.ear.inputs + second.ear.inputs == 1);
    CHECK(world.host.bytes_written == 6);
}

TEST_CASE("Stream: one that is destroyed while open leaves the loop and the flush list") {
    StreamWorld world;
    {
        Wire line(world, Medium::unix_socket);
        line.stream.send("unsent");
        line.peer.say("unread");
        CHECK(world.flush_list.size() == 1);
    }
    CHECK(world.loop.watched() == 0);
    world.ticks(2);
    CHECK(world.host.write_calls == 0);
    CHECK(world.arena.chunks_alive() == 0);
}

namespace {

/// One short life: what peer and owner do, and the ticks in between.
class Life {
public:
    static constexpr std::uint32_t acts = 11;

    explicit Life(Medium medium) : line_(world_, medium) {
        world_.host.read_bytes_per_tick_max = 1;
        world_.host.flush_bytes_per_tick_max = 8;
        line_.ear.input_act = [this](Stream& stream) {
            if (pausing_) {
                stream.pause_reading();
            }
            line_.ear.take_all(stream);
        };
    }

    void act(std::uint32_t which) {
        Stream& stream = line_.stream;
        switch (which) {
        case 0:
            world_.ticks(1);
            break;
        case 1:
            said_ += line_.peer.fd() ? line_.peer.say("question ") : 0;
            break;
        case 2:
            finish_peer();
            break;
        case 3:
            line_.peer.vanish();
            break;
        case 4:
            line_.peer.hear();
            break;
        case 5:
            stream.send("an answer of more bytes than a budget ");
            break;
        case 6:
            pausing_ = true;
            stream.pause_reading();
            break;
        case 7:
            pausing_ = false;
            stream.resume_reading();
            break;
        case 8:
            stream.close_after_flush();
            break;
        case 9:
            stream.close_now();
            break;
        default:
            stream.requeue_input();
            break;
        }
        stream.check();
    }

    /// However it began, it ends: once, with nothing left behind.
    bool ends() {
        line_.stream.close_after_flush();
        const bool closed = hears_all(world_, line_);
        world_.ticks(2);
        line_.stream.check();
        const bool tidy = world_.loop.watched() == 0 && world_.flush_list.size() == 0 &&
                          world_.arena.chunks_alive() == 0;
        const bool heard = line_.ear.heard.size() <= said_;
        return closed && tidy && heard && line_.ear.closed.size() == 1 &&
               line_.ear.ends_of_input <= 1;
    }

private:
    void finish_peer() {
        if (line_.peer.fd()) {
            line_.peer.finish();
        }
    }

    StreamWorld world_;
    Wire line_;
    std::size_t said_ = 0;
    bool pausing_ = false;
};

} // namespace

TEST_CASE("Stream: every life of some acts ends once and leaves nothing behind") {
    for (const Medium medium : media) {
        const std::uint32_t length = medium == Medium::tcp ? 3 : 4;
        std::uint32_t lives = 1;
        for (std::uint32_t index = 0; index < length; ++index) {
            lives *= Life::acts;
        }
        for (std::uint32_t number = 0; number < lives; ++number) {
            Life life(medium);
            for (std::uint32_t digits = number; digits > 0; digits /= Life::acts) {
                life.act(digits % Life::acts);
            }
            CAPTURE(number);
            REQUIRE(life.ends());
        }
    }
}

} // namespace roomd
