// Conduct — what roombench does once its command line is understood: starts servers, makes the runs
// block by block, and hands out the report.
//
// The one place where everything of bench/ comes together. Leaves nothing behind but the files that
// were asked for: servers, sockets and the directory they ran in are gone when it returns.
#pragma once

#include "bench/scenario.h"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace roomd::bench {

enum class Task : std::uint8_t { one, sweep, suite };

struct Options {
    Task task = Task::one;
    Scenario scenario;               // one, sweep
    std::vector<std::string> series; // sweep
    std::vector<std::string> only;   // suite: titles of blocks; empty: all
    std::vector<Dialect> dialects;   // empty: plain; suite: plain and event
    std::vector<std::string> others; // beside roomd
    int rounds = 0;                  // 0: five beside others, else one
    std::string connect;             // an endpoint; empty: start roomd
    bool spawn = false;              // said so; it is the default
    std::string system = "roomd";    // what is at `connect`
    pid_t pid = 0;                   // of the server at `connect`
    std::string roomd;               // empty: beside roombench, else in PATH
    bool pin = true;
    std::string json;
    std::string html;
    std::string out; // a directory for table, JSON and page
    std::string command_line;
    std::string program; // argv[0]
};

/// Exit statuses, after sysexits.h.
inline constexpr int status_fine = 0;
inline constexpr int status_incomplete = 1;
inline constexpr int status_usage = 64;
inline constexpr int status_unavailable = 69;
inline constexpr int status_cannot_write = 73;
inline constexpr int status_interrupted = 130;

/// Runs for as long as the scenarios take. Says what goes wrong on stderr. Returns an exit status.
[[nodiscard]] int conduct(const Options& options);

} // namespace roomd::bench
