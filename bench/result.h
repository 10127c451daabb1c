// Result — what one run of one scenario against one server gave. A value; the reports (table, JSON,
// page) are made of these and of nothing else.
#pragma once

#include "bench/histogram.h"
#include "bench/scenario.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace roomd::bench {

/// What the kernel says a process has used.
struct Usage {
    double cpu_seconds = 0; // user and system
    std::uint64_t resident_bytes = 0;
};

/// One point of the memory curve.
struct MemorySample {
    double seconds = 0; // since the load began
    std::uint64_t resident_bytes = 0;
};

struct Result {
    std::string system; // "roomd", "redis", "nats", "mosquitto", "floor"
    Scenario scenario;
    std::string failure; // empty: every message arrived, once and in order; else where not

    std::uint64_t messages = 0;   // published while measured
    std::uint64_t deliveries = 0; // whole messages that reached a member while measured
    std::uint64_t bytes = 0;      // that members read while measured
    double seconds = 0;           // measured
    double server_cpu_seconds = 0;
    double generator_cpu_seconds = 0;
    std::uint64_t resident_bytes_before = 0; // of the server, before the first connection
    std::uint64_t resident_bytes_after = 0;  // when the load had ended
    std::uint64_t resident_bytes_max = 0;
    std::vector<MemorySample> memory;
    Histogram latency;  // nanoseconds from the intended time to the member's read; open loop
    Histogram lateness; // nanoseconds that the sender itself was late; open loop
    double connect_seconds = 0; // until all connections had entered
    std::uint64_t connections = 0;

    [[nodiscard]] bool ok() const { return failure.empty(); }

    /// Server CPU for one delivery (or, without members, for one message taken), in microseconds.
    [[nodiscard]] double cost_us() const {
        const std::uint64_t units = deliveries != 0 ? deliveries : messages;
        return units == 0 ? 0 : server_cpu_seconds * 1e6 / static_cast<double>(units);
    }

    [[nodiscard]] double deliveries_per_second() const {
        return seconds > 0 ? static_cast<double>(deliveries) / seconds : 0;
    }

    /// Rates and latencies are the generator's own. Closed loop: it used nearly all of its
    /// processor. Open loop, where it looks at the clock without rest: it was late itself.
    [[nodiscard]] bool generator_bound() const {
        if (lateness.count() > 0) {
            constexpr std::uint64_t harmless_ns = 1'000'000;
            return lateness.at(0.99) > std::max(harmless_ns, latency.at(0.99) / 4);
        }
        return seconds > 0 && generator_cpu_seconds / seconds > 0.95;
    }
};

} // namespace roomd::bench
