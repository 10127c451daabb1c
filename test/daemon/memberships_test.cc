#include "daemon/memberships.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace roomd {

namespace {

std::vector<std::uint32_t> rooms(const Memberships& memberships) {
    std::vector<std::uint32_t> slots;
    for (const Membership& membership : memberships) {
        slots.push_back(membership.room.slot);
    }
    return slots;
}

Membership in(std::uint32_t room) {
    return {{room, 1}, room * 10};
}

using Slots = std::vector<std::uint32_t>;

} // namespace

TEST_CASE("Memberships: in the order joined, and the last is the current one") {
    Memberships memberships;
    CHECK(memberships.empty());
    CHECK(rooms(memberships).empty());
    memberships.add(in(5));
    CHECK(rooms(memberships) == Slots{5});
    CHECK(memberships[0].seat == 50);
    memberships.add(in(6));
    memberships.add(in(7));
    CHECK(rooms(memberships) == Slots{5, 6, 7});
    memberships.make_last(0);
    CHECK(rooms(memberships) == Slots{6, 7, 5});
    memberships.remove(1);
    CHECK(rooms(memberships) == Slots{6, 5});
    memberships.remove(0);
    CHECK(rooms(memberships) == Slots{5});
    memberships.make_last(0);
    memberships.begin()->seat = 3; // a seat that moved
    CHECK(memberships[0].seat == 3);
    memberships.remove(0);
    CHECK(memberships.empty());
    CHECK(memberships.size() == 0);
}

TEST_CASE("Memberships: through random changes they agree with a list") {
    Memberships memberships;
    Slots model;
    std::mt19937 random(3); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    for (std::uint32_t step = 1; step < 20'000; ++step) {
        if (model.empty() || random() % 3 == 0) {
            memberships.add(in(step));
            model.push_back(step);
        } else {
            const std::size_t index = random() % model.size();
            if (random() % 2 == 0) {
                memberships.remove(index);
                model.erase(model.begin() + static_cast<std::ptrdiff_t>(index));
            } else {
                memberships.make_last(index);
                std::rotate(model.begin() + static_cast<std::ptrdiff_t>(index),
                            model.begin() + static_cast<std::ptrdiff_t>(index) + 1, model.end());
            }
        }
        REQUIRE(rooms(memberships) == model);
        REQUIRE(memberships.size() == model.size());
    }
}

} // namespace roomd
