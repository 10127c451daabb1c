#include "daemon/room.h"

#include "test/daemon/hub_world.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace roomd {

namespace {

constexpr Dialect lines{Framing::line, Format::human};
constexpr Dialect frames{Framing::frame, Format::event};

/// A room without a hub; `slots` number its members.
struct Stage {
    Stage()
        : room(std::get<Name>(Name::parse("lobby", NameKind::room, ScriptPolicy::any)), "e1",
               {100, 10'000}, SlowPolicy::by_format) {}

    std::uint32_t seat(HubEar& ear, std::uint32_t slot, Dialect dialect = lines) {
        return room.seat(dialect, ear, slot);
    }

    /// A unit of `source`, as the hub writes it.
    void append(std::string_view text, std::uint32_t source = 99, Dialect dialect = lines) {
        room.append(arena, dialect, text, source, ++id);
    }

    Arena arena;
    Room room;
    std::uint64_t id = 0;
};

} // namespace

TEST_CASE("Room: what was said in a tick is one window for each seat, however much it was") {
    Stage stage;
    HubEar ann;
    HubEar bob;
    stage.seat(ann, 1);
    stage.seat(bob, 2);
    for (int count = 0; count < 100; ++count) {
        stage.append("hello\n");
    }
    CHECK(ann.heard.empty());
    stage.room.hand_out();
    CHECK(ann.windows == 1);
    CHECK(bob.windows == 1);
    CHECK(ann.heard.size() == 600);
    stage.room.hand_out();
    CHECK(ann.windows == 1);
}

TEST_CASE("Room: a seat hears its own dialect and nothing of others") {
    Stage stage;
    HubEar ann;
    HubEar bob;
    stage.seat(ann, 1, lines);
    stage.seat(bob, 2, frames);
    stage.append("line\n", 99, lines);
    stage.append("frame", 99, frames);
    stage.room.hand_out();
    CHECK(ann.heard == "line\n");
    CHECK(bob.heard == "frame");
}

TEST_CASE("Room: who sits down in mid-tick hears from the next unit on") {
    Stage stage;
    HubEar ann;
    HubEar bob;
    HubEar eve;
    stage.seat(ann, 1);
    stage.append("1");
    stage.seat(bob, 2);
    stage.append("2");
    stage.seat(eve, 3);
    stage.room.hand_out();
    CHECK(ann.heard == "12");
    CHECK(bob.heard == "2");
    CHECK(eve.heard.empty());
    stage.append("3");
    stage.room.hand_out();
    CHECK(ann.heard == "123");
    CHECK(bob.heard == "23");
    CHECK(eve.heard == "3");
}

TEST_CASE("Room: who spoke does not hear it, wherever it stands among what others said") {
    // Every pattern of five units, by ann (a) or somebody else (b).
    for (unsigned pattern = 0; pattern < 32; ++pattern) {
        CAPTURE(pattern);
        Stage stage;
        HubEar ann;
        HubEar bob;
        const std::uint32_t seat = stage.seat(ann, 1);
        stage.seat(bob, 2);
        std::string expected;
        std::string all;
        for (unsigned unit = 0; unit < 5; ++unit) {
            const std::string text = std::to_string(unit);
            all += text;
            if ((pattern >> unit & 1U) != 0) {
                stage.append(text, 1);
                stage.room.mark_spoke(lines, seat);
            } else {
                stage.append(text, 2);
                expected += text;
            }
        }
        stage.room.hand_out();
        CHECK(ann.heard == expected);
        CHECK(bob.heard == all);
        stage.append("next", 2);
        stage.room.hand_out();
        CHECK(ann.heard == expected + "next");
    }
}

TEST_CASE(
    "Room: a seat taken over within the tick does not hear what its predecessor's slot said") {
    Stage stage;
    HubEar ann;
    HubEar bob;
    HubEar eve;
    stage.seat(ann, 1);
    std::uint32_t seat = stage.seat(bob, 7);
    stage.append("bob", 7);
    stage.room.mark_spoke(lines, seat);
    CHECK(stage.room.unseat(lines, seat) == UINT32_MAX);
    seat = stage.seat(eve, 7); // the slot is somebody else's now
    stage.append("eve", 7);
    stage.room.mark_spoke(lines, seat);
    stage.append("ann", 1);
    stage.room.hand_out();
    CHECK(ann.heard == "bobeveann");
    CHECK(eve.heard == "ann");
}

TEST_CASE("Room: who is caught up gets nothing twice, and nothing is lost behind it") {
    Stage stage;
    HubEar ann;
    HubEar bob;
    const std::uint32_t seat = stage.seat(ann, 1);
    const std::uint32_t other = stage.seat(bob, 2);
    SUBCASE("caught up once") {
        stage.append("1");
        stage.room.catch_up(lines, seat);
        CHECK(ann.heard == "1");
        CHECK(bob.heard.empty());
        stage.append("2");
    }
    SUBCASE("caught up again and again") {
        stage.append("1");
        stage.room.catch_up(lines, seat);
        stage.room.catch_up(lines, seat);
        stage.append("2");
        stage.room.catch_up(lines, seat);
        stage.room.catch_up(lines, other);
        CHECK(bob.heard == "12");
    }
    SUBCASE("caught up before anything was said") {
        stage.room.catch_up(lines, seat);
        stage.append("1");
        stage.append("2");
    }
    stage.room.hand_out();
    stage.room.hand_out();
    CHECK(ann.heard == "12");
    CHECK(bob.heard == "12");
}

TEST_CASE("Room: who is caught up after it spoke never hears itself") {
    Stage stage;
    HubEar ann;
    const std::uint32_t seat = stage.seat(ann, 1);
    stage.append("a", 1);
    stage.room.mark_spoke(lines, seat);
    stage.room.catch_up(lines, seat);
    stage.append("b", 2);
    stage.append("c", 1);
    stage.room.mark_spoke(lines, seat);
    stage.append("d", 2);
    stage.room.hand_out();
    CHECK(ann.heard == "bd");
}

TEST_CASE("Room: more than a chunk in one tick reaches everybody whole and in order") {
    Stage stage;
    HubEar ann;
    HubEar bob;
    HubEar eve;
    const std::uint32_t seat = stage.seat(ann, 1);
    stage.seat(bob, 2);
    std::string all;
    std::string of_others;
    std::string after_eve;
    for (int count = 0; count < 2000; ++count) {
        const std::string text =
            std::to_string(count) + std::string(static_cast<std::size_t>(count % 300), '.');
        const bool own = count % 3 == 0;
        stage.append(text, own ? 1 : 2);
        all += text;
        if (own) {
            stage.room.mark_spoke(lines, seat);
        } else {
            of_others += text;
        }
        if (count > 1000) {
            after_eve += text;
        }
        if (count == 1000) {
            stage.seat(eve, 3);
        }
    }
    stage.room.hand_out();
    CHECK(bob.heard == all);
    CHECK(bob.windows < 20); // chunks grow to what the room says
    CHECK(ann.heard == of_others);
    CHECK(eve.heard == after_eve);
}

TEST_CASE("Room: a unit larger than any chunk has one of its own") {
    Stage stage;
    HubEar ann;
    stage.seat(ann, 1);
    const std::string large(300'000, 'x');
    stage.append("a");
    stage.append(large);
    stage.append("b");
    stage.room.hand_out();
    CHECK(ann.heard == "a" + large + "b");
}

TEST_CASE("Room: what a slow reader holds is not touched while the room talks on behind it") {
    Stage stage;
    HubEar slow;
    HubEar live;
    slow.slow = true;
    stage.seat(slow, 1);
    stage.seat(live, 2);
    std::string all;
    for (int tick = 0; tick < 500; ++tick) {
        const std::string text = "message " + std::to_string(tick);
        stage.append(text);
        all += text;
        stage.room.hand_out();
        static_cast<void>(stage.room.release_runs());
        slow.slow = tick % 7 != 0; // some of it, it reads
    }
    CHECK(slow.heard == all);
    CHECK(live.heard == all);
    slow.let_go(); // compares
    CHECK(stage.arena.bytes_pinned() < 64 * 1024);
}

TEST_CASE("Room: a quiet tick is as small as it was said, not a chunk each") {
    // One slow reader must not make each of a thousand short ticks pin a chunk of its own.
    Stage stage;
    HubEar slow;
    slow.slow = true;
    stage.seat(slow, 1);
    for (int tick = 0; tick < 1000; ++tick) {
        stage.append("ten bytes.");
        stage.room.hand_out();
        static_cast<void>(stage.room.release_runs());
    }
    CHECK(stage.arena.bytes_pinned() < 64 * 1024);
    slow.let_go();
    CHECK(stage.room.release_runs());
    CHECK(stage.arena.bytes_pinned() == 0);
}

TEST_CASE("Room: its runs are released once nobody holds them, and not before") {
    Stage stage;
    HubEar slow;
    slow.slow = true;
    stage.seat(slow, 1);
    CHECK(stage.room.release_runs());
    stage.append("hello");
    CHECK_FALSE(stage.room.release_runs()); // not even handed out
    stage.room.hand_out();
    CHECK_FALSE(stage.room.release_runs());
    CHECK(stage.arena.chunks_alive() == 1);
    slow.let_go();
    CHECK(stage.room.release_runs());
    CHECK(stage.arena.chunks_alive() == 0);
    stage.append("again");
    stage.room.hand_out();
    CHECK(slow.heard == "helloagain");
    slow.let_go();
}

TEST_CASE("Room: a chunk that everybody has sent is used again from its beginning") {
    Stage stage;
    HubEar ann;
    stage.seat(ann, 1);
    for (int tick = 0; tick < 1000; ++tick) {
        stage.append("message");
        stage.room.hand_out();
        CHECK(stage.arena.bytes_pinned() < 2048);
    }
    CHECK(ann.heard.size() == 7000);
}

TEST_CASE("Room: leaving moves the last seat into the gap and says whose it was") {
    Stage stage;
    std::array<HubEar, 3> ears;
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
        CHECK(stage.seat(ears.at(slot), slot + 10) == slot);
    }
    CHECK(stage.room.members() == 3);
    CHECK(stage.room.unseat(lines, 0) == 12);
    CHECK(stage.room.unseat(lines, 1) == UINT32_MAX);
    CHECK(stage.room.members() == 1);
    stage.append("hello");
    stage.room.hand_out();
    CHECK(ears[0].heard.empty());
    CHECK(ears[1].heard.empty());
    CHECK(ears[2].heard == "hello");
}

TEST_CASE("Room: what was said for a dialect whose last member left is nobody's") {
    Stage stage;
    HubEar ann;
    HubEar bob;
    const std::uint32_t seat = stage.seat(ann, 1);
    stage.append("for ann");
    static_cast<void>(stage.room.unseat(lines, seat));
    stage.seat(bob, 2);
    stage.room.hand_out();
    CHECK(bob.heard.empty());
    stage.append("for bob");
    stage.room.hand_out();
    CHECK(bob.heard == "for bob");
}

} // namespace roomd
