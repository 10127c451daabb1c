// TimeHistogram — how long something took, in fixed buckets, as Prometheus counts it.
//
// A plain value; only ever grows. Meant to be fed once a tick, not once a message: what holds for
// many messages alike is added once, with their number.
#pragma once

#include "reactor/time.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace roomd {

class TimeHistogram {
public:
    /// Upper bounds, inclusive, from what a quiet tick takes to what nobody should ever wait for.
    static constexpr std::array<std::uint64_t, 16> bounds_us = {
        50,     100,    250,     500,     1'000,   2'500,     5'000,     10'000,
        25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 10'000'000};

    /// `times` things took `duration` each. A clock that went back counts as 0. O(buckets), one
    /// compare for what is short.
    void add(Duration duration, std::uint64_t times = 1) {
        const std::int64_t ns = duration.count() > 0 ? duration.count() : 0;
        std::size_t bucket = 0;
        while (bucket < bounds_us.size() &&
               ns > static_cast<std::int64_t>(bounds_us[bucket]) * 1000) {
            ++bucket;
        }
        counts_[bucket] += times;
        sum_ns_ += static_cast<std::uint64_t>(ns) * times;
    }

    /// Of bucket `index` alone, not of those below it; bounds_us.size(): above all bounds.
    [[nodiscard]] std::uint64_t count(std::size_t index) const { return counts_[index]; }

    [[nodiscard]] std::uint64_t sum_ns() const { return sum_ns_; }

private:
    std::array<std::uint64_t, bounds_us.size() + 1> counts_{};
    std::uint64_t sum_ns_ = 0;
};

} // namespace roomd
