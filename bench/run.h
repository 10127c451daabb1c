// run() — one scenario against one server that is already there.
//
// Opens its connections on an event loop of its own, waits until all have entered, loads, checks
// every byte that members hear, and leaves nothing open. Ends by itself: by the scenario's time, or
// by `patience` when nothing moves any more. Never starts or stops a server.
#pragma once

#include "bench/result.h"
#include "bench/scenario.h"
#include "bench/wire.h"
#include "reactor/endpoint.h"

#include <csignal>
#include <cstdint>
#include <functional>

#include <sys/types.h>

namespace roomd::bench {

struct Server {
    std::string name; // as in Result::system
    Endpoint endpoint;
    pid_t pid = 0; // 0: unknown; then no CPU and no memory is reported
    const Wire* wire = nullptr;
};

struct Progress {
    double done = 0; // 0 to 1
    double deliveries_per_second = 0;
    double seconds_left = 0;
};

struct RunOptions {
    std::function<void(const Progress&)> progress; // a few times a second; may be empty
    const volatile std::sig_atomic_t* interrupted =
        nullptr; // set by Ctrl-C: the run ends, failure says so
    double patience_seconds = 10;
};

/// Throws std::system_error only if the loop itself cannot be made; everything else is in
/// Result::failure.
[[nodiscard]] Result run(const Server& server, const Scenario& scenario, const RunOptions& options);

} // namespace roomd::bench
