#include "reactor/out_queue.h"

#include "test/reactor/out_queue_model.h"
#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

namespace {

/// What gather() shows, joined.
std::string shown(const OutQueue& queue, std::size_t bytes_max = SIZE_MAX,
                  std::size_t pieces_max = 64) {
    std::vector<iovec> pieces(pieces_max);
    std::string text;
    const std::size_t count = queue.gather(pieces, bytes_max);
    for (std::size_t index = 0; index < count; ++index) {
        text.append(static_cast<const char*>(pieces[index].iov_base), pieces[index].iov_len);
    }
    return text;
}

/// Appends one unit to a shared chunk.
void write_unit(const ChunkRef& chunk, std::string_view text, std::uint64_t number) {
    chunk->append(text);
    chunk->mark(0, number);
}

ChunkRef units_of_ten(Arena& arena, const LabelRef& label, int count) {
    ChunkRef chunk = arena.make(ChunkKind::shared, 4096, label);
    for (int index = 0; index < count; ++index) {
        write_unit(chunk, "123456789" + std::to_string(index % 10),
                   static_cast<std::uint64_t>(index) + 1);
    }
    return chunk;
}

} // namespace

TEST_CASE("OutQueue: a steady feed is one entry, and costs one count") {
    Arena arena;
    OutQueue queue;
    const ChunkRef chunk = units_of_ten(arena, LabelRef("lobby"), 100);
    for (std::uint32_t from = 0; from < chunk->size(); from += 10) {
        queue.push(chunk, from, from + 10);
    }
    CHECK(queue.entries() == 1);
    CHECK(queue.bytes() == 1000);
    CHECK(queue.own_bytes() == 0);
    CHECK(chunk->references() == 2);
    queue.consume(1000);
    CHECK(queue.empty());
    CHECK(chunk->references() == 1);
    queue.check();
}

