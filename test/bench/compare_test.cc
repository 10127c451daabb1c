#include "bench/compare.h"

#include "bench/wording.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace roomd::bench;

Scenario fanout() {
    Scenario scenario;
    scenario.name = "S2";
    return scenario;
}

/// A run that was complete, with so much CPU for a delivery.
Result costing(double microseconds, const std::string& system = "roomd") {
    Result result;
    result.system = system;
    result.scenario = fanout();
    result.deliveries = 1'000'000;
    result.messages = 10'000;
    result.bytes = 68'000'000;
    result.seconds = 2;
    result.server_cpu_seconds = microseconds;
    result.resident_bytes_max = 1 << 20;
    return result;
}

Result broken(const std::string& why) {
    Result result = costing(1000);
    result.failure = why;
    return result;
}

Row row(const std::string& system, const std::vector<Result>& runs) {
    Row made;
    made.scenario = fanout();
    made.system = system;
    made.runs = runs;
    return made;
}

Row row(const std::string& system, double cost) {
    return row(system, {costing(cost, system)});
}

const Figure& figure(const Row& row, Metric metric) {
    const Figure* const found = figure_of(row, metric);
    REQUIRE(found != nullptr);
    return *found;
}

bool never() {
    return false;
}

} // namespace

TEST_CASE("compare: contenders take turns, round by round") {
    std::string order;
    const std::vector<Row> rows = take_turns(
        {{"roomd", fanout()}, {"redis", fanout()}}, 3,
        [&](const Contender& contender, int round, int rounds) {
            CHECK(rounds == 3);
            order += contender.system.at(1) + std::to_string(round) + ' ';
            return costing(round, contender.system);
        },
        never);
    CHECK(order == "o0 e0 o1 e1 o2 e2 ");
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].system == "roomd");
    CHECK(rows[1].runs.size() == 3);
    CHECK(rows[1].runs[2].server_cpu_seconds == 2);
}

TEST_CASE("compare: when told to stop, no further run is begun and every contender keeps its row") {
    int runs = 0;
    const std::vector<Row> rows = take_turns(
        {{"roomd", fanout()}, {"redis", fanout()}}, 3,
        [&](const Contender&, int, int) {
            ++runs;
            return costing(1);
        },
        [&] { return runs == 3; });
    CHECK(runs == 3);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].runs.size() == 2);
    CHECK(rows[1].runs.size() == 1);
}

TEST_CASE("compare: the floor sends as many bytes as the messages of whom it is compared with") {
    Scenario event = fanout();
    event.dialect = Dialect::event;
    std::vector<std::uint32_t> sizes;
    const std::vector<Row> rows = take_turns(
        {{"roomd", event}, {"floor", event, 0}}, 3,
        [&](const Contender& contender, int round, int) {
            if (contender.system == "floor") {
                sizes.push_back(contender.scenario.size);
                return costing(1);
            }
            Result result = round == 0 ? broken("not this time") : costing(1);
            result.bytes = result.deliveries * 118;
            return result;
        },
        never);
    // A run that failed says nothing about sizes; and the first that does is kept.
    CHECK(sizes == std::vector<std::uint32_t>{64, 114, 114});
    CHECK(rows[1].scenario.size == 114);
}

TEST_CASE("compare: the median is the middle run, or between the middle two") {
    Row odd = row("roomd", {costing(5), costing(1), costing(3)});
    add_figures(odd);
    CHECK(figure(odd, Metric::cost_us).median == doctest::Approx(3));
    CHECK(figure(odd, Metric::cost_us).least == doctest::Approx(1));
    CHECK(figure(odd, Metric::cost_us).most == doctest::Approx(5));

    Row even = row("roomd", {costing(8), costing(1), costing(4), costing(2)});
    add_figures(even);
    CHECK(figure(even, Metric::cost_us).median == doctest::Approx(3));
}

TEST_CASE("compare: runs that failed are left out of the median, and the row is not all right") {
    Row some = row("roomd", {costing(5), broken("12 missing"), costing(7)});
    add_figures(some);
    CHECK(figure(some, Metric::cost_us).median == doctest::Approx(6));
    CHECK(figure(some, Metric::cost_us).most == doctest::Approx(7));
    CHECK_FALSE(some.ok());

    Row all = row("roomd", {broken("12 missing")});
    add_figures(all);
    CHECK(all.figures.empty());
}

