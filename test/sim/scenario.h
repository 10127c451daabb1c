// Scenario — all that one seed decides beforehand: the daemon's configuration, what goes wrong, and
// who comes.
//
// A plain value, drawn once. Small worlds most of the time, because they are quick and their
// failures are readable; now and then one with thousands of clients.
#pragma once

#include "daemon/config.h"
#include "test/sim/chat_client.h"
#include "test/sim/faults.h"

#include <string>
#include <vector>

namespace roomd::sim {

struct Scenario {
    Config config;
    Faults faults;
    std::vector<Role> people;
    std::vector<std::pair<std::string, bool>>
        vandals; // the address each goes to; whether framing is sniffed there
    std::size_t echoes = 0;
    std::size_t datagrams = 0;
    std::size_t shortages = 0;    // times when descriptors run out for a while
    std::size_t handovers = 0;    // times when another process takes over
    Instant active = 10 * second; // how long people say new things
    bool stop_early = false;      // the daemon is stopped in the middle of it
    bool stop_twice = false;
    Instant drain_over = 0;      // it is drained instead, so slowly; 0: it is not
    bool memory_scarce = false;  // anybody may be closed to free some
    bool unread_excused = false; // some policy makes producers wait
};

inline constexpr const char* echo_address = "127.0.0.1:8891";
inline constexpr const char* datagram_address = "udp 127.0.0.1:8888";

[[nodiscard]] Scenario draw_scenario(Random& random);

/// Some of those who hear events read steadily and so slowly that only the kernel can tell; where
/// nothing but stalling may cost them the connection.
void draw_steady(Random& random, Scenario& scenario);

/// Somebody on this machine, or (`stranger`) not.
[[nodiscard]] SocketAddress caller_address(std::uint32_t number, bool stranger);
[[nodiscard]] SocketAddress unix_caller();

} // namespace roomd::sim
