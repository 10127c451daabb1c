// Faults — what goes wrong in one seed, and how often.
//
// A plain value. Swarm testing: each seed switches each fault on or off by itself, because a run
// with everything on hides what only a few together bring about. Chances are per mille of the calls
// concerned; 0 = off.
#pragma once

#include "test/sim/random.h"

#include <algorithm>
#include <cstdint>

namespace roomd::sim {

/// When a descriptor is said to become readable.
enum class EdgeMode : std::uint8_t {
    arrival,    // with every arrival, as Linux does
    transition, // when the buffer was empty
    contract    // only after a read has answered would_block: the least that poller.h promises
};

struct Faults {
    EdgeMode edge_mode = EdgeMode::arrival;
    unsigned short_read = 0;
    unsigned short_write = 0;
    unsigned blocked_read = 0;  // EAGAIN though there are bytes; the edge follows
    unsigned blocked_write = 0; // EAGAIN though there is room; the edge follows
    unsigned no_buffers = 0;    // ENOBUFS at write; no edge follows
    unsigned accept_aborted = 0;
    unsigned accept_episode = 0; // ENFILE or ENOBUFS for some milliseconds
    unsigned spurious_edge = 0;
    unsigned delayed_edge = 0;
    unsigned stale_edge = 0;
    bool reorder = false;
    bool split_directions = false; // as kqueue: two edges for one key
    std::uint32_t batch_max = 512;
    std::uint64_t tick_us_max = 20; // what a tick costs: a busy machine finds more in each batch
    std::uint64_t latency_us_min = 5;
    std::uint64_t latency_us_max = 50;
    std::uint64_t buffer_bytes_min = 65'536; // of each direction of a connection
    std::uint64_t buffer_bytes_max = 65'536;
    std::uint64_t segment_bytes_max = 262'144; // how a client's bytes are cut on their way

    [[nodiscard]] static Faults draw(Random& random) {
        Faults faults;
        const auto sometimes = [&random](std::uint64_t most) -> unsigned {
            return random.one_in(2) ? static_cast<unsigned>(random.skewed(1, most)) : 0U;
        };
        faults.edge_mode = static_cast<EdgeMode>(random.below(3));
        faults.short_read = sometimes(900);
        faults.short_write = sometimes(900);
        faults.blocked_read = sometimes(300);
        faults.blocked_write = sometimes(300);
        faults.no_buffers = random.one_in(4) ? sometimes(100) : 0U;
        faults.accept_aborted = random.one_in(3) ? sometimes(200) : 0U;
        faults.accept_episode = random.one_in(3) ? sometimes(100) : 0U;
        faults.spurious_edge = sometimes(300);
        faults.delayed_edge = sometimes(300);
        faults.stale_edge = sometimes(500);
        faults.reorder = random.one_in(2);
        faults.split_directions = random.one_in(3);
        if (random.one_in(4)) {
            faults.batch_max = static_cast<std::uint32_t>(random.skewed(1, 8));
        }
        if (random.one_in(2)) {
            faults.tick_us_max = random.skewed(20, 20'000);
        }
        faults.latency_us_max = faults.latency_us_min + random.skewed(1, 50'000);
        if (random.one_in(2)) {
            faults.buffer_bytes_min = random.skewed(16, 4'096);
            // A pipe both narrow and slow would be nothing but a slow reader's.
            faults.latency_us_max = std::min(faults.latency_us_max, faults.buffer_bytes_min * 30);
            faults.tick_us_max = std::min(faults.tick_us_max, faults.buffer_bytes_min * 30);
            faults.buffer_bytes_max = faults.buffer_bytes_min + random.skewed(1, 65'536);
        } else if (random.one_in(2)) {
            faults.buffer_bytes_max = 262'144;
        }
        if (random.one_in(2)) {
            faults.segment_bytes_max = random.skewed(1, 4'096);
        }
        return faults;
    }
};

} // namespace roomd::sim
