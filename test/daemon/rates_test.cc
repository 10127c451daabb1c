#include "daemon/rates.h"

#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace roomd {

namespace {

constexpr TimePoint start{std::chrono::hours(5)};

TimePoint at_ms(std::int64_t ms) {
    return start + std::chrono::milliseconds(ms);
}

struct Taken {
    double at_s;
    double cost;
};

/// The most that was taken in any window, compared with what the window allows.
void check_every_window(const std::vector<Taken>& taken, double per_second,
                        double allowed_at_once) {
    for (std::size_t from = 0; from < taken.size(); ++from) {
        double sum = 0;
        for (std::size_t to = from; to < taken.size(); ++to) {
            sum += taken[to].cost;
            const double seconds = taken[to].at_s - taken[from].at_s;
            REQUIRE(sum <= per_second * seconds + allowed_at_once + 1e-6);
        }
    }
}

/// Takes what the command costs, or names the limit for which it may not.
std::optional<Limit> judge(Rates& rates, const Limits& limits, const Command& command,
                           std::uint64_t fanout_bytes, TimePoint now) {
    const Rates::Table table = Rates::table(limits);
    const Charge charge = charge_of(command, fanout_bytes, 0);
    if (const auto denial = rates.check(table, charge, now)) {
        return denial->limit;
    }
    rates.spend(table, charge, now);
    return std::nullopt;
}

/// How many of `count` commands at once are allowed.
int allowed(Rates& rates, const Limits& limits, const Command& command, int count, TimePoint now,
            Limit expected) {
    int passed = 0;
    for (int index = 0; index < count; ++index) {
        const std::optional<Limit> met = judge(rates, limits, command, 1, now);
        if (met) {
            CHECK(*met == expected);
        } else {
            ++passed;
        }
    }
    return passed;
}

} // namespace

TEST_CASE("TokenBucket: no window of t seconds sees more than rate * t + burst") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        sim::Random random(seed);
        const auto per_second = static_cast<double>(random.between(1, 50));
        const auto burst = static_cast<double>(random.between(1, 40));
        const auto cost_max = static_cast<std::uint64_t>(burst);
        TokenBucket bucket;
        std::vector<Taken> taken;
        std::int64_t now_ms = 0;
        double refused_since = 0;
        for (int step = 0; step < 400; ++step) {
            now_ms += static_cast<std::int64_t>(random.skewed(0, 1000));
            const auto cost = static_cast<double>(random.between(1, cost_max));
            if (bucket.take(cost, {per_second, burst}, at_ms(now_ms))) {
                taken.push_back({static_cast<double>(now_ms) / 1000, cost});
            } else {
                refused_since += cost;
            }
        }
        check_every_window(taken, per_second, burst);
        CHECK(!taken.empty());
        CHECK(taken.size() + static_cast<std::size_t>(refused_since) > 1);
    }
}

TEST_CASE("TokenBucket: who keeps to the rate is never refused") {
    TokenBucket bucket;
    for (int step = 0; step < 1000; ++step) {
        CHECK(bucket.take(1, {10, 1}, at_ms(std::int64_t{100} * step)));
    }
}

TEST_CASE("TokenBucket: a burst is there at once, the rest comes at the rate") {
    TokenBucket bucket;
    for (int step = 0; step < 20; ++step) {
        CHECK(bucket.take(1, {10, 20}, at_ms(0)));
    }
    CHECK_FALSE(bucket.take(1, {10, 20}, at_ms(0)));
    CHECK_FALSE(bucket.take(1, {10, 20}, at_ms(99)));
    CHECK(bucket.take(1, {10, 20}, at_ms(100)));
    CHECK_FALSE(bucket.take(1, {10, 20}, at_ms(100)));
    // An hour of silence gives the burst back, and no more.
    int passed = 0;
    while (bucket.take(1, {10, 20}, at_ms(3'600'000))) {
        ++passed;
    }
    CHECK(passed == 20);
}

