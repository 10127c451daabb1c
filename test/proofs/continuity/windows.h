// Windows — how long messages took to arrive, apart for the time before the first restart and for
// each restart.
//
// Owned by the Crowd. A window begins a little before its restart, so that what was said and not
// yet heard counts to it, and lasts until the next. A connection's *pause* in it is the longest
// that any message took to reach that connection.
#pragma once

#include "bench/histogram.h"
#include "reactor/time.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace roomd::continuity {

struct Window {
    std::uint64_t begin_us = 0;
    bench::Histogram latency_us; // every message at every member
    bench::Histogram pause_us;   // every member
    double command_ms = 0;       // until the command had ended
    double back_ms = 0;          // crash: until a new connection was greeted
    double resumed_ms = 0;       // crash: until every member was back
    std::uint64_t lost = 0;      // connections
    TimePoint lost_at{};         // the first of them
};

class Windows {
public:
    Windows() : windows_(1) {}

    /// What is meant to be said from `begin_us` on belongs to a new window.
    void open(std::uint64_t begin_us) { windows_.emplace_back().begin_us = begin_us; }

    /// A member heard something; `window` and `worst_us` are its own notes.
    void record(std::uint32_t& window, std::uint64_t& worst_us, std::uint64_t intended_us,
                std::uint64_t latency_us) {
        std::size_t index = windows_.size() - 1;
        while (index > 0 && intended_us < windows_[index].begin_us) {
            --index;
        }
        windows_[index].latency_us.record(latency_us);
        if (index > window) {
            close(window, worst_us);
            window = static_cast<std::uint32_t>(index);
        }
        worst_us = index == window && latency_us > worst_us ? latency_us : worst_us;
    }

    /// A member's window is over.
    void close(std::uint32_t window, std::uint64_t& worst_us) {
        if (worst_us > 0) {
            windows_[window].pause_us.record(worst_us);
        }
        worst_us = 0;
    }

    [[nodiscard]] Window& now() { return windows_.back(); }

    [[nodiscard]] const std::vector<Window>& all() const { return windows_; }

private:
    std::vector<Window> windows_; // the first: before any restart
};

} // namespace roomd::continuity
