// Plan — from what was typed to what is to be run: the blocks, in order.
//
// A pure function; it starts nothing and knows no server but by name.
#pragma once

#include "bench/conduct.h"
#include "bench/suite.h"

#include <cstdint>
#include <string>
#include <vector>

namespace roomd::bench {

/// Never empty unless the options name no scenario at all.
[[nodiscard]] std::vector<Block> plan(const Options& options);

/// Leaves out the points of series that take more than `connections_max` connections, and blocks
/// that have none left. Returns a sentence for each such series.
[[nodiscard]] std::vector<std::string> leave_out(std::vector<Block>& blocks,
                                                 std::uint64_t connections_max);

} // namespace roomd::bench
