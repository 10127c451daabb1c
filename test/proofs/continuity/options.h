// Options of the continuity proof, as the command line gives them. A value.
#pragma once

#include "reactor/endpoint.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::continuity {

struct Options {
    std::vector<std::string> doors; // where to connect, as given
    std::vector<Endpoint> endpoints;
    std::uint32_t connections = 5'000;
    std::uint32_t rooms = 50;
    std::uint32_t rate = 1'000; // messages a second, of all speakers
    std::uint32_t speakers_permille = 100;
    std::uint32_t dribblers_permille = 20;
    std::uint32_t sluggards_permille = 30;
    std::uint32_t probes_per_second = 50;
    std::string restart;     // a command for /bin/sh; empty: none
    std::uint32_t times = 1; // cycles, with or without a command
    double every_s = 2;
    double warm_up_s = 2;
    double patience_s = 10;           // nothing moves for so long: given up
    std::uint32_t pause_ms_max = 500; // p99 over connections and restarts; 0: not judged
    std::uint32_t back_ms_max = 300;  // after a crash, each time; 0: not judged
    bool crash = false;
    bool verbose = false;
    bool help = false; // nothing else was looked at
    std::string json;
    std::uint64_t seed = 1;
};

/// What --help says. Static storage.
[[nodiscard]] std::string_view usage();

/// False: usage, or what is wrong with the arguments, is in `error`.
[[nodiscard]] bool read_options(int argc, const char* const* argv, Options& options,
                                std::string& error);

} // namespace roomd::continuity
