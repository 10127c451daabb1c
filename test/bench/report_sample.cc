#include "test/bench/report_sample.h"

#include "bench/wording.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd::bench {

namespace {

constexpr std::size_t runs_of_each = 5;

struct Peer {
    std::string_view system;
    double value = 0;
};

using Peers = std::initializer_list<Peer>;

/// Around 1, as repeated measurements are.
double wobble(std::mt19937& random, double width) {
    const double unit = static_cast<double>(random()) / static_cast<double>(std::mt19937::max());
    return 1 + width * (unit - 0.5);
}

Scenario scenario(std::string name, std::uint32_t members, std::uint32_t size,
                  std::uint32_t window) {
    Scenario made;
    made.name = std::move(name);
    made.members = members;
    made.size = size;
    made.window = window;
    return made;
}

Result complete_run(const Scenario& scenario, std::string_view system, double cost_us,
                    double deliveries_per_second) {
    Result run;
    run.system = system;
    run.scenario = scenario;
    run.seconds = scenario.seconds;
    run.deliveries = static_cast<std::uint64_t>(deliveries_per_second * run.seconds);
    run.messages = run.deliveries / std::max(scenario.members, 1U);
    run.bytes = run.deliveries * scenario.size;
    run.server_cpu_seconds = cost_us * static_cast<double>(run.deliveries) / 1e6;
    run.generator_cpu_seconds = 0.8 * run.seconds;
    run.connections = connections(scenario);
    run.connect_seconds = static_cast<double>(run.connections) * 40e-6;
    run.resident_bytes_before = 6'000'000;
    run.resident_bytes_max = 9'000'000 + run.connections * 2'000;
    run.resident_bytes_after = run.resident_bytes_max;
    return run;
}

Figure figure(Metric metric, const std::vector<double>& values) {
    const auto [least, most] = std::ranges::minmax(values);
    return {metric, middle_of(values), least, most, {}, {}, {}};
}

/// What compare does: ratios of the medians.
void relate(std::vector<Row>& rows) {
    const auto floor = std::ranges::find(rows, "floor", &Row::system);
    for (Row& row : rows) {
        for (Figure& own : row.figures) {
            const Figure* base = floor == rows.end() ? nullptr : figure_of(*floor, own.metric);
            if (base != nullptr && row.system != "floor") {
                own.to_floor = own.median / base->median;
            }
            if (row.system != "roomd") {
                continue;
            }
            double best = 0;
            for (const Row& other : rows) {
                const Figure* theirs = figure_of(other, own.metric);
                const bool peer = other.system != "roomd" && other.system != "floor";
                if (peer && theirs != nullptr && (best == 0 || theirs->median < best)) {
                    best = theirs->median;
                    own.best_peer = other.system;
                    own.to_best_peer = own.median / best;
                }
            }
        }
    }
}

void append(Report& report, std::vector<Row> rows, const std::vector<Goal>& goals) {
    relate(rows);
    rows.front().goals = goals;
    std::ranges::move(rows, std::back_inserter(report.rows));
}

std::vector<Row> cost_rows(const Scenario& scenario, Peers peers, std::mt19937& random) {
    std::vector<Row> rows;
    for (const auto& [system, cost] : peers) {
        Row row{scenario, std::string(system), {}, 0, {}, {}, {}};
        std::vector<double> costs;
        for (std::size_t index = 0; index < runs_of_each; ++index) {
            const double once = cost * wobble(random, 0.2);
            row.runs.push_back(complete_run(scenario, system, once, 0.9e6 / (once + 0.06)));
            row.runs.back().generator_cpu_seconds = once < 0.1 ? 2.95 : 1.9;
            costs.push_back(once);
        }
        row.figures.push_back(figure(Metric::cost_us, costs));
        rows.push_back(std::move(row));
    }
    return rows;
}

void append_costs(Report& report, std::mt19937& random) {
    append(report,
           cost_rows(scenario("S1", 1000, 64, 512),
                     {{"roomd", 0.0196},
                      {"redis", 0.204},
                      {"nats", 0.221},
                      {"mosquitto", 8.86},
                      {"floor", 0.018}},
                     random),
           {{"at most 1.3 x the floor", true}, {"at most 1/5 of Redis and NATS", true}});
    append(report,
           cost_rows(scenario("S2", 100, 64, 512),
                     {{"roomd", 0.025},
                      {"redis", 0.122},
                      {"nats", 0.184},
                      {"mosquitto", 5.97},
                      {"floor", 0.023}},
                     random),
           {{"at most 1.3 x the floor", true}, {"at most 1/5 of Redis and NATS", false}});
    Scenario event = scenario("S2", 100, 64, 512);
    event.dialect = Dialect::event;
    append(report, cost_rows(event, {{"roomd", 0.031}, {"floor", 0.027}}, random),
           {{"at most 1.6 x the floor sending the same bytes", true}});
    append(report,
           cost_rows(scenario("S3", 1000, 64, 1),
                     {{"roomd", 5.05},
                      {"redis", 5.98},
                      {"nats", 11.7},
                      {"mosquitto", 8.76},
                      {"floor", 4.96}},
                     random),
           {{"at most 1.1 x the floor", true}, {"less than every peer", true}});
    Scenario rooms = scenario("S4", 10, 64, 64);
    rooms.rooms = 100;
    rooms.publishers = 100;
    std::vector<Row> many = cost_rows(
        rooms,
        {{"roomd", 0.205}, {"redis", 0.586}, {"nats", 0.423}, {"mosquitto", 5.87}, {"floor", 0.19}},
        random);
    many[2].runs[3].failure =
        "room r17, member 4: message 20193 of publisher 17 came after 20195; 2 are missing";
    append(report, std::move(many), {{"at most half of the best peer", true}});
    append(report,
           cost_rows(scenario("S5", 100, 4096, 64),
                     {{"roomd", 0.59},
                      {"redis", 1.18},
                      {"nats", 2.14},
                      {"mosquitto", 7.14},
                      {"floor", 0.558}},
                     random),
           {{"at most 1.15 x the floor", true}});
}

void append_idle(Report& report, std::mt19937& random) {
    Scenario idle = scenario("S6", 10'000, 64, 1);
    idle.load = Load::idle;
    idle.publishers = 0;
    std::vector<Row> rows;
    for (const auto& [system, bytes] :
         Peers{{"roomd", 372}, {"redis", 8300}, {"nats", 13'100}, {"mosquitto", 730}}) {
        Row row{idle, std::string(system), {}, 0, {}, {}, {}};
        std::vector<double> values;
        for (std::size_t index = 0; index < 3; ++index) {
            values.push_back(bytes * wobble(random, 0.04));
            Result run = complete_run(idle, system, 0, 0);
            run.resident_bytes_after =
                run.resident_bytes_before + static_cast<std::uint64_t>(values.back() * 10'000);
            run.resident_bytes_max = run.resident_bytes_after;
            row.runs.push_back(std::move(run));
        }
        row.figures.push_back(figure(Metric::bytes_per_connection, values));
        rows.push_back(std::move(row));
    }
    append(report, std::move(rows), {{"at most 0.4 kB per idle connection", true}});
}

/// A body around `typical` and a tail as long as `tail` says.
void record_latencies(Result& run, std::mt19937& random, double typical_us, double tail) {
    for (int index = 0; index < 60'000; ++index) {
        const double unit = (static_cast<double>(random()) + 1) / 4294967297.0;
        const double body = typical_us * wobble(random, 0.8);
        const double extra = typical_us * 0.04 * (std::pow(unit, -tail) - 1);
        run.latency.record(static_cast<std::uint64_t>((body + extra) * 1e3));
        run.lateness.record(static_cast<std::uint64_t>(4000 * wobble(random, 1.5)));
    }
}

void append_latency(Report& report, std::mt19937& random) {
    struct Shape {
        std::string_view system;
        double typical_us;
        double tail;
    };

    Scenario open = scenario("S7", 100, 64, 1);
    open.rate = 1000;
    std::vector<Row> rows;
    for (const auto& [system, typical, tail] :
         std::initializer_list<Shape>{{"roomd", 270, 0.66},
                                      {"redis", 315, 0.80},
                                      {"nats", 425, 1.02},
                                      {"mosquitto", 380, 0.85},
                                      {"floor", 262, 0.64}}) {
        Row row{open, std::string(system), {}, 0, {}, {}, {}};
        std::vector<double> middle;
        std::vector<double> late;
        for (std::size_t index = 0; index < runs_of_each; ++index) {
            Result run = complete_run(open, system, 1.5, 100'000);
            record_latencies(run, random, typical * wobble(random, 0.1), tail);
            middle.push_back(static_cast<double>(run.latency.at(0.5)) / 1e3);
            late.push_back(static_cast<double>(run.latency.at(0.99)) / 1e3);
            row.runs.push_back(std::move(run));
        }
        row.figures.push_back(figure(Metric::latency_p50_us, middle));
        row.figures.push_back(figure(Metric::latency_p99_us, late));
        rows.push_back(std::move(row));
    }
    append(report, std::move(rows), {{"p50 and p99 within 1.15 x the floor", true}});
}

void append_slow(Report& report, std::mt19937& random) {
    Scenario slow = scenario("slow", 100, 1024, 1);
    slow.load = Load::slow;
    slow.rate = 2000;
    slow.stalled = 100;
    slow.seconds = 20;
    std::vector<Row> rows;
    for (const auto& [system, growth] :
         Peers{{"roomd", 0.3e6}, {"redis", 160e6}, {"nats", 88e6}, {"mosquitto", 4.2e6}}) {
        Row row{slow, std::string(system), {}, 0, {}, {}, {}};
        Result run = complete_run(slow, system, 4, 200'000);
        for (int quarter = 0; quarter <= 4 * 20; ++quarter) {
            const double second = quarter / 4.0;
            const double ceiling = system == "roomd" ? 22e6 : system == "redis" ? 2.3e9 : 1.4e9;
            const double held = std::min(9e6 + growth * second * wobble(random, 0.03), ceiling);
            run.memory.push_back({second, static_cast<std::uint64_t>(held)});
            run.resident_bytes_max =
                std::max(run.resident_bytes_max, run.memory.back().resident_bytes);
        }
        record_latencies(run, random, growth / 4e4 + 300, system == "roomd" ? 0.7 : 1.0);
        const auto p99 = static_cast<double>(run.latency.at(0.99)) / 1e3;
        row.figures.push_back(figure(Metric::latency_p99_us, {p99}));
        row.figures.push_back(
            figure(Metric::resident_bytes, {static_cast<double>(run.resident_bytes_max)}));
        row.runs.push_back(std::move(run));
        rows.push_back(std::move(row));
    }
    append(report, std::move(rows), {});
}

void append_sweep(Report& report, std::mt19937& random, const std::string& series,
                  std::initializer_list<std::uint32_t> points) {
    for (const std::uint32_t point : points) {
        const auto scale = static_cast<double>(point);
        Scenario load = scenario("sweep", 100, 64, 256);
        double slope = 0;
        if (series == "members") {
            load.members = point;
        } else if (series == "rooms") {
            load.rooms = point;
            load.publishers = point;
            load.members = 10;
            slope = 0.02;
        } else {
            load.size = point;
            slope = 0.6;
        }
        const double factor = 1 + slope * std::sqrt(scale / 64);
        std::vector<Row> rows = cost_rows(load,
                                          {{"roomd", 0.025 * factor},
                                           {"redis", 0.16 * (1 + 3 * slope * scale / 2048)},
                                           {"nats", 0.2 * std::pow(scale, 0.1)},
                                           {"floor", 0.0235 * factor}},
                                          random);
        for (Row& row : rows) {
            row.series = series;
            row.at = scale;
        }
        append(report, std::move(rows), {});
    }
}

} // namespace

Report sample_report() {
    std::mt19937 random(1); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every call
    Report report;
    report.title = "Standard suite";
    report.facts = {"AMD EPYC 7B13, 2 CPUs",
                    "Linux 6.1.0-18-amd64",
                    "2026-11-22T15:04:05Z",
                    "build/roombench suite --compare redis,nats,mosquitto,floor --html bench.html",
                    "server on CPU 0, generator on CPU 1",
                    {{"roomd", "roomd 0.1.0"},
                     {"redis", "Redis server v=7.0.15"},
                     {"nats", "nats-server: v2.9.10"},
                     {"mosquitto", "mosquitto version 2.0.11"}}};
    append_costs(report, random);
    append_idle(report, random);
    append_latency(report, random);
    append_slow(report, random);
    append_sweep(report, random, "members", {10, 30, 100, 300, 1000, 3000, 10'000});
    append_sweep(report, random, "rooms", {1, 10, 100, 1000});
    append_sweep(report, random, "size", {24, 64, 256, 1024, 4096, 16'384});
    return report;
}

} // namespace roomd::bench