TEST_CASE("OutQueue: small answers gather in one chunk, large ones need no second copy") {
    Arena arena;
    OutQueue queue;
    for (int index = 0; index < 100; ++index) {
        queue.append(arena, "ok\n");
    }
    CHECK(queue.entries() == 2); // 256 bytes, and then twice that
    CHECK(queue.own_bytes() == 300);
    queue.append(arena, std::string(100'000, 'x'));
    CHECK(queue.entries() == 3);
    CHECK(queue.bytes() == 100'300);
    queue.check();
    queue.clear();
    CHECK(arena.chunks_alive() == 0);
}

TEST_CASE("OutQueue: gather shows no more than the bytes and the pieces asked for") {
    Arena arena;
    OutQueue queue;
    const ChunkRef chunk = units_of_ten(arena, LabelRef("lobby"), 3);
    queue.append(arena, "own");
    queue.push(chunk, 0, 10);
    queue.push(chunk, 20, 30);
    CHECK(shown(queue) == "own12345678901234567892");
    CHECK(shown(queue, 5) == "own12");
    CHECK(shown(queue, 3) == "own");
    CHECK(shown(queue, 0).empty());
    CHECK(shown(queue, SIZE_MAX, 2) == "own1234567890");
    CHECK(shown(queue, SIZE_MAX, 0).empty());
    queue.consume(4); // into the first unit
    CHECK(shown(queue, SIZE_MAX, 1) == "234567890");
}

TEST_CASE("OutQueue: a notice stands exactly where the units were that it tells of") {
    Arena arena;
    OutQueue queue;
    const LabelRef label("lobby");
    const ChunkRef chunk = units_of_ten(arena, label, 5);
    queue.append(arena, "before|");
    queue.push(chunk, 0, 50);
    queue.append(arena, "|after");
    CHECK(queue.drop_oldest(arena, 43).messages == 2);
    queue.check();
    CHECK(queue.notice() == nullptr);
    CHECK(shown(queue) == "before|");
    queue.consume(7);
    REQUIRE(queue.notice() != nullptr);
    REQUIRE(queue.notice()->size() == 1);
    const Lost& lost = queue.notice()->front();
    CHECK(lost.label == label);
    CHECK(lost.first == 1);
    CHECK(lost.last == 2);
    CHECK(lost.count == 2);
    CHECK(shown(queue).empty());
    queue.resolve_notice(arena, "gap 1 2|");
    CHECK(shown(queue) == "gap 1 2|123456789212345678931234567894|after");
    queue.check();
}

TEST_CASE("OutQueue: a later loss beside an earlier one is told with it, each sequence apart") {
    Arena arena;
    OutQueue queue;
    const LabelRef lobby("lobby");
    const LabelRef ops("ops");
    const ChunkRef in_lobby = units_of_ten(arena, lobby, 4);
    const ChunkRef in_ops = units_of_ten(arena, ops, 4);
    queue.push(in_lobby, 0, 10);
    queue.push(in_ops, 20, 30);
    queue.push(in_lobby, 30, 40); // 2 and 3 were not meant for this one
    queue.push(in_ops, 30, 40);
    CHECK(queue.drop_oldest(arena, 30).messages == 1);
    CHECK(queue.drop_oldest(arena, 15).messages == 2);
    REQUIRE(queue.notice() != nullptr);
    REQUIRE(queue.notice()->size() == 2);
    CHECK(queue.notice()->at(0).label == lobby);
    CHECK(queue.notice()->at(0).first == 1);
    CHECK(queue.notice()->at(0).last == 4);
    CHECK(queue.notice()->at(0).count == 2);
    CHECK(queue.notice()->at(1).label == ops);
    CHECK(queue.notice()->at(1).count == 1);
    CHECK(queue.entries() == 2);
    queue.resolve_notice(arena, ""); // nobody wants to hear of it
    CHECK(shown(queue) == "1234567893");
    queue.check();
}

TEST_CASE("OutQueue: a unit of which a byte was sent is sent to its end") {
    for (std::uint32_t sent = 0; sent <= 30; ++sent) {
        Arena arena;
        OutQueue queue;
        const ChunkRef chunk = units_of_ten(arena, LabelRef("lobby"), 3);
        queue.push(chunk, 0, 30);
        queue.consume(sent);
        const std::uint32_t half = (10 - sent % 10) % 10;
        CHECK(queue.drop_oldest(arena, 0).messages == (30 - sent) / 10);
        CHECK(queue.bytes() == half);
        CHECK(shown(queue) == std::string("1234567890").substr(10 - half, half - (half > 0)) +
                                  (half > 0 ? std::to_string(sent / 10) : ""));
        queue.check();
    }
}

TEST_CASE("OutQueue: units without a number are counted apart, and told of") {
    Arena arena;
    OutQueue queue;
    const LabelRef lobby("lobby");
    const ChunkRef chunk = arena.make(ChunkKind::shared, 256, lobby);
    write_unit(chunk, "joined", 0);
    write_unit(chunk, "said", 7);
    write_unit(chunk, "left", 0);
    queue.push(chunk, 0, 14);
    const Dropped first = queue.drop_oldest(arena, 8);
    CHECK(first.messages == 0);
    CHECK(first.state == 1);
    REQUIRE(queue.notice() != nullptr);
    CHECK(queue.notice()->at(0).label == lobby);
    CHECK(queue.notice()->at(0).count == 0);
    CHECK(queue.notice()->at(0).state == 1);
    const Dropped rest = queue.drop_oldest(arena, 0);
    CHECK(rest.messages == 1);
    CHECK(rest.state == 1);
    REQUIRE(queue.notice()->size() == 1);
    CHECK(queue.notice()->at(0).first == 7);
    CHECK(queue.notice()->at(0).last == 7);
    CHECK(queue.notice()->at(0).state == 2);
    queue.check();
}

TEST_CASE("OutQueue: what others send to this peer alone is no answer of its own, nor dropped") {
    Arena arena;
    OutQueue queue;
    const ChunkRef chunk = units_of_ten(arena, LabelRef("lobby"), 1);
    queue.append(arena, "answer ");
    queue.append_direct(arena, "psst ");
    queue.push(chunk, 0, 10);
    queue.append_direct(arena, "hey ");
    queue.append_direct(arena, "you ");
    CHECK(queue.entries() == 4);
    CHECK(queue.own_bytes() == 7);
    CHECK(queue.bytes() == 30);
    CHECK(queue.drop_oldest(arena, 0).messages == 1);
    queue.check();
    queue.consume(7);
    CHECK(queue.own_bytes() == 0);
    queue.consume(5);
    queue.resolve_notice(arena, "");
    CHECK(shown(queue) == "hey you ");
    queue.check();
}

TEST_CASE("OutQueue: a queue that is short enough loses nothing, and own bytes are never lost") {
    Arena arena;
    OutQueue queue;
    const ChunkRef chunk = units_of_ten(arena, LabelRef("lobby"), 2);
    queue.append(arena, "own");
    queue.push(chunk, 0, 20);
    CHECK(queue.drop_oldest(arena, 23).messages == 0);
    CHECK(queue.notice() == nullptr);
    CHECK(queue.drop_oldest(arena, 22).messages == 1);
    CHECK(queue.drop_oldest(arena, 0).messages == 1);
    CHECK(queue.bytes() == 3);
    CHECK(shown(queue) == "own");
}

TEST_CASE("OutQueue: every world of four entries, cut at every byte, dropped to every length") {
    for (std::uint32_t world = 0; world < 4 * 4 * 4 * 4; ++world) {
        std::uint32_t cut_max = UINT32_MAX;
        for (std::uint32_t cut = 0; cut <= cut_max; ++cut) {
            for (std::uint32_t left = 0; left <= cut_max; ++left) {
                QueueAndModel pair(world);
                for (std::uint32_t digits = world, index = 0; index < 4; ++index, digits /= 4) {
                    pair.add(digits % 4, index % 3 + 1);
                }
                cut_max = pair.bytes();
                pair.take(cut);
                pair.drop(left);
                pair.drop(left / 2);
                pair.drain_by(1);
                REQUIRE(pair.sound());
            }
        }
    }
}

TEST_CASE("OutQueue: what goes to another process is sent and dropped there as it would be here") {
    for (std::uint32_t world = 0; world < 4 * 4 * 4 * 4; ++world) {
        std::uint32_t cut_max = UINT32_MAX;
        for (std::uint32_t cut = 0; cut <= cut_max; ++cut) { // also in the middle of a unit
            for (std::uint32_t left = 0; left <= cut_max; left += 2) {
                QueueAndModel pair(world);
                for (std::uint32_t digits = world, index = 0; index < 4; ++index, digits /= 4) {
                    pair.add(digits % 4, index % 3 + 1);
                }
                cut_max = pair.bytes();
                pair.take(cut);
                pair.hand_over();
                pair.drop(left);
                pair.hand_over(); // now with notices
                pair.add(world % 4, 3);
                pair.drop(left / 2);
                pair.drain_by(1);
                REQUIRE(pair.sound());
            }
        }
    }
}

TEST_CASE("OutQueue: 200,000 random steps agree with a list of units") {
    QueueAndModel pair(8);
    sim::Random random(9);
    for (int step = 0; step < 200'000 && pair.sound(); ++step) {
        // Long phases of filling, so that queues of hundreds of entries are worked off too.
        const bool filling = step / 1000 % 2 == 0;
        const std::uint64_t draw = random.below(100);
        if (draw < (filling ? 70U : 20U)) {
            pair.add(static_cast<std::uint32_t>(random.below(4)), random.skewed(1, 600));
        } else if (draw < (filling ? 72U : 23U)) {
            pair.drop(static_cast<std::uint32_t>(random.skewed(0, 1 + 2 * pair.bytes())));
        } else {
            pair.take(random.skewed(0, filling ? 100 : 3000));
        }
        if (random.one_in(20'000)) {
            pair.clear();
        }
        if (random.one_in(2'000)) {
            pair.hand_over();
        }
    }
    pair.drain_by(777);
    CHECK(pair.sound());
    CHECK(pair.entries_most() > 200);
    CHECK(pair.notices() > 500);
    CHECK(pair.dropped() > 1000);
}

} // namespace roomd
