#include "daemon/rates.h"

#include <algorithm>

namespace roomd {

namespace {

// Far longer than any bucket takes to be full again.
constexpr std::uint64_t age_ms_max = 24ULL * 3600 * 1000;
constexpr double seconds_max = 24.0 * 3600;
// Tokens that come back are sums of fractions: what is missing by less than this is there.
constexpr double rounding = 1e-9;

// Refusals need no setting: 20 at once tell a person and a program. They are all there again after
// Meter::hold_after_refusals.
constexpr Rate refusals{.per_second = 4, .burst = 20};

constexpr double minute_s = 60;
constexpr std::size_t nicks_bucket = 4;
constexpr double answer_bytes_per_command = 64.0 * 1024;

std::array<double, Rates::buckets> costs(const Charge& charge) {
    return {charge.messages, charge.fanout_bytes, charge.commands,
            charge.joins,    charge.nicks,        charge.refusals};
}

constexpr std::array<Limit, Rates::buckets> limit_of_bucket{
    Limit::messages_per_second_max, Limit::fanout_bytes_per_second_max,
    Limit::commands_per_second_max, Limit::joins_per_second_max,
    Limit::nicks_per_minute_max,    Limit::commands_per_second_max,
};

bool is_message(const Command& command) {
    return std::holds_alternative<Text>(command) || std::holds_alternative<Say>(command) ||
           std::holds_alternative<Me>(command) || std::holds_alternative<Msg>(command);
}

// All members of the room hear a new topic, as they hear a message.
bool is_new_topic(const Command& command) {
    const Topic* const topic = std::get_if<Topic>(&command);
    return topic != nullptr && topic->text.has_value();
}

bool asks_for_nick(const Command& command) {
    const Hello* const hello = std::get_if<Hello>(&command);
    return std::holds_alternative<SetNick>(command) || (hello != nullptr && hello->nick);
}

} // namespace

// What is still owed of what was spent.
double TokenBucket::owed(const Rate& rate, TimePoint now) const {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    return std::max(0.0, spent_ - std::max(0.0, seconds) * rate.per_second);
}

Duration TokenBucket::wait(double cost, const Rate& rate, TimePoint now) const {
    const double spent = owed(rate, now);
    const double over = std::min(spent, spent + cost - rate.burst);
    if (over <= rounding) {
        return Duration::zero();
    }
    const double seconds = std::min(over / rate.per_second, seconds_max);
    return std::chrono::ceil<Duration>(std::chrono::duration<double>(seconds));
}

void TokenBucket::spend(double cost, const Rate& rate, TimePoint now) {
    spent_ = owed(rate, now) + cost;
    last_ = now;
}

bool TokenBucket::take(double cost, const Rate& rate, TimePoint now) {
    const bool there = wait(cost, rate, now) == Duration::zero();
    spend(there ? cost : 0, rate, now);
    return there;
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

Charge charge_of(const Command& command, std::uint64_t fanout_bytes, std::uint64_t answer_bytes) {
    Charge charge;
    charge.fanout_bytes = static_cast<double>(fanout_bytes);
    if (is_message(command) || is_new_topic(command)) {
        charge.messages = 1;
        return charge;
    }
    charge.commands = 1 + static_cast<double>(answer_bytes) / answer_bytes_per_command;
    const bool moves =
        std::holds_alternative<Join>(command) || std::holds_alternative<Leave>(command);
    charge.joins = moves ? 1 : 0;
    charge.nicks = asks_for_nick(command) ? 1 : 0;
    return charge;
}

Rates::Table Rates::table(const Limits& limits) {
    const double nicks = limits.nicks_per_minute_max;
    return {
        Rate{static_cast<double>(limits.messages_per_second_max),
             static_cast<double>(limits.messages_burst_max)},
        Rate{static_cast<double>(limits.fanout_bytes_per_second_max),
             static_cast<double>(limits.fanout_bytes_burst_max)},
        Rate{static_cast<double>(limits.commands_per_second_max),
             static_cast<double>(limits.commands_burst_max)},
        Rate{static_cast<double>(limits.joins_per_second_max),
             static_cast<double>(limits.joins_burst_max)},
        Rate{nicks / minute_s, std::max(nicks, 1.0)},
        refusals,
    };
}

Rates::Table Rates::source_table(const Limits& limits) {
    Table rates = table(limits);
    for (Rate& rate : rates) {
        rate.per_second *= limits.source_rate_factor;
        rate.burst *= limits.source_rate_factor;
    }
    const double newcomers = limits.source_connects_per_minute_max;
    rates[nicks_bucket].per_second += newcomers / minute_s;
    rates[nicks_bucket].burst += newcomers;
    return rates;
}

std::optional<Rates::Denial> Rates::check(const Table& table, const Charge& charge,
                                          TimePoint now) const {
    std::optional<Denial> denial;
    const std::array<double, buckets> cost = costs(charge);
    for (std::size_t index = 0; index < buckets; ++index) {
        if (cost[index] <= 0) {
            continue;
        }
        const Duration wait = buckets_[index].wait(cost[index], table[index], now);
        if (wait > Duration::zero() && (!denial || wait > denial->wait)) {
            denial = {limit_of_bucket[index], wait};
        }
    }
    return denial;
}

void Rates::spend(const Table& table, const Charge& charge, TimePoint now) {
    const std::array<double, buckets> cost = costs(charge);
    for (std::size_t index = 0; index < buckets; ++index) {
        if (cost[index] > 0) {
            buckets_[index].spend(cost[index], table[index], now);
        }
    }
}

bool Rates::full(const Table& table, TimePoint now) const {
    for (std::size_t index = 0; index < buckets; ++index) {
        if (!buckets_[index].full(table[index], now)) {
            return false;
        }
    }
    return true;
}

Rates::Saved Rates::saved(TimePoint now) const {
    Saved saved;
    for (std::size_t index = 0; index < buckets_saved; ++index) {
        saved[index] = buckets_[index].saved(now);
    }
    return saved;
}

void Rates::restore(const Saved& saved, TimePoint now) {
    for (std::size_t index = 0; index < buckets_saved; ++index) {
        buckets_[index].restore(saved[index], now);
    }
}

} // namespace roomd
