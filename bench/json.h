// The report as JSON: for programs, and for the page, which is a viewer of it.
//
// Everything that was measured is in it. `schema` is raised when a name goes or changes its
// meaning; names that are added do not raise it.
#pragma once

#include "bench/report.h"

#include <string>

namespace roomd::bench {

inline constexpr int json_schema = 1;

/// One document, ended by a line feed. Times in histograms are nanoseconds.
[[nodiscard]] std::string to_json(const Report& report);

} // namespace roomd::bench
