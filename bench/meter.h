// Meter — the clock and the books of one run: when measuring begins and ends, what the server and
// the generator used meanwhile, the memory curve, and the progress that is shown.
//
// Owned by a load. Knows no connections.
#pragma once

#include "bench/result.h"
#include "bench/run.h"
#include "reactor/time.h"

#include <cstdint>

namespace roomd::bench {

class Meter {
public:
    Meter(const Server& server, const Scenario& scenario, const RunOptions& options,
          Result& result);

    /// The load begins now: warm-up first.
    void begin(TimePoint now);

    enum class Phase : std::uint8_t { warming, measuring, over };

    /// Where `now` is. `deliveries`, `messages` and `bytes` are totals since the load began: what
    /// came between the two borders is the result. Samples memory and shows progress.
    Phase at(TimePoint now, std::uint64_t deliveries, std::uint64_t messages, std::uint64_t bytes);

    [[nodiscard]] Phase phase() const { return phase_; }

    /// Whether at() needs totals now; else zeros will do.
    [[nodiscard]] bool due(TimePoint now) const { return now >= next_; }

    [[nodiscard]] TimePoint measuring_since() const { return measuring_since_; }

private:
    struct Totals {
        std::uint64_t deliveries = 0;
        std::uint64_t messages = 0;
        std::uint64_t bytes = 0;
        double server_cpu = 0;
        double own_cpu = 0;
    };

    [[nodiscard]] Totals totals(std::uint64_t deliveries, std::uint64_t messages,
                                std::uint64_t bytes) const;
    void sample(TimePoint now);
    void show(TimePoint now, std::uint64_t deliveries);

    const Server* server_;
    const Scenario* scenario_;
    const RunOptions* options_;
    Result* result_;
    Phase phase_ = Phase::warming;
    TimePoint began_{};
    TimePoint measuring_since_{};
    TimePoint ends_{};
    TimePoint next_{};
    TimePoint shown_{};
    std::uint64_t shown_deliveries_ = 0;
    Totals first_;
};

} // namespace roomd::bench