TEST_CASE("compare: ratios are to the floor and to the cheapest peer") {
    std::vector<Row> rows{row("roomd", 0.02), row("redis", 0.2), row("nats", 0.1),
                          row("floor", 0.01)};
    conclude(rows);
    const Figure& cost = figure(rows[0], Metric::cost_us);
    CHECK(cost.to_floor.value_or(0) == doctest::Approx(2));
    CHECK(cost.to_best_peer.value_or(0) == doctest::Approx(0.2));
    CHECK(cost.best_peer == "nats");

    CHECK(figure(rows[1], Metric::cost_us).to_floor.value_or(0) == doctest::Approx(20));
    CHECK_FALSE(figure(rows[1], Metric::cost_us).to_best_peer);
    CHECK_FALSE(figure(rows[3], Metric::cost_us).to_floor);
}

TEST_CASE("compare: of rates the best peer is the fastest") {
    std::vector<Row> rows{row("roomd", 1), row("redis", 1), row("nats", 1)};
    rows[0].runs[0].deliveries = 4'000'000;
    rows[1].runs[0].deliveries = 2'000'000;
    conclude(rows);
    const Figure& rate = figure(rows[0], Metric::deliveries_per_second);
    CHECK(rate.median == doctest::Approx(2e6));
    CHECK(rate.best_peer == "redis");
    CHECK(rate.to_best_peer.value_or(0) == doctest::Approx(2));
    CHECK_FALSE(rate.to_floor);
}

TEST_CASE("compare: another dialect has a floor of its own, and the same peers") {
    std::vector<Row> rows{row("roomd", 0.02), row("redis", 0.2), row("floor", 0.01),
                          row("roomd", 0.06), row("floor", 0.04)};
    rows[3].scenario.dialect = Dialect::event;
    rows[4].scenario.dialect = Dialect::event;
    conclude(rows);
    CHECK(figure(rows[0], Metric::cost_us).to_floor.value_or(0) == doctest::Approx(2));
    CHECK(figure(rows[3], Metric::cost_us).to_floor.value_or(0) == doctest::Approx(1.5));
    CHECK(figure(rows[3], Metric::cost_us).to_best_peer.value_or(0) == doctest::Approx(0.3));
}

TEST_CASE("compare: along a series every point has its own floor") {
    std::vector<Row> rows{row("roomd", 4), row("floor", 2), row("roomd", 9), row("floor", 3)};
    for (std::size_t index = 0; index < rows.size(); ++index) {
        rows[index].series = "members";
        rows[index].at = index < 2 ? 10 : 100;
    }
    conclude(rows);
    CHECK(figure(rows[0], Metric::cost_us).to_floor.value_or(0) == doctest::Approx(2));
    CHECK(figure(rows[2], Metric::cost_us).to_floor.value_or(0) == doctest::Approx(3));
}

TEST_CASE("compare: of a server whose process is unknown no cost and no memory is told") {
    Result result = costing(1);
    result.resident_bytes_max = 0;
    CHECK_FALSE(value_of(Metric::cost_us, result));
    CHECK_FALSE(value_of(Metric::resident_bytes, result));
    CHECK(value_of(Metric::deliveries_per_second, result).value_or(0) == doctest::Approx(5e5));
    CHECK_FALSE(value_of(Metric::latency_p50_us, result)); // nothing was timed
}

TEST_CASE("compare: an idle connection costs what the server grew by, divided") {
    Result result = costing(0);
    result.scenario.load = Load::idle;
    result.resident_bytes_before = 5'000'000;
    result.resident_bytes_after = 9'000'000;
    result.connections = 10'000;
    result.connect_seconds = 2;
    CHECK(value_of(Metric::bytes_per_connection, result).value_or(0) == doctest::Approx(400));
    CHECK(value_of(Metric::connections_per_second, result).value_or(0) == doctest::Approx(5000));
}
