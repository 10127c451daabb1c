// LeavePlan — who is told to leave when, so that not all of them come back in the same moment.
//
// Owned by the Server while it drains. A plain list, made once: each key has a moment of its own,
// evenly spread over a span at random. Knows no session: a key that has died meanwhile is the
// caller's to skip.
#pragma once

#include "reactor/slot_map.h"
#include "reactor/time.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace roomd {

class LeavePlan {
public:
    LeavePlan() = default;
    /// Each of `keys` gets a moment in [from, from + span). The same `seed` gives the same plan.
    /// O(n log n).
    LeavePlan(const std::vector<Key>& keys, TimePoint from, Duration span, std::uint64_t seed);

    /// When the next is due; nothing when all have been taken.
    [[nodiscard]] std::optional<TimePoint> next() const;
    /// One who is due at `now`, taken out; nothing when none is. O(1).
    [[nodiscard]] std::optional<Key> take_due(TimePoint now);

private:
    struct Departure {
        TimePoint at;
        Key key;
    };

    std::vector<Departure> departures_; // the latest first
};

} // namespace roomd
