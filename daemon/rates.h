// TokenBucket, Rates — how often one peer may do something.
//
// Owned by a session of a listener that strangers can reach; others have none. Plain values, no
// clock of their own.
//
// Invariant: in any span of t seconds at most rate * t + burst are allowed.
#pragma once

#include "daemon/config.h"
#include "daemon/counters.h"
#include "protocol/command.h"
#include "reactor/time.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace roomd {

/// A bucket without a clock: what is spent, and how long ago that was so.
struct BucketSaved {
    double spent = 0;
    std::uint64_t age_ms = 0;
};

class TokenBucket {
public:
    /// Takes `cost` tokens if they are there. `per_second` tokens come back each second, up to
    /// `burst`. A cost above the burst is allowed when the bucket is full, so that nothing is
    /// forbidden for ever.
    [[nodiscard]] bool take(double cost, double per_second, double burst, TimePoint now);

    [[nodiscard]] BucketSaved saved(TimePoint now) const;
    void restore(const BucketSaved& saved, TimePoint now);

private:
    double spent_ = 0;
    TimePoint last_{};
};

class Rates {
public:
    static constexpr std::size_t buckets = 5;
    using Saved = std::array<BucketSaved, buckets>;

    /// The limit that forbids the command now, if any. `fanout_bytes`: size of the text times its
    /// audience.
    [[nodiscard]] std::optional<Limit> judge(const Limits& limits, const Command& command,
                                             std::uint64_t fanout_bytes, TimePoint now);

    /// For another process, and in it.
    [[nodiscard]] Saved saved(TimePoint now) const;
    void restore(const Saved& saved, TimePoint now);

private:
    TokenBucket messages_;
    TokenBucket fanout_;
    TokenBucket commands_;
    TokenBucket joins_;
    TokenBucket nicks_;
};

} // namespace roomd
