#include "daemon/rates.h"

#include <algorithm>

namespace roomd {

namespace {

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
