#include "daemon/rates.h"

#include <algorithm>

namespace roomd {

namespace {

// Far longer than any bucket takes to be empty again.
constexpr std::uint64_t age_ms_max = 24ULL * 3600 * 1000;

bool is_message(const Command& command) {
    return std::holds_alternative<Text>(command) || std::holds_alternative<Say>(command) ||
           std::holds_alternative<Me>(command) || std::holds_alternative<Msg>(command);
}

} // namespace

bool TokenBucket::take(double cost, double per_second, double burst, TimePoint now) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    spent_ = std::max(0.0, spent_ - std::max(0.0, seconds) * per_second);
    if (spent_ > 0 && spent_ + cost > burst) {
        return false;
    }
    spent_ += cost;
    return true;
}

BucketSaved TokenBucket::saved(TimePoint now) const {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_).count();
    return {spent_,
            std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(age, 0)), age_ms_max)};
}

void TokenBucket::restore(const BucketSaved& saved, TimePoint now) {
    spent_ = saved.spent;
    last_ = now - std::chrono::milliseconds(std::min(saved.age_ms, age_ms_max));
}

Rates::Saved Rates::saved(TimePoint now) const {
    return {messages_.saved(now), fanout_.saved(now), commands_.saved(now), joins_.saved(now),
            nicks_.saved(now)};
}

void Rates::restore(const Saved& saved, TimePoint now) {
    std::size_t index = 0;
    for (TokenBucket* const bucket : {&messages_, &fanout_, &commands_, &joins_, &nicks_}) {
        bucket->restore(saved[index++], now);
    }
}

std::optional<Limit> Rates::judge(const Limits& limits, const Command& command,
                                  std::uint64_t fanout_bytes, TimePoint now) {
    if (is_message(command)) {
        if (!messages_.take(1, limits.messages_per_second_max, limits.messages_burst_max, now)) {
            return Limit::messages_per_second_max;
        }
        if (!fanout_.take(static_cast<double>(fanout_bytes), limits.fanout_bytes_per_second_max,
                          limits.fanout_bytes_burst_max, now)) {
            return Limit::fanout_bytes_per_second_max;
        }
        return std::nullopt;
    }
    if (!commands_.take(1, limits.commands_per_second_max, limits.commands_burst_max, now)) {
        return Limit::commands_per_second_max;
    }
    const bool moves =
        std::holds_alternative<Join>(command) || std::holds_alternative<Leave>(command);
    if (moves && !joins_.take(1, limits.joins_per_second_max, limits.joins_burst_max, now)) {
        return Limit::joins_per_second_max;
    }
    constexpr double minute_s = 60;
    const double nicks = limits.nicks_per_minute_max;
    if (std::holds_alternative<SetNick>(command) &&
        !nicks_.take(1, nicks / minute_s, std::max(nicks, 1.0), now)) {
        return Limit::nicks_per_minute_max;
    }
    return std::nullopt;
}

} // namespace roomd
