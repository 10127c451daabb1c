#include "bench/suite.h"
#include "bench/systems.h"
#include "bench/wording.h"

#include <algorithm>
#include <optional>
#include <string>

// What roomd promises in the standard scenarios. A goal that cannot be judged, because the floor or
// the peers were not run, is not stated.
namespace roomd::bench {

namespace {

constexpr double growth_max = 1.2;
constexpr double idle_bytes_max = 400;

std::string times(double factor) {
    return point_text(factor) + " x ";
}

void to_floor(Row& row, Metric metric, double factor, const std::string& what = "") {
    const Figure* const figure = figure_of(row, metric);
    if (figure != nullptr && figure->to_floor) {
        row.goals.push_back(
            {what + "at most " + times(factor) + "the floor", *figure->to_floor <= factor});
    }
}

/// Among the peers that copy, Redis and NATS, one is always the cheapest.
void to_peers(Row& row, double factor, const std::string& text) {
    const Figure* const figure = figure_of(row, Metric::cost_us);
    if (figure != nullptr && figure->to_best_peer) {
        row.goals.push_back({text, *figure->to_best_peer <= factor});
    }
}

void judge_latency(Row& row) {
    constexpr double factor = 1.15;
    to_floor(row, Metric::latency_p50_us, factor, "p50 ");
    to_floor(row, Metric::latency_p99_us, factor, "p99 ");
}

void judge_memory(Row& row) {
    const Figure* const figure = figure_of(row, Metric::bytes_per_connection);
    if (figure != nullptr) {
        row.goals.push_back({"at most " + three_digits(idle_bytes_max) + " B for each connection",
                             figure->median <= idle_bytes_max});
    }
}

std::optional<double> cost_of(const Row& row) {
    const Figure* const figure = figure_of(row, Metric::cost_us);
    return figure == nullptr ? std::nullopt : std::optional(figure->median);
}

/// What the floor costs at the same point; nothing if it was not run.
std::optional<double> floor_cost_of(const Row& row) {
    const Figure* const figure = figure_of(row, Metric::cost_us);
    return figure == nullptr || !figure->to_floor || *figure->to_floor <= 0
               ? std::nullopt
               : std::optional(figure->median / *figure->to_floor);
}

/// The cheapest point of the same series that is smaller; nullptr at the first.
const Row* cheapest_before(const Row& row, std::span<const Row> rows) {
    const Row* cheapest = nullptr;
    for (const Row& other : rows) {
        const bool before = other.series == row.series && other.system == row.system &&
                            other.scenario.dialect == row.scenario.dialect && other.at < row.at;
        if (before && cost_of(other) &&
            (cheapest == nullptr || cost_of(other) < cost_of(*cheapest))) {
            cheapest = &other;
        }
    }
    return cheapest;
}

/// What grows for everybody, because the kernel's own work does, is not roomd's.
void judge_growth(Row& row, std::span<const Row> rows) {
    const Row* const before = cheapest_before(row, rows);
    const auto cost = cost_of(row);
    if (before == nullptr || !cost) {
        return;
    }
    const auto floor = floor_cost_of(row);
    const auto floor_before = floor_cost_of(*before);
    const double everybodys = floor && floor_before ? std::max(*floor / *floor_before, 1.0) : 1.0;
    const double growth = *cost / cost_of(*before).value_or(*cost) / everybodys;
    row.goals.push_back({"at most " + times(growth_max) + "the cheapest smaller point" +
                             (floor ? ", beyond what the floor grows" : ""),
                         growth <= growth_max});
}

void judge_standard(Row& row) {
    const std::string& name = row.scenario.name;
    const bool plain = row.scenario.dialect == Dialect::plain;
    if (name == "S1" || name == "S2") {
        to_floor(row, Metric::cost_us, plain ? 1.3 : 1.6);
        if (plain) {
            to_peers(row, 0.2, "at most a fifth of the best peer");
        }
    } else if (name == "S3") {
        to_floor(row, Metric::cost_us, 1.1);
        to_peers(row, 1, "less than every peer");
    } else if (name == "S4") {
        to_peers(row, 0.5, "at most half of the best peer");
    } else if (name == "S5") {
        to_floor(row, Metric::cost_us, 1.15);
    } else if (name == "S6") {
        judge_memory(row);
    } else if (name == "S7") {
        judge_latency(row);
    }
}

} // namespace

void judge(std::span<Row> rows) {
    for (Row& row : rows) {
        row.goals.clear();
        if (row.system != roomd_system) {
            continue;
        }
        if (row.series == "members" || row.series == "rooms") {
            judge_growth(row, rows);
        } else if (row.series.empty()) {
            judge_standard(row);
        }
    }
}

} // namespace roomd::bench
