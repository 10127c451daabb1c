// Time — the two clocks of roomd, as types that cannot be mixed up.
//
// TimePoint is monotonic and decides every timeout; WallTime is only shown to people and programs.
// Both are read through sys.h, so that the simulator owns them.
#pragma once

#include <chrono>
#include <cstdint>

namespace roomd {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// Milliseconds since 1970-01-01 UTC.
using WallTime = std::uint64_t;

} // namespace roomd
