// Scenario — one kind of load, in numbers. A value: roombench fills it in from its command line or
// from the standard suite, and every server that is compared gets the same one.
#pragma once

#include <cstdint>
#include <string>

namespace roomd::bench {

enum class Load : std::uint8_t {
    fanout,  // publishers speak, members hear: window or rate
    connect, // connections come and go
    idle,    // connections that do nothing
    slow,    // fanout at a rate beside members that do not read
    echo,    // each publisher gets its own bytes back
    mixed    // members join, leave, rename and speak
};

/// How roomd is asked to speak to members.
enum class Dialect : std::uint8_t { plain, event, human };

struct Scenario {
    std::string name; // "S1", or the subcommand
    Load load = Load::fanout;
    std::uint32_t rooms = 1;
    std::uint32_t publishers = 1; // dealt out over the rooms in turn
    std::uint32_t members = 100;  // of each room, beside its publishers
    std::uint32_t size = 64;      // bytes of a message's text, at least 24
    std::uint32_t window =
        512;         // closed loop: messages of one publisher that not all its members have
    double rate = 0; // open loop: messages a second of all publishers together; 0: closed
    std::uint32_t stalled = 0; // slow: members that never read
    Dialect dialect = Dialect::plain;
    bool acknowledged = false;   // closed loop over the server's acknowledgements: members may be 0
    double seconds = 3;          // measured
    double warmup_seconds = 0.5; // not measured
};

/// Connections that a scenario opens.
[[nodiscard]] inline std::uint64_t connections(const Scenario& scenario) {
    return std::uint64_t{scenario.rooms} * scenario.members + scenario.publishers +
           scenario.stalled;
}

} // namespace roomd::bench
