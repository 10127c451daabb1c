// Budget — how much work one tick of the loop may still do, counted and not timed.
//
// Owned by the Server. A unit is some 10 ns of this daemon's own work on the machine of the
// figures (daemon/work.h has the table); kernel time of sends has a budget of its own (FlushList).
// Counts are a function of the input alone, so a seed replays exactly. Never reads a clock.
//
// Invariant: what is over in one tick is not owed in the next: one expensive command delays the
// others once.
#pragma once

#include <cstdint>

namespace roomd {

class Budget {
public:
    /// Everything is there again. `units`: for this tick.
    void begin_tick(std::uint64_t units) {
        left_ = static_cast<std::int64_t>(units);
        quarter_ = left_ / 4;
    }

    /// May go below nothing: work is counted when it has been done.
    void spend(std::uint64_t units) { left_ -= static_cast<std::int64_t>(units); }

    [[nodiscard]] bool left() const { return left_ > 0; }

    /// Not even a quarter of it is left.
    [[nodiscard]] bool nearly_spent() const { return left_ < quarter_; }

private:
    std::int64_t left_ = INT64_MAX; // before the first tick of a server: no limit
    std::int64_t quarter_ = 0;
};

} // namespace roomd
