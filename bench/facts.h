// Facts about the machine — what a reader of a report must know to make sense of its figures.
//
// Reads /proc and uname(2), and asks each program for its version; what cannot be found out stays
// empty.
#pragma once

#include "bench/report.h"
#include "bench/systems.h"

#include <string>
#include <vector>

namespace roomd::bench {

/// Takes a fraction of a second: the programs are run.
[[nodiscard]] Facts find_facts(const std::vector<std::string>& systems, const Ground& ground);

} // namespace roomd::bench
