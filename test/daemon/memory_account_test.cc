#include "daemon/memory_account.h"

#include "daemon/relief.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace roomd;

TEST_CASE("MemoryAccount: levels begin at seven eighths and at fifteen sixteenths") {
    MemoryAccount account;
    account.set_ceiling(1600);
    MemoryUse use;
    use.input = 1399;
    account.update(use);
    CHECK(account.level() == MemoryAccount::Level::ample);
    CHECK(account.excess() == 0);
    CHECK(account.headroom() == 201);
    use.output = 1;
    account.update(use);
    CHECK(account.level() == MemoryAccount::Level::scarce);
    CHECK(account.excess() == 0);
    use.history = 100;
    account.update(use);
    CHECK(account.level() == MemoryAccount::Level::over);
    CHECK(account.excess() == 100); // until it is scarce no more
    use.rooms = 1000;
    use.connections = 1000;
    account.update(use);
    CHECK(account.headroom() == 0);
    account.update({});
    CHECK(account.level() == MemoryAccount::Level::ample);
    CHECK(account.peak() == 3500);
}

TEST_CASE("MemoryAccount: without a ceiling there is always room") {
    MemoryAccount account;
    MemoryUse use;
    use.output = std::uint64_t{1} << 50U;
    account.update(use);
    CHECK(account.level() == MemoryAccount::Level::ample);
    CHECK(account.headroom() == UINT64_MAX);
}

TEST_CASE("MemoryAccount: what is kept for later never makes it over, and costs nobody") {
    constexpr std::uint64_t mib = std::uint64_t{1} << 20U;
    MemoryAccount account;
    account.update({0, 10 * mib, 0, 0, 0});
    CHECK(account.surplus(100 * mib) == 0); // no ceiling
    account.set_ceiling(16 * mib);
    CHECK(account.surplus(0) == 0);
    CHECK(account.surplus(5 * mib) == 0); // 15 of 16: just not over
    CHECK(account.surplus(7 * mib) == 2 * mib);
    account.update({0, 20 * mib, 0, 0, 0});
    CHECK(account.surplus(7 * mib) == 7 * mib);
}

TEST_CASE("Relief: a shared chunk comes free with the last of its readers, and not before") {
    Arena arena;
    ChunkRef room = arena.make(ChunkKind::shared, 1024); // the room that wrote it
    room->append(std::string(1000, 'x'));
    room->mark(0, 1);
    OutQueue first;
    OutQueue second;
    first.push(room, 0, 1000);
    second.push(room, 0, 1000);
    Relief relief(1);
    relief.offer(first);
    CHECK(relief.freed() == 0);
    CHECK_FALSE(relief.satisfied());
    relief.offer(second);
    CHECK(relief.freed() == room->capacity());
    CHECK(relief.satisfied());
}

TEST_CASE("Relief: what a reader holds alone comes free at once") {
    Arena arena;
    OutQueue alone;
    alone.append(arena, std::string(300, 'x'));
    {
        ChunkRef room = arena.make(ChunkKind::shared, 256);
        room->append("unit");
        room->mark(0, 1);
        alone.push(room, 0, 4);
    } // the room has let go of it
    Relief relief(700);
    relief.offer(alone);
    CHECK(relief.freed() == Relief::part_of(alone));
    relief.offer(std::uint64_t{100});
    CHECK(relief.freed() == Relief::part_of(alone) + 100);
}

TEST_CASE("Relief: who shares a chunk with many holds a small part of it") {
    Arena arena;
    ChunkRef room = arena.make(ChunkKind::shared, 1024);
    room->append(std::string(1000, 'x'));
    room->mark(0, 1);
    std::vector<OutQueue> crowd(16); // the room that wrote it does not count
    for (OutQueue& queue : crowd) {
        queue.push(room, 0, 1000);
    }
    CHECK(Relief::part_of(crowd.front()) == room->capacity() / 16);
}

TEST_CASE("MemoryAccount: a load is over once, when much less has been held for some seconds") {
    MemoryAccount account;
    const auto hold = [&](std::uint64_t mebibytes) {
        MemoryUse use;
        use.output = mebibytes << 20U;
        account.update(use);
    };
    hold(100);
    CHECK_FALSE(account.load_is_over());
    hold(10);
    CHECK_FALSE(account.load_is_over());
    CHECK_FALSE(account.load_is_over());
    hold(100); // it goes on
    CHECK_FALSE(account.load_is_over());
    hold(10);
    CHECK_FALSE(account.load_is_over());
    CHECK_FALSE(account.load_is_over());
    CHECK(account.load_is_over());
    CHECK_FALSE(account.load_is_over());
    hold(20); // too little to be worth a walk through the heap
    hold(10);
    for (int second = 0; second < 10; ++second) {
        CHECK_FALSE(account.load_is_over());
    }
}
