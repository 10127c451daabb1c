#include "reactor/arena.h"

#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace roomd {

TEST_CASE("Arena: a chunk has at least the room asked for, in powers of two") {
    Arena arena;
    CHECK(arena.make(ChunkKind::own, 0)->capacity() == 256);
    CHECK(arena.make(ChunkKind::own, 256)->capacity() == 256);
    CHECK(arena.make(ChunkKind::own, 257)->capacity() == 512);
    CHECK(arena.make(ChunkKind::own, 64 * 1024)->capacity() == 64 * 1024);
    CHECK(arena.make(ChunkKind::own, 64 * 1024 + 1)->capacity() == 64 * 1024 + 1);
    CHECK(arena.chunks_alive() == 0);
}

TEST_CASE("Arena: what was handed out never changes while more is appended") {
    Arena arena;
    const ChunkRef chunk = arena.make(ChunkKind::shared, 256);
    chunk->append("first");
    const std::string_view window = chunk->view(0, chunk->size());
    chunk->append("second");
    CHECK(window == "first");
    CHECK(chunk->view(5, 11) == "second");
    CHECK(chunk->room() == 256 - 11);
}

TEST_CASE("Arena: a chunk lives as long as anybody counts it, and is then used again empty") {
    Arena arena;
    ChunkRef first = arena.make(ChunkKind::shared, 1000, LabelRef("lobby"));
    const Chunk* const address = first.get();
    first->append("words");
    first->mark(1, 1);
    ChunkRef second = first;
    CHECK(first->references() == 2);
    first = ChunkRef();
    CHECK(arena.chunks_alive() == 1);
    CHECK(second->view(0, 5) == "words");
    second = ChunkRef();
    CHECK(arena.chunks_alive() == 0);

    const ChunkRef again = arena.make(ChunkKind::shared, 600);
    CHECK(again.get() == address);
    CHECK(again->size() == 0);
    CHECK(again->marks().empty());
    CHECK(again->label() == LabelRef());
}

TEST_CASE("Arena: assigning a count to itself keeps the chunk") {
    Arena arena;
    ChunkRef chunk = arena.make(ChunkKind::own, 1);
    const ChunkRef& same = chunk;
    chunk = same;
    REQUIRE(chunk);
    CHECK(chunk->references() == 1);
    const ChunkRef moved = std::move(chunk);
    CHECK(moved->references() == 1);
}

TEST_CASE("Arena: a label outlives the sequence it names as long as somebody can ask for it") {
    LabelRef kept;
    {
        const LabelRef label("lobby");
        kept = label;
        CHECK(kept == label);
        CHECK(kept != LabelRef("lobby")); // equal text, another sequence
    }
    CHECK(kept.get()->text() == "lobby");
}

TEST_CASE("Arena: borders and marks are found as a plain search finds them") {
    Arena arena;
    sim::Random random(3);
    const ChunkRef chunk = arena.make(ChunkKind::shared, 4096);
    std::vector<std::uint32_t> ends;
    while (chunk->room() > 64) {
        chunk->append(std::string(random.between(1, 64), 'x'));
        chunk->mark(0, ends.size() + 1);
        ends.push_back(chunk->size());
    }
    for (std::uint32_t offset = 0; offset <= chunk->size(); ++offset) {
        const auto at = std::ranges::find_if(ends, [&](auto end) { return end >= offset; });
        const auto behind = std::ranges::find_if(ends, [&](auto end) { return end > offset; });
        const std::uint32_t border = offset == 0 ? 0 : *at;
        REQUIRE(chunk->border_at_or_after(offset) == border);
        REQUIRE(chunk->mark_behind(offset) == static_cast<std::size_t>(behind - ends.begin()));
    }
}

TEST_CASE("Arena: bytes_pinned counts living chunks and their marks, whatever the order") {
    Arena arena;
    sim::Random random(4);
    std::vector<ChunkRef> living;
    bool sound = true;
    for (int step = 0; step < 20'000; ++step) {
        if (living.size() < 50 && random.one_in(2)) {
            const auto capacity = static_cast<std::uint32_t>(random.skewed(0, 100'000));
            living.push_back(arena.make(ChunkKind::shared, capacity));
        } else if (!living.empty() && random.one_in(2)) {
            std::swap(living[random.below(living.size())], living.back());
            living.pop_back();
        } else if (!living.empty()) {
            ChunkRef& chunk = living[random.below(living.size())];
            if (chunk->room() > 0) {
                chunk->append("x");
                chunk->mark(0, 1);
            }
        }
        std::uint64_t pinned = 0;
        for (const ChunkRef& chunk : living) {
            pinned += sizeof(Chunk) + chunk->capacity() + chunk->marks().capacity() * sizeof(Mark);
        }
        sound = sound && arena.bytes_pinned() == pinned && arena.chunks_alive() == living.size();
    }
    CHECK(sound);
    living.clear();
    CHECK(arena.bytes_pinned() == 0);
}

} // namespace roomd
