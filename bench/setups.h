// Setups — how each server is set up for a run: command lines and configuration files.
//
// Pure functions: nothing is started or written here. What is fair is decided in this file and
// nowhere else: loopback, one thread, nothing on disk, no log lines, limits out of the way. Only in
// a `slow` scenario does each keep the limits it comes with.
#pragma once

#include "bench/scenario.h"

#include <cstdint>
#include <string>
#include <vector>

namespace roomd::bench {

/// What one server is started with, at 127.0.0.1:`port`.
struct Place {
    std::string program;
    std::uint16_t port = 0;
    std::string directory; // for what it insists on writing
};

[[nodiscard]] std::vector<std::string> roomd_arguments(const Place& place,
                                                       const Scenario& scenario);
[[nodiscard]] std::vector<std::string> redis_arguments(const Place& place,
                                                       const Scenario& scenario);
/// `configuration`: the file that holds the next function's text.
[[nodiscard]] std::vector<std::string> nats_arguments(const Place& place,
                                                      const std::string& configuration);
[[nodiscard]] std::string nats_configuration(const Place& place, const Scenario& scenario);
[[nodiscard]] std::vector<std::string> mosquitto_arguments(const Place& place,
                                                           const std::string& configuration);
/// `root`: it runs as root and would give that up for a user that need not exist.
[[nodiscard]] std::string mosquitto_configuration(const Place& place, const Scenario& scenario,
                                                  bool root);
[[nodiscard]] std::vector<std::string> relay_arguments(const Place& place);

} // namespace roomd::bench
