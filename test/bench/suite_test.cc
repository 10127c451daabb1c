#include "bench/suite.h"

#include "bench/plan.h"
#include "bench/systems.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace roomd::bench;

SuiteOptions against(std::vector<std::string> others) {
    SuiteOptions options;
    options.others = std::move(others);
    return options;
}

std::string systems_of(const std::vector<Contender>& contenders) {
    std::string names;
    for (const Contender& contender : contenders) {
        names += contender.system;
        names += contender.scenario.dialect == Dialect::event ? "(event) " : " ";
    }
    return names;
}

/// A row of roomd's whose first figure stands like this.
Row standing(const std::string& name, Metric metric, double to_floor, double to_best_peer) {
    Row row;
    row.scenario = standard_scenario(name);
    row.system = "roomd";
    Figure figure;
    figure.metric = metric;
    figure.median = 1;
    figure.to_floor = to_floor;
    figure.to_best_peer = to_best_peer;
    row.figures.push_back(figure);
    return row;
}

/// "+" for each goal that is met, "-" for each that is not.
std::string verdict(Row row) {
    judge({&row, 1});
    std::string marks;
    for (const Goal& goal : row.goals) {
        marks += goal.met ? '+' : '-';
    }
    return marks;
}

Row point(double at, double cost) {
    Row row;
    row.scenario.name = "growth";
    row.system = "roomd";
    row.series = "members";
    row.at = at;
    Figure figure;
    figure.median = cost;
    row.figures.push_back(figure);
    return row;
}

} // namespace

TEST_CASE("suite: peers run once, roomd and the floor once for each format") {
    CHECK(systems_of(contenders_for(standard_scenario("S1"),
                                    against({"redis", "nats", "mosquitto", "floor"}))) ==
          "roomd redis nats mosquitto floor roomd(event) floor(event) ");
}

TEST_CASE("suite: the floor's messages are as long as those of the roomd before it") {
    const std::vector<Contender> contenders =
        contenders_for(standard_scenario("S1"), against({"redis", "floor"}));
    REQUIRE(systems_of(contenders) == "roomd redis floor roomd(event) floor(event) ");
    CHECK(contenders[2].sized_like == 0U);
    CHECK(contenders[4].sized_like == 3U);

    Scenario base;
    base.name = "growth";
    const Block block = sweep_block(base, "members", against({"floor"}));
    for (std::size_t index = 0; index < block.contenders.size(); ++index) {
        const Contender& contender = block.contenders[index];
        if (contender.system == floor_system) {
            CHECK(contender.sized_like == index - 1);
            CHECK(block.contenders[index - 1].at == contender.at);
        }
    }
}

TEST_CASE("suite: who is unable is left out") {
    CHECK(systems_of(contenders_for(standard_scenario("S6"), against({"redis", "floor"}))) ==
          "roomd redis roomd(event) ");
    Scenario slow;
    slow.load = Load::slow;
    CHECK_FALSE(unable("floor", slow).empty());
    CHECK(unable("redis", slow).empty());
    Scenario inward;
    inward.members = 0;
    CHECK(unable("redis", inward).empty());
    CHECK_FALSE(unable("mosquitto", inward).empty());
    Scenario echo;
    echo.load = Load::echo;
    CHECK_FALSE(unable("nats", echo).empty());
    CHECK(unable("floor", echo).empty());
}