TEST_CASE("TokenBucket: a cost above the burst passes when all is quiet, and is paid for") {
    TokenBucket bucket;
    CHECK(bucket.take(100, {10, 20}, at_ms(0)));
    CHECK_FALSE(bucket.take(1, {10, 20}, at_ms(8'000))); // 20 of 100 may stay open
    CHECK(bucket.take(1, {10, 20}, at_ms(8'100)));
    CHECK_FALSE(bucket.take(100, {10, 20}, at_ms(8'200)));
    CHECK(bucket.take(100, {10, 20}, at_ms(60'000)));
}

TEST_CASE("TokenBucket: a clock that goes back gives nothing away") {
    TokenBucket bucket;
    CHECK(bucket.take(20, {10, 20}, at_ms(10'000)));
    CHECK_FALSE(bucket.take(1, {10, 20}, at_ms(0)));
    CHECK_FALSE(bucket.take(1, {10, 20}, at_ms(10)));
}

TEST_CASE("Rates: each kind of command has its own limit") {
    Limits limits;
    limits.commands_per_second_max = 1000;
    limits.commands_burst_max = 1000;
    Rates rates;
    const TimePoint now = at_ms(0);
    SUBCASE("messages, whatever they are called") {
        CHECK(allowed(rates, limits, Text{"a"}, 10, now, Limit::messages_per_second_max) == 10);
        CHECK(allowed(rates, limits, Me{"a"}, 5, now, Limit::messages_per_second_max) == 5);
        CHECK(allowed(rates, limits, Msg{"n", "a"}, 4, now, Limit::messages_per_second_max) == 4);
        CHECK(allowed(rates, limits, Say{"r", "a"}, 5, now, Limit::messages_per_second_max) == 1);
        CHECK_FALSE(judge(rates, limits, Ping{}, 0, now).has_value());
    }
    SUBCASE("a new topic, which all hear; not the question for it") {
        const Topic topic{"r", "t"};
        CHECK(allowed(rates, limits, topic, 15, now, Limit::messages_per_second_max) == 15);
        CHECK(allowed(rates, limits, Text{"a"}, 15, now, Limit::messages_per_second_max) == 5);
        CHECK_FALSE(judge(rates, limits, Topic{"r", {}}, 0, now).has_value());
        CHECK_FALSE(judge(rates, limits, Topic{}, 0, now).has_value());
    }
    SUBCASE("joins and leaves") {
        CHECK(allowed(rates, limits, Join{"r", {}}, 15, now, Limit::joins_per_second_max) == 15);
        CHECK(allowed(rates, limits, Leave{}, 15, now, Limit::joins_per_second_max) == 5);
        CHECK(allowed(rates, limits, Join{"r", {}}, 9, at_ms(2000), Limit::joins_per_second_max) ==
              4);
    }
    SUBCASE("nicks") {
        CHECK(allowed(rates, limits, SetNick{"n"}, 9, now, Limit::nicks_per_minute_max) == 3);
        CHECK(allowed(rates, limits, SetNick{"n"}, 9, at_ms(20'100), Limit::nicks_per_minute_max) ==
              1);
    }
    SUBCASE("nicks, by whichever command") {
        const Hello hello{1, "n", {}, {}};
        CHECK(allowed(rates, limits, hello, 2, now, Limit::nicks_per_minute_max) == 2);
        CHECK(allowed(rates, limits, SetNick{"n"}, 9, now, Limit::nicks_per_minute_max) == 1);
        CHECK(allowed(rates, limits, hello, 9, now, Limit::nicks_per_minute_max) == 0);
        CHECK_FALSE(judge(rates, limits, Hello{1, {}, {}, {}}, 0, now).has_value());
    }
    SUBCASE("everything that is no message") {
        limits.commands_per_second_max = 20;
        limits.commands_burst_max = 40;
        CHECK(allowed(rates, limits, Who{}, 100, now, Limit::commands_per_second_max) == 40);
        CHECK_FALSE(judge(rates, limits, Text{"a"}, 1, now).has_value());
    }
}

TEST_CASE("Rates: what a text costs is its size times its audience") {
    Limits limits;
    Rates rates;
    limits.fanout_bytes_per_second_max = 1000;
    limits.fanout_bytes_burst_max = 5000;
    CHECK_FALSE(judge(rates, limits, Text{"a"}, 4000, at_ms(0)).has_value());
    CHECK(judge(rates, limits, Text{"a"}, 4000, at_ms(0)) == Limit::fanout_bytes_per_second_max);
    CHECK_FALSE(judge(rates, limits, Text{"a"}, 4000, at_ms(3000)).has_value());
    // One text for a very large room is possible, when nothing else was said.
    CHECK(judge(rates, limits, Text{"a"}, UINT64_MAX, at_ms(3000)) ==
          Limit::fanout_bytes_per_second_max);
    CHECK_FALSE(judge(rates, limits, Text{"a"}, 1'000'000, at_ms(60'000)).has_value());
}

TEST_CASE("Rates: a long answer costs as many commands as it is long") {
    const Limits limits;
    Rates rates;
    const Rates::Table table = Rates::table(limits);
    CHECK(charge_of(Who{}, 0, 0).commands == 1);
    const Charge charge = charge_of(Who{}, 0, 9 * 64 * 1024);
    CHECK(charge.commands == 10);
    int passed = 0;
    while (!rates.check(table, charge, at_ms(0))) {
        rates.spend(table, charge, at_ms(0));
        ++passed;
    }
    CHECK(passed == 4); // of the burst of 40
}

TEST_CASE("Rates: a denial says how long, and spending is possible beyond what is there") {
    const Limits limits;
    Rates rates;
    const Rates::Table table = Rates::table(limits);
    const Charge all{.messages = 20};
    const Charge one{.messages = 1};
    rates.spend(table, all, at_ms(0));
    const auto denial = rates.check(table, one, at_ms(0));
    REQUIRE(denial.has_value());
    CHECK(denial->limit == Limit::messages_per_second_max);
    CHECK(denial->wait == std::chrono::milliseconds(100));
    rates.spend(table, all, at_ms(0)); // on credit
    CHECK(rates.check(table, one, at_ms(0))->wait == std::chrono::milliseconds(2'100));
    CHECK_FALSE(rates.check(table, one, at_ms(2'100)));
    CHECK_FALSE(rates.full(table, at_ms(3'900)));
    CHECK(rates.full(table, at_ms(4'000)));
}

TEST_CASE("TokenBucket: what was spent stays spent over there, and comes back as time goes on") {
    sim::Random random(5);
    for (int round = 0; round < 200; ++round) {
        TokenBucket stays;
        TokenBucket goes;
        std::int64_t here_ms = 0;
        std::int64_t there_ms = 0; // another clock
        for (int step = 0; step < 60; ++step) {
            const auto wait_ms = static_cast<std::int64_t>(random.skewed(0, 2000));
            here_ms += wait_ms;
            there_ms += wait_ms;
            if (random.one_in(6)) {
                const BucketSaved saved = goes.saved(at_ms(there_ms));
                there_ms = static_cast<std::int64_t>(random.below(1'000'000));
                goes = {};
                goes.restore(saved, at_ms(there_ms));
            }
            const auto cost = static_cast<double>(random.between(1, 12));
            REQUIRE(stays.take(cost, {8, 16}, at_ms(here_ms)) ==
                    goes.take(cost, {8, 16}, at_ms(there_ms)));
        }
    }
}

TEST_CASE("TokenBucket: an age that no bucket has is a long time, and no more") {
    TokenBucket bucket;
    bucket.restore({1e9, UINT64_MAX}, at_ms(0));
    CHECK(bucket.saved(at_ms(0)).age_ms == 24ULL * 3600 * 1000);
    CHECK_FALSE(bucket.take(1, {10, 20}, at_ms(0))); // a day gives back less than that
    CHECK(TokenBucket().saved(at_ms(0)).spent == 0);
}

TEST_CASE("Rates: each kind of command goes on with what it had spent") {
    Limits limits;
    limits.commands_per_second_max = 5;
    limits.commands_burst_max = 12;
    Rates rates;
    const TimePoint now = at_ms(0);
    CHECK(allowed(rates, limits, Text{"a"}, 3, now, Limit::messages_per_second_max) == 3);
    CHECK(allowed(rates, limits, Join{"r", {}}, 4, now, Limit::joins_per_second_max) == 4);
    CHECK(allowed(rates, limits, SetNick{"n"}, 2, now, Limit::nicks_per_minute_max) == 2);
    const Rates::Saved saved = rates.saved(at_ms(500));
    CHECK(saved[0].spent == doctest::Approx(3)); // messages
    CHECK(saved[1].spent == doctest::Approx(9)); // bytes times audience: one each
    CHECK(saved[2].spent == doctest::Approx(6)); // commands
    CHECK(saved[3].spent == doctest::Approx(4)); // joins
    CHECK(saved[4].spent == doctest::Approx(2)); // nicks
    for (const BucketSaved& bucket : saved) {
        CHECK(bucket.age_ms == 500);
    }
    // At once in the next process, by whatever clock: as if nothing had happened.
    const TimePoint there = at_ms(-9'000'000);
    Rates next;
    next.restore(saved, there);
    CHECK(allowed(next, limits, SetNick{"n"}, 5, there, Limit::nicks_per_minute_max) == 1);
    Rates after;
    after.restore(saved, there);
    CHECK(allowed(after, limits, Who{}, 20, there, Limit::commands_per_second_max) == 8);
    CHECK(allowed(after, limits, Text{"a"}, 40, there, Limit::messages_per_second_max) == 20);
    Rates last;
    last.restore(saved, there);
    limits.commands_burst_max = 1'000;
    CHECK(allowed(last, limits, Leave{}, 40, there, Limit::joins_per_second_max) == 17);
}

} // namespace roomd
