// TokenBucket, Charge, Rates — how often somebody may do something.
//
// Plain values without a clock of their own. One Rates counts for one connection, one for all of a
// source (sources.h); meter.h says how both are asked together.
//
// Invariant: in any span of t seconds at most rate * t + burst are taken with check().
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

/// What comes back to a bucket each second, and how much it holds.
struct Rate {
    double per_second = 0;
    double burst = 0;
};

/// A bucket without a clock: what is spent, and how long ago that was so.
struct BucketSaved {
    double spent = 0;
    std::uint64_t age_ms = 0;
};

class TokenBucket {
public:
    /// How long until `cost` tokens are there; zero: they are. A cost above the burst is there when
    /// the bucket is full, so that nothing is forbidden for ever.
    [[nodiscard]] Duration wait(double cost, const Rate& rate, TimePoint now) const;
    /// Takes them, also if they are not there: then those that come back pay for it first.
    void spend(double cost, const Rate& rate, TimePoint now);
    /// Takes them if they are there.
    [[nodiscard]] bool take(double cost, const Rate& rate, TimePoint now);

    [[nodiscard]] bool full(const Rate& rate, TimePoint now) const { return owed(rate, now) <= 0; }

    [[nodiscard]] BucketSaved saved(TimePoint now) const;
    void restore(const BucketSaved& saved, TimePoint now);

private:
    [[nodiscard]] double owed(const Rate& rate, TimePoint now) const;

    double spent_ = 0;
    TimePoint last_{};
};

/// What one unit of input costs. Each number has its bucket.
struct Charge {
    double messages = 0;
    double fanout_bytes = 0; // size of the text times its audience
    double commands = 0;
    double joins = 0;
    double nicks = 0;
    double refusals = 0;
};

/// For a payload that is refused whatever it says, and for an empty one.
inline constexpr Charge charge_of_refused{.commands = 1};
/// For the answer `rate_limited`.
inline constexpr Charge charge_of_refusal{.refusals = 1};

/// `fanout_bytes`: what others will be sent for it. `answer_bytes`: about what its answer will
/// take: each 64 KiB cost as much as one command more.
[[nodiscard]] Charge charge_of(const Command& command, std::uint64_t fanout_bytes,
                               std::uint64_t answer_bytes);

class Rates {
public:
    static constexpr std::size_t buckets = 6;
    using Table = std::array<Rate, buckets>;

    /// What the limits allow one connection.
    [[nodiscard]] static Table table(const Limits& limits);
    /// What they allow all connections of one source together: source_rate_factor times as much;
    /// and each new connection may name itself.
    [[nodiscard]] static Table source_table(const Limits& limits);

    /// Refusals are not among them: a new process begins with a full bucket of those.
    static constexpr std::size_t buckets_saved = 5;
    using Saved = std::array<BucketSaved, buckets_saved>;

    struct Denial {
        Limit limit;
        Duration wait; // until all of the charge is there
    };

    /// The limit that forbids the charge now, if any. Takes nothing. A denied refusal names no
    /// limit of the configuration: commands_per_second_max stands for it.
    [[nodiscard]] std::optional<Denial> check(const Table& table, const Charge& charge,
                                              TimePoint now) const;
    void spend(const Table& table, const Charge& charge, TimePoint now);
    /// Nothing is owed: whoever forgets these rates gives nothing away.
    [[nodiscard]] bool full(const Table& table, TimePoint now) const;

    /// For another process, and in it.
    [[nodiscard]] Saved saved(TimePoint now) const;
    void restore(const Saved& saved, TimePoint now);

private:
    std::array<TokenBucket, buckets> buckets_;
};

} // namespace roomd
