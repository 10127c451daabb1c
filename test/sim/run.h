// Run — one seed from beginning to end: a daemon is started in a world, lived in, brought to rest,
// judged and stopped.
#pragma once

#include "daemon/close_reason.h"

#include <array>
#include <cstdint>
#include <string>

namespace roomd::sim {

struct Verdict {
    std::string failure; // empty: nothing wrong
    std::uint64_t digest = 0;
    std::uint64_t calls = 0;
    std::uint64_t sayings = 0;
    std::size_t people = 0;
    std::array<std::uint64_t, close_reason_count> closes{}; // why connections ended
};

[[nodiscard]] Verdict run_seed(std::uint64_t seed, bool trace);

} // namespace roomd::sim
