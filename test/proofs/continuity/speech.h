// Speech — who says something when: a fixed number of messages a second, each at a time that was
// set beforehand, whatever the daemon is doing (an open loop).
//
// Owned by the Run; borrows the speakers of the Crowd.
#pragma once

#include "bench/histogram.h"
#include "test/proofs/continuity/crowd.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace roomd::continuity {

class Speech {
public:
    explicit Speech(Crowd& crowd);

    void begin(TimePoint now) { began_ = now; }

    /// Each tick: says what is due.
    void step(TimePoint now);

    /// How much later than intended it was said. Not the daemon's fault, but in its latency.
    [[nodiscard]] const bench::Histogram& late_us() const { return late_us_; }

private:
    Crowd* crowd_;
    std::vector<Member*> speakers_; // in the order in which they speak, again and again
    TimePoint began_{};
    std::uint64_t turns_ = 0;
    bench::Histogram late_us_;
};

} // namespace roomd::continuity
