// Plan — from what was typed to what is to be run: the blocks, in order.
//
// A pure function; it starts nothing and knows no server but by name.
#pragma once

#include "bench/conduct.h"
#include "bench/suite.h"

#include <vector>

namespace roomd::bench {

/// Never empty unless the options name no scenario at all.
[[nodiscard]] std::vector<Block> plan(const Options& options);

} // namespace roomd::bench
