#include "daemon/meter.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace roomd {

namespace {

using Answer = Meter::Answer;

constexpr TimePoint start{std::chrono::hours(5)};

TimePoint at_ms(std::int64_t ms) {
    return start + std::chrono::milliseconds(ms);
}

struct Outcome {
    int allowed = 0;
    int refused = 0;
    double held_s = 0;
};

/// A client that has `count` units to send and sends the next whenever it may, until `end`.
Outcome flood(Meter& meter, Rates& source, const Limits& limits, const Charge& charge, int count,
              TimePoint now, TimePoint end) {
    Outcome outcome;
    while (count > 0 && now < end) {
        const Meter::Verdict verdict = meter.judge(limits, source, charge, now);
        if (verdict.answer == Answer::later) {
            REQUIRE(verdict.wait > Duration::zero());
            outcome.held_s += std::chrono::duration<double>(verdict.wait).count();
            now += verdict.wait;
            continue;
        }
        (verdict.answer == Answer::allowed ? outcome.allowed : outcome.refused)++;
        --count;
    }
    return outcome;
}

constexpr Charge message{.messages = 1};

} // namespace

TEST_CASE("Meter: within its limits a connection is neither refused nor held") {
    const Limits limits;
    Meter meter;
    Rates source;
    for (int step = 0; step < 1000; ++step) {
        const Meter::Verdict verdict =
            meter.judge(limits, source, message, at_ms(std::int64_t{100} * step));
        REQUIRE(verdict.answer == Answer::allowed);
    }
}

TEST_CASE("Meter: whatever a payload is, a flood of it is answered so often and then held") {
    const Limits limits;

    struct Kind {
        Charge charge;
        int allowed_max; // burst, and what has come back after the hold
        Limit limit;
    };

    const std::vector<Kind> kinds{
        {message, 20 + 20, Limit::messages_per_second_max},
        {charge_of(Topic{"room", "x"}, 1, 0), 20 + 20, Limit::messages_per_second_max},
        {charge_of_refused, 40 + 40, Limit::commands_per_second_max},
        {charge_of(Ping{"x"}, 0, 0), 40 + 40, Limit::commands_per_second_max},
        {charge_of(Join{"room", {}}, 0, 0), 20 + 10, Limit::joins_per_second_max},
        {charge_of(SetNick{"ann"}, 0, 0), 3, Limit::nicks_per_minute_max},
        {charge_of(Hello{1, "ann", {}, {}}, 0, 0), 3, Limit::nicks_per_minute_max},
        {charge_of(Say{"room", "x"}, 1U << 20U, 0), 8 + 8, Limit::fanout_bytes_per_second_max},
        {charge_of(Topic{"room", "x"}, 1U << 20U, 0), 8 + 8, Limit::fanout_bytes_per_second_max},
        {charge_of(Msg{"ann", "x"}, 1U << 20U, 0), 8 + 8, Limit::fanout_bytes_per_second_max},
    };
    for (std::size_t index = 0; index < kinds.size(); ++index) {
        CAPTURE(index);
        const Kind& kind = kinds[index];
        Meter meter;
        Rates source;
        const Outcome outcome =
            flood(meter, source, limits, kind.charge, 20'000, at_ms(0), at_ms(10'000));
        CHECK(outcome.allowed == kind.allowed_max);
        CHECK(outcome.refused == 20 + 20);
        CHECK(outcome.held_s >= 10);
        Meter other;
        Rates rest;
        Meter::Verdict verdict;
        do { // the limit that is named is the one that was met
            verdict = other.judge(limits, rest, kind.charge, at_ms(0));
        } while (verdict.answer == Answer::allowed);
        CHECK(verdict.answer == Answer::refuse);
        CHECK(verdict.limit == kind.limit);
    }
}

TEST_CASE("Meter: what is held is told once, and its end comes when it was promised") {
    const Limits limits;
    Meter meter;
    Rates source;
    Meter::Verdict verdict;
    do {
        verdict = meter.judge(limits, source, message, at_ms(0));
    } while (verdict.answer != Answer::later);
    CHECK_FALSE(verdict.again);
    CHECK(verdict.limit == Limit::messages_per_second_max);
    const Meter::Verdict early = meter.judge(limits, source, message, at_ms(1));
    CHECK(early.answer == Answer::later);
    CHECK(early.again);
    const Meter::Verdict due = meter.judge(limits, source, message, at_ms(0) + verdict.wait);
    CHECK(due.answer != Answer::later);
}