TEST_CASE("suite: it is S1 to S7 and two series, and all are of one length") {
    const std::vector<Block> blocks = standard_suite(against({"redis", "floor"}));
    std::string titles;
    for (const Block& block : blocks) {
        titles += block.title + ' ';
        for (const Contender& contender : block.contenders) {
            CHECK(contender.scenario.seconds == 1);
            CHECK(contender.scenario.size >= 24);
            CHECK(connections(contender.scenario) <= 12'000);
        }
    }
    CHECK(titles == "S1 S2 S3 S4 S5 S6 S7 members rooms ");
    std::string named;
    for (const std::string& title : suite_titles()) {
        named += title + ' ';
    }
    CHECK(titles == named);
}

TEST_CASE("suite: a series grows one thing, and rooms bring their publishers along") {
    Scenario base;
    base.members = 10;
    const Block block = sweep_block(base, "rooms", against({}));
    std::set<double> points;
    for (const Contender& contender : block.contenders) {
        CHECK(contender.scenario.publishers == contender.scenario.rooms);
        CHECK(contender.scenario.members == 10);
        points.insert(contender.at);
    }
    CHECK(points == std::set<double>{1, 10, 100, 1000});
    CHECK_THROWS_AS(static_cast<void>(sweep_block(base, "colours", against({}))),
                    std::invalid_argument);
}

TEST_CASE("goals: each is met at its border and missed beyond it") {
    CHECK(verdict(standing("S1", Metric::cost_us, 1.3, 0.2)) == "++");
    CHECK(verdict(standing("S1", Metric::cost_us, 1.31, 0.21)) == "--");
    CHECK(verdict(standing("S3", Metric::cost_us, 1.1, 0.99)) == "++");
    CHECK(verdict(standing("S3", Metric::cost_us, 1.11, 1.01)) == "--");
    CHECK(verdict(standing("S4", Metric::cost_us, 9, 0.5)) == "+");
    CHECK(verdict(standing("S4", Metric::cost_us, 9, 0.51)) == "-");
    CHECK(verdict(standing("S5", Metric::cost_us, 1.15, 9)) == "+");
    CHECK(verdict(standing("S5", Metric::cost_us, 1.16, 9)) == "-");
    CHECK(verdict(standing("S7", Metric::latency_p50_us, 1.15, 9)) == "+");
    CHECK(verdict(standing("S7", Metric::latency_p99_us, 1.16, 9)) == "-");
}

TEST_CASE("goals: events may cost more than plain texts, beside a floor of the same bytes") {
    Row row = standing("S2", Metric::cost_us, 1.6, 9);
    row.scenario.dialect = Dialect::event;
    CHECK(verdict(row) == "+");
    row.figures[0].to_floor = 1.61;
    CHECK(verdict(row) == "-");
}

TEST_CASE("goals: memory is judged by itself") {
    Row row = standing("S6", Metric::bytes_per_connection, 9, 9);
    row.figures[0].median = 400;
    CHECK(verdict(row) == "+");
    row.figures[0].median = 401;
    CHECK(verdict(row) == "-");
}

TEST_CASE("goals: what was not run is not judged, and nobody but roomd is") {
    Row row = standing("S1", Metric::cost_us, 1, 0.1);
    row.figures[0].to_best_peer.reset();
    CHECK(verdict(row) == "+");
    row.figures[0].to_floor.reset();
    CHECK(verdict(row).empty());
    row = standing("S1", Metric::cost_us, 1, 0.1);
    row.system = "redis";
    CHECK(verdict(row).empty());
}

TEST_CASE("goals: growth is measured from the cheapest smaller point; the first has no goal") {
    std::vector<Row> rows{point(10, 1.5), point(100, 1.0), point(1000, 1.2), point(10000, 1.21)};
    judge(rows);
    CHECK(rows[0].goals.empty());
    REQUIRE(rows[1].goals.size() == 1);
    CHECK(rows[1].goals[0].met);
    REQUIRE(rows[2].goals.size() == 1);
    CHECK(rows[2].goals[0].met);
    REQUIRE(rows[3].goals.size() == 1);
    CHECK_FALSE(rows[3].goals[0].met);
}

TEST_CASE("goals: what the floor grows by is not held against roomd, what it shrinks by no gain") {
    std::vector<Row> rows{point(10, 1.0), point(100, 2.0), point(1000, 1.1)};
    rows[0].figures[0].to_floor = 1.0;
    rows[1].figures[0].to_floor = 1.15; // the floor: 1.74
    rows[2].figures[0].to_floor = 2.2;  // the floor: 0.5
    judge(rows);
    CHECK(rows[1].goals[0].met);
    CHECK(rows[2].goals[0].met);
    rows[1].figures[0].to_floor = 1.25; // the floor: 1.6
    judge(rows);
    CHECK_FALSE(rows[1].goals[0].met);
}

TEST_CASE("plan: beside others five rounds, alone one, and what is asked for is not changed") {
    Options options;
    options.scenario = standard_scenario("S2");
    REQUIRE(plan(options).size() == 1);
    CHECK(plan(options)[0].rounds == 1);
    CHECK(systems_of(plan(options)[0].contenders) == "roomd ");
    options.others = {"redis"};
    CHECK(plan(options)[0].rounds == 5);
    options.rounds = 2;
    CHECK(plan(options)[0].rounds == 2);
    options.dialects = {Dialect::event};
    CHECK(systems_of(plan(options)[0].contenders) == "roomd(event) redis(event) ");
}

TEST_CASE("plan: a sweep is a block for each series, a suite may be cut down to some blocks") {
    Options options;
    options.task = Task::sweep;
    options.series = {"rooms", "size"};
    const std::vector<Block> sweep = plan(options);
    REQUIRE(sweep.size() == 2);
    CHECK(sweep[0].title == "rooms");
    CHECK(sweep[1].contenders.size() == 5);
    options.task = Task::suite;
    options.only = {"S3", "members"};
    const std::vector<Block> some = plan(options);
    REQUIRE(some.size() == 2);
    CHECK(some[0].title == "S3");
    CHECK(systems_of(some[0].contenders) == "roomd roomd(event) ");
}
