#include "reactor/flush_list.h"

#include "test/reactor/streams.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <deque>
#include <string>

namespace roomd {

namespace {

constexpr std::uint64_t one_call = FlushList::call_cost + 1; // and a byte

/// Some wires in one world, and a message that all of them are to send.
struct Crowd {
    explicit Crowd(std::size_t count) {
        for (std::size_t index = 0; index < count; ++index) {
            wires.emplace_back(world, Medium::unix_socket);
        }
        message = world.arena.make(ChunkKind::shared, 16);
        message->append("m");
        message->mark(0, 1);
    }

    void say_to_all() {
        for (Wire& wire : wires) {
            wire.stream.send(message, 0, 1);
        }
    }

    /// What each peer has heard: "mm", "m", "" ...
    [[nodiscard]] std::vector<std::string> heard() {
        std::vector<std::string> all;
        for (Wire& wire : wires) {
            wire.peer.hear();
            all.push_back(wire.peer.heard);
        }
        return all;
    }

    StreamWorld world;
    std::deque<Wire> wires;
    ChunkRef message;
};

using Heard = std::vector<std::string>;

} // namespace

TEST_CASE("FlushList: a walk ends with its budget; who was left out goes first in the next") {
    Crowd crowd(5);
    crowd.world.flush_cost_max = 2 * one_call;
    crowd.say_to_all();
    CHECK(crowd.world.flush_list.size() == 5);
    crowd.world.ticks(1);
    CHECK(crowd.heard() == Heard{"m", "m", "", "", ""});
    CHECK(crowd.world.flush_list.size() == 3);
    crowd.say_to_all(); // the first two join again, behind the others
    crowd.world.ticks(1);
    CHECK(crowd.heard() == Heard{"m", "m", "mm", "mm", ""});
    crowd.world.ticks(1);
    CHECK(crowd.heard() == Heard{"mm", "m", "mm", "mm", "mm"});
    crowd.world.ticks(1);
    CHECK(crowd.heard() == Heard{"mm", "mm", "mm", "mm", "mm"});
    CHECK(crowd.world.flush_list.size() == 0);
    CHECK(crowd.world.would_sleep());
}

TEST_CASE("FlushList: while some are left out the loop does not sleep") {
    Crowd crowd(2);
    crowd.world.flush_cost_max = 1;
    crowd.say_to_all();
    crowd.world.ticks(1);
    const TimePoint before = sys::monotonic_now();
    crowd.world.loop.tick(std::chrono::seconds(2));
    CHECK(sys::monotonic_now() - before < std::chrono::seconds(1));
    CHECK(crowd.heard() == Heard{"m", "m"});
}

TEST_CASE("FlushList: an answer goes before what all hear, also to one who waits for that") {
    Crowd crowd(6);
    crowd.world.flush_cost_max = 2 * one_call;
    crowd.say_to_all();
    crowd.wires[5].stream.send("a"); // behind its message, as it came
    CHECK(crowd.world.flush_list.size() == 6);
    crowd.world.ticks(1);
    CHECK(crowd.heard() == Heard{"m", "", "", "", "", "ma"});
    crowd.world.ticks(2);
    CHECK(crowd.heard() == Heard{"m", "m", "m", "m", "m", "ma"});
}

TEST_CASE("FlushList: answers without end do not hold up what all hear") {
    Crowd crowd(5);
    crowd.world.flush_cost_max = 2 * one_call;
    crowd.say_to_all();
    for (int tick = 0; tick < 3; ++tick) {
        crowd.wires[3].stream.send("a");
        crowd.wires[4].stream.send("a");
        crowd.world.ticks(1);
    }
    CHECK(crowd.heard()[0] == "m");
    CHECK(crowd.heard()[1] == "m");
    CHECK(crowd.heard()[2] == "m");
    CHECK(crowd.world.until([&] { return crowd.heard()[4] == "maaa"; }));
}

TEST_CASE(
    "FlushList: a mark is passed when all who were there have had their turn, whoever came later") {
    Crowd crowd(4);
    crowd.world.flush_cost_max = one_call;
    CHECK(crowd.world.flush_list.passed(crowd.world.flush_list.mark())); // nobody is there
    crowd.say_to_all();
    const FlushList::Mark mark = crowd.world.flush_list.mark();
    for (int tick = 0; tick < 4; ++tick) {
        CHECK_FALSE(crowd.world.flush_list.passed(mark));
        crowd.world.ticks(1);
        crowd.wires[0].stream.send(crowd.message, 0, 1); // again and again: it joins behind
    }
    CHECK(crowd.world.flush_list.passed(mark));
    CHECK(crowd.world.flush_list.size() == 1);
}

TEST_CASE("FlushList: a place that was left is passed although the budget is spent") {
    Crowd crowd(2);
    crowd.world.flush_cost_max = one_call;
    crowd.say_to_all();
    const FlushList::Mark mark = crowd.world.flush_list.mark();
    crowd.wires[1].stream.close_now(); // its place stays, at the end of the list
    crowd.world.ticks(1);
    CHECK(crowd.world.flush_list.size() == 0);
    CHECK(crowd.world.flush_list.passed(mark)); // or nobody would ask for another walk
}

TEST_CASE("FlushList: who closes leaves it, wherever it stands, and the others go on") {
    for (std::size_t gone = 0; gone < 4; ++gone) {
        CAPTURE(gone);
        Crowd crowd(4);
        crowd.world.flush_cost_max = one_call;
        crowd.say_to_all();
        crowd.world.ticks(1); // the first has gone out, the second is next
        crowd.wires[gone].stream.close_now();
        CHECK(crowd.world.flush_list.size() == (gone == 0 ? 3 : 2));
        crowd.world.ticks(4);
        for (std::size_t index = 0; index < 4; ++index) {
            const bool heard = index != gone || gone == 0;
            CHECK(crowd.heard()[index] == (heard ? "m" : ""));
        }
        CHECK(crowd.world.flush_list.size() == 0);
    }
}

TEST_CASE("FlushList: through thousands of turns every stream is served once for each message") {
    Crowd crowd(7);
    std::vector<std::string> expected(7);
    for (std::size_t turn = 0; turn < 3000; ++turn) {
        crowd.world.flush_cost_max = (1 + turn % 5) * one_call;
        const std::size_t speaker = turn * 5 % 7;
        crowd.wires[speaker].stream.send(crowd.message, 0, 1);
        expected[speaker] += "m";
        if (turn % 3 == 0) {
            crowd.wires[turn % 7].stream.send("a");
            expected[turn % 7] += "a";
        }
        crowd.world.ticks(1);
        if (turn % 100 == 0) { // the kernel holds only so many
            static_cast<void>(crowd.heard());
        }
    }
    crowd.world.flush_cost_max = UINT64_MAX;
    crowd.world.ticks(2);
    CHECK(crowd.heard() == expected);
    CHECK(crowd.world.flush_list.size() == 0);
}

} // namespace roomd
