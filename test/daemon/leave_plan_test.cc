#include "daemon/leave_plan.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <set>
#include <vector>

namespace roomd {

namespace {

using std::chrono::milliseconds;

std::vector<Key> keys(std::uint32_t count) {
    std::vector<Key> result;
    for (std::uint32_t slot = 0; slot < count; ++slot) {
        result.push_back({slot, 1});
    }
    return result;
}

} // namespace

TEST_CASE("LeavePlan: each key once, in time, spread evenly") {
    constexpr std::uint32_t count = 10'000;
    const TimePoint from{milliseconds(5'000)};
    LeavePlan plan(keys(count), from, milliseconds(1'000), 7);
    std::set<std::uint32_t> seen;
    std::array<int, 10> tenths{};
    TimePoint last = from;
    while (const auto next = plan.next()) {
        REQUIRE(*next >= last);
        REQUIRE(*next < from + milliseconds(1'000));
        REQUIRE_FALSE(plan.take_due(*next - Duration(1)));
        last = *next;
        const auto key = plan.take_due(*next);
        REQUIRE(key);
        REQUIRE(seen.insert(key->slot).second);
        ++tenths.at(static_cast<std::size_t>((last - from) / milliseconds(100)));
    }
    CHECK(seen.size() == count);
    for (const int tenth : tenths) { // 1,000 on average; 6 standard deviations are 180
        CHECK(tenth > 820);
        CHECK(tenth < 1'180);
    }
}

TEST_CASE("LeavePlan: a seed replays, another seed is another plan") {
    const auto order = [](std::uint64_t seed) {
        LeavePlan plan(keys(100), {}, milliseconds(1'000), seed);
        std::vector<std::uint32_t> slots;
        while (const auto key = plan.take_due(TimePoint{} + milliseconds(1'000))) {
            slots.push_back(key->slot);
        }
        return slots;
    };
    CHECK(order(1) == order(1));
    CHECK(order(1) != order(2));
    CHECK(order(1) != [] {
        std::vector<std::uint32_t> plain;
        for (const Key key : keys(100)) {
            plain.push_back(key.slot);
        }
        return plain;
    }());
}

TEST_CASE("LeavePlan: no time at all is all at once, nobody is nothing") {
    LeavePlan plan(keys(3), TimePoint{}, Duration::zero(), 1);
    CHECK(plan.take_due({}));
    CHECK(plan.take_due({}));
    CHECK(plan.take_due({}));
    CHECK_FALSE(plan.next());
    CHECK_FALSE(plan.take_due(TimePoint::max()));
    CHECK_FALSE(LeavePlan{}.next());
}

} // namespace roomd
