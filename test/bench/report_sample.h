// An invented report with something of everything in it: scenarios with and without the floor, a
// system that failed, latencies with a tail, a sweep, memory that grows, a goal that was missed.
//
// The figures are made up (though not far from what such systems do) and the same in every call.
#pragma once

#include "bench/report.h"

namespace roomd::bench {

[[nodiscard]] Report sample_report();

} // namespace roomd::bench