TEST_CASE("Meter: a refusal costs nothing but a refusal") {
    Limits limits;
    limits.fanout_bytes_per_second_max = 1024;
    limits.fanout_bytes_burst_max = 1024;
    Meter meter;
    Rates source;
    const Charge large{.messages = 1, .fanout_bytes = 3000};
    const Charge small{.messages = 1};
    CHECK(meter.judge(limits, source, large, at_ms(0)).answer == Answer::allowed);
    for (int count = 0; count < 15; ++count) { // they do not eat up the messages
        CHECK(meter.judge(limits, source, large, at_ms(0)).answer == Answer::refuse);
    }
    for (int count = 0; count < 19; ++count) {
        CHECK(meter.judge(limits, source, small, at_ms(0)).answer == Answer::allowed);
    }
}

TEST_CASE("Meter: new connections of a source are no new budget") {
    const Limits limits; // a source has four times what a connection has
    Rates source;
    int allowed = 0;
    for (int connection = 0; connection < 50; ++connection) {
        Meter meter;
        while (meter.judge(limits, source, message, at_ms(0)).answer == Answer::allowed) {
            ++allowed;
        }
    }
    CHECK(allowed == 4 * 20);
}

TEST_CASE("Meter: over its source's budget nothing is refused: each waits for its turn") {
    const Limits limits;
    Rates source;
    Meter spender[4];
    for (Meter& meter : spender) {
        for (int count = 0; count < 20; ++count) {
            REQUIRE(meter.judge(limits, source, message, at_ms(0)).answer == Answer::allowed);
        }
    }
    // The source has 40 a second: the first waits 25 ms, the next 50 ms, and so on.
    Meter waiting[8];
    for (int index = 0; index < 8; ++index) {
        const Meter::Verdict verdict = waiting[index].judge(limits, source, message, at_ms(0));
        CHECK(verdict.answer == Answer::later);
        CHECK(verdict.limit == Limit::messages_per_second_max);
        CHECK(verdict.wait >= std::chrono::milliseconds(25 * (index + 1)));
        CHECK(verdict.wait < std::chrono::milliseconds(25 * (index + 1) + 1));
    }
    // Whoever asks late finds its turn kept.
    for (int index = 7; index >= 0; --index) {
        CHECK(waiting[index].judge(limits, source, message, at_ms(24)).answer == Answer::later);
        CHECK(waiting[index].judge(limits, source, message, at_ms(201)).answer == Answer::allowed);
    }
}

TEST_CASE("Meter: one after the other may name itself, however many are behind an address") {
    const Limits limits;
    Rates source;
    const Charge hello = charge_of(Hello{1, "ann", {}, {}}, 0, 0);
    for (std::uint32_t index = 0; index < limits.source_connects_per_minute_max; ++index) {
        Meter meter;
        CHECK(meter.judge(limits, source, hello, at_ms(0)).answer == Answer::allowed);
    }
}

TEST_CASE("Meter: what is gone is paid for, and what comes behind it waits") {
    const Limits limits;
    Meter meter;
    Rates source;
    for (int count = 0; count < 40; ++count) {
        CHECK(meter.charge(limits, source, charge_of_refused, at_ms(0)) == Duration::zero());
    }
    const Duration wait = meter.charge(limits, source, charge_of_refused, at_ms(0));
    CHECK(wait > Duration::zero());
    CHECK(meter.judge(limits, source, charge_of_refused, at_ms(0)).answer == Answer::refuse);
    CHECK(meter.judge(limits, source, charge_of_refused, at_ms(101)).answer == Answer::allowed);
}

TEST_CASE("Meter: a datagram over a rate is lost, and costs nothing") {
    const Limits limits;
    Meter meter;
    Rates source;
    for (int count = 0; count < 20; ++count) {
        CHECK_FALSE(meter.take(limits, source, message, at_ms(0)));
    }
    for (int count = 0; count < 1000; ++count) {
        CHECK(meter.take(limits, source, message, at_ms(0)) == Limit::messages_per_second_max);
    }
    CHECK_FALSE(meter.take(limits, source, message, at_ms(100)));
}

} // namespace roomd
