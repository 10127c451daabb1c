#include "daemon/sources.h"

#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

namespace roomd {

namespace {

using Verdict = Sources::Verdict;

const Limits limits;
constexpr Charge message{.messages = 1};

constexpr TimePoint start{std::chrono::hours(1)};

SourceKey source(std::uint64_t number) {
    return {0xFFFF, number};
}

} // namespace

TEST_CASE("Sources: a source has so many connections and no more, others are not its concern") {
    Sources sources({1, 2});
    for (int index = 0; index < 32; ++index) {
        CHECK(sources.admit(source(1), 32, 1000, start) == Verdict::welcome);
    }
    CHECK(sources.admit(source(1), 32, 1000, start) == Verdict::too_many);
    CHECK(sources.admit(source(2), 32, 1000, start) == Verdict::welcome);
    sources.release(source(1));
    CHECK(sources.admit(source(1), 32, 1000, start) == Verdict::welcome);
    CHECK(sources.admit(source(1), 32, 1000, start) == Verdict::too_many);
}

TEST_CASE("Sources: connecting too fast is refused until the minute has passed") {
    Sources sources({1, 2});
    for (int index = 0; index < 60; ++index) {
        CHECK(sources.admit(source(1), 32, 60, start) == Verdict::welcome);
        sources.release(source(1));
    }
    CHECK(sources.admit(source(1), 32, 60, start) == Verdict::too_fast);
    CHECK(sources.admit(source(1), 32, 60, start + std::chrono::seconds(59)) == Verdict::too_fast);
    CHECK(sources.admit(source(1), 32, 60, start + std::chrono::seconds(60)) == Verdict::welcome);
}

TEST_CASE("Sources: releasing a stranger, or once too often, is harmless") {
    Sources sources({1, 2});
    sources.release(source(7));
    CHECK(sources.size() == 0);
    CHECK(sources.admit(source(1), 1, 60, start) == Verdict::welcome);
    sources.release(source(1));
    sources.release(source(1));
    CHECK(sources.admit(source(1), 1, 60, start) == Verdict::welcome);
    CHECK(sources.admit(source(1), 1, 60, start) == Verdict::too_many);
}

TEST_CASE("Sources: a sweep forgets who is gone and has been quiet for a minute, nobody else") {
    Sources sources({1, 2});
    CHECK(sources.admit(source(1), 9, 9, start) == Verdict::welcome); // stays
    CHECK(sources.admit(source(2), 9, 9, start) == Verdict::welcome);
    sources.release(source(2));
    sources.sweep(limits, start + std::chrono::seconds(59));
    CHECK(sources.size() == 2);
    sources.sweep(limits, start + std::chrono::seconds(60));
    CHECK(sources.size() == 1);
    sources.sweep(limits, start + std::chrono::hours(9));
    CHECK(sources.size() == 1);
    sources.release(source(1));
    sources.sweep(limits, start + std::chrono::hours(9));
    CHECK(sources.size() == 0);
}

TEST_CASE("Sources: somebody with very many addresses does not make the table grow") {
    Sources sources({1, 2});
    CHECK(sources.admit(source(0), 9, 1, start) == Verdict::welcome); // connected all the time
    for (std::uint64_t number = 1; number < 300'000; ++number) {
        REQUIRE(sources.admit(source(number), 9, 9, start) == Verdict::welcome);
        sources.release(source(number));
        REQUIRE(sources.size() <= 65'537);
    }
    CHECK(sources.admit(source(0), 9, 1, start) == Verdict::too_fast); // and is remembered
}

TEST_CASE("Sources: open connections are remembered, however many there are") {
    Sources sources({1, 2});
    for (std::uint64_t number = 0; number < 200'000; ++number) {
        REQUIRE(sources.admit(source(number), 1, 9, start) == Verdict::welcome);
    }
    CHECK(sources.size() == 200'000);
    CHECK(sources.admit(source(5), 1, 9, start) == Verdict::too_many);
}

TEST_CASE("Sources: it agrees with a plain count over random comings and goings") {
    sim::Random random(3);
    Sources sources({random.next(), random.next()});
    std::map<std::uint64_t, std::uint32_t> open;
    TimePoint now = start;
    for (int step = 0; step < 20'000; ++step) {
        const std::uint64_t number = random.below(20);
        now += std::chrono::milliseconds(random.below(100));
        if (random.one_in(2)) {
            const Verdict expected = open[number] >= 5 ? Verdict::too_many : Verdict::welcome;
            REQUIRE(sources.admit(source(number), 5, UINT32_MAX, now) == expected);
            open[number] += expected == Verdict::welcome ? 1 : 0;
        } else if (open[number] > 0) {
            sources.release(source(number));
            --open[number];
        }
        if (random.one_in(50)) {
            sources.sweep(limits, now);
        }
    }
}

TEST_CASE("Sources: who has connected often has so over there, and the minute goes on") {
    Sources sources({1, 2});
    for (int index = 0; index < 5; ++index) {
        CHECK(sources.admit(source(1), 9, 7, start) == Verdict::welcome);
        sources.release(source(1));
    }
    const std::vector<Sources::Saved> saved =
        sources.saved(limits, start + std::chrono::seconds(40));
    REQUIRE(saved.size() == 1);
    CHECK(saved[0].source == source(1));
    CHECK(saved[0].recent == 5);
    CHECK(saved[0].age_ms == 40'000);
    for (const int after_s : {0, 19, 20}) {
        const TimePoint there = start - std::chrono::minutes(9); // another clock
        Sources next({3, 4});
        next.restore(saved[0], there);
        const TimePoint now = there + std::chrono::seconds(after_s);
        CHECK(next.admit(source(1), 9, 7, now) == Verdict::welcome);
        CHECK(next.admit(source(1), 9, 7, now) == Verdict::welcome);
        CHECK(next.admit(source(1), 9, 7, now) ==
              (after_s < 20 ? Verdict::too_fast : Verdict::welcome));
    }
}

TEST_CASE("Sources: open connections are counted again one by one, those of the minute are not") {
    Sources sources({1, 2});
    sources.restore({source(1), 3, 10'000, {}}, start);
    sources.readmit(source(1));
    sources.readmit(source(1));
    sources.readmit(source(2)); // its minute is over: nothing else is known of it
    CHECK(sources.size() == 2);
    CHECK(sources.admit(source(1), 3, 4, start) == Verdict::welcome);
    CHECK(sources.admit(source(1), 3, 99, start) == Verdict::too_many);
    CHECK(sources.admit(source(1), 9, 4, start) == Verdict::too_fast);
    CHECK(sources.admit(source(2), 1, 99, start) == Verdict::too_many);
    for (int index = 0; index < 3; ++index) {
        sources.release(source(1));
    }
    sources.release(source(2));
    sources.sweep(limits, start + std::chrono::seconds(49));
    CHECK(sources.size() == 2);
    sources.sweep(limits, start + std::chrono::seconds(50)); // the minute of the first is over
    CHECK(sources.size() == 1);
    sources.sweep(limits,
                  start + std::chrono::seconds(60)); // and that in which the second was refused
    CHECK(sources.size() == 0);
}

TEST_CASE("Sources: a source that owes its rates something is remembered until it has paid") {
    Sources sources({1, 2});
    CHECK(sources.admit(source(1), 9, 9, start) == Verdict::welcome);
    Meter first;
    int allowed = 0;
    while (first.judge(limits, sources.rates(source(1)), message, start).answer ==
           Meter::Answer::allowed) {
        ++allowed;
    }
    CHECK(allowed == 20);
    // Its rates have a debt that takes longer than the minute of its connects.
    sources.rates(source(1)).spend(Rates::source_table(limits), {.messages = 3'000}, start);
    sources.release(source(1));
    sources.sweep(limits, start + std::chrono::seconds(70));
    CHECK(sources.size() == 1);
    CHECK(sources.admit(source(1), 9, 9, start + std::chrono::seconds(70)) == Verdict::welcome);
    Meter second; // a new connection is no new budget
    CHECK(second.judge(limits, sources.rates(source(1)), message, start + std::chrono::seconds(70))
              .answer == Meter::Answer::later);
    sources.release(source(1));
    sources.sweep(limits, start + std::chrono::seconds(140));
    CHECK(sources.size() == 0);
}

TEST_CASE("Sources: datagrams of a source are metered as one connection, and by all it does") {
    Sources sources({1, 2});
    int taken = 0;
    for (int count = 0; count < 1'000; ++count) {
        const auto limit = sources.take_datagram(source(1), limits, message, start);
        taken += limit ? 0 : 1;
        CHECK((!limit || *limit == Limit::messages_per_second_max));
    }
    CHECK(taken == 20);
    for (int ms = 0; ms <= 10'000; ms += 10) { // a flood that goes on is not forgotten meanwhile
        const TimePoint now = start + std::chrono::milliseconds(ms);
        taken += sources.take_datagram(source(1), limits, message, now) ? 0 : 1;
        if (ms % 1'000 == 0) {
            sources.sweep(limits, now);
        }
    }
    CHECK(taken == 20 + 100);
    CHECK_FALSE(sources.take_datagram(source(2), limits, message, start)); // another's are its own
    sources.rates(source(2)).spend(Rates::source_table(limits), {.messages = 200}, start);
    CHECK(sources.take_datagram(source(2), limits, message, start));
}

TEST_CASE("Sources: invented addresses of datagrams do not make the table grow") {
    Sources sources({1, 2});
    CHECK_FALSE(sources.take_datagram(source(0), limits, message, start));
    int taken = 0;
    for (std::uint64_t number = 1; number < 200'000; ++number) {
        taken += sources.take_datagram(source(number), limits, message, start) ? 0 : 1;
    }
    CHECK(sources.size() == Sources::sources_kept_max);
    CHECK(taken == Sources::sources_kept_max - 1 + 20); // the others share one budget
    CHECK_FALSE(sources.take_datagram(source(0), limits, message, start)); // and it has its own
    for (int second = 1; second < 120; ++second) { // a large table is swept in portions
        sources.sweep(limits, start + std::chrono::seconds(second));
    }
    CHECK(sources.size() == 0);
    CHECK(Sources::entry_bytes <= 512);
}

TEST_CASE("Sources: what a source has used up goes over to the next process") {
    Sources sources({1, 2});
    CHECK(sources.admit(source(1), 9, 9, start) == Verdict::welcome);
    sources.rates(source(1)).spend(Rates::source_table(limits), {.messages = 80}, start);
    const std::vector<Sources::Saved> saved = sources.saved(limits, start);
    REQUIRE(saved.size() == 1);
    REQUIRE(saved[0].rates.has_value());
    const TimePoint there = start - std::chrono::minutes(9); // another clock
    Sources next({3, 4});
    next.restore(saved[0], there);
    next.readmit(source(1));
    Meter meter;
    CHECK(meter.judge(limits, next.rates(source(1)), message, there).answer ==
          Meter::Answer::later);
    CHECK(meter.judge(limits, next.rates(source(1)), message, there + std::chrono::seconds(1))
              .answer == Meter::Answer::allowed);
}

TEST_CASE("Sources: only minutes that are not over go over, however old one says it is") {
    Sources sources({1, 2});
    CHECK(sources.admit(source(1), 9, 9, start) == Verdict::welcome);
    CHECK(sources.admit(source(2), 9, 9, start + std::chrono::seconds(1)) == Verdict::welcome);
    CHECK(sources.saved(limits, start + std::chrono::seconds(60)).size() == 1);
    sources.restore({source(3), 9, UINT64_MAX, {}}, start);
    CHECK(sources.admit(source(3), 9, 9, start) == Verdict::welcome); // it was over
}

} // namespace roomd
