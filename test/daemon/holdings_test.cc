#include "daemon/holdings.h"

#include <doctest/doctest.h>

namespace roomd {

namespace {

Key room(std::uint32_t slot) {
    return {slot, 1};
}

} // namespace

TEST_CASE("Holdings: who holds most rooms loses the oldest empty one") {
    Holdings holdings;
    holdings.made(room(0), 7, false);
    holdings.emptied(room(0));
    for (std::uint32_t slot = 1; slot <= 3; ++slot) {
        holdings.made(room(slot), 8, false);
        holdings.emptied(room(slot));
        holdings.check();
    }
    holdings.made(room(4), 9, true); // kept: never offered, and nobody's
    holdings.emptied(room(4));
    CHECK(holdings.room_to_forget() == room(1));
    holdings.entered(room(1));
    CHECK(holdings.room_to_forget() == room(2));
    holdings.emptied(room(1)); // now it is the youngest
    CHECK(holdings.room_to_forget() == room(2));
    holdings.forgot(room(2));
    holdings.forgot(room(3));
    holdings.check();
    CHECK(holdings.room_to_forget() == room(0)); // as many each: the lowest number
    holdings.forgot(room(0));
    holdings.forgot(room(1));
    CHECK_FALSE(holdings.room_to_forget());
    holdings.check();
}

TEST_CASE("Holdings: whose histories are largest loses of the largest of them") {
    Holdings holdings;
    holdings.made(room(0), 7, false);
    holdings.made(room(1), 8, false);
    holdings.made(room(2), 8, false);
    holdings.made(room(3), 8, true);
    holdings.set_history(room(0), 500);
    holdings.set_history(room(1), 400);
    holdings.set_history(room(2), 300);
    holdings.set_history(room(3), 600);
    holdings.check();
    CHECK(holdings.history_to_cut() == room(1));
    holdings.set_history(room(1), 200);
    CHECK(holdings.history_to_cut() == room(3)); // for itself
    holdings.forgot(room(3));
    CHECK(holdings.history_to_cut() == room(0)); // as much each
    holdings.set_history(room(0), 0);
    CHECK(holdings.history_to_cut() == room(2));
    holdings.check();
}

} // namespace roomd
