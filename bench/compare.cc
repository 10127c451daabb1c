#include "bench/compare.h"

#include "bench/systems.h"
#include "bench/wording.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <utility>

namespace roomd::bench {

namespace {

// The relay says a message's size in front of it.
constexpr double relay_header_bytes = 4;
constexpr std::uint32_t text_bytes_min = 24; // Scenario::size

std::optional<double> divided(double value, double by) {
    return by > 0 ? std::optional(value / by) : std::nullopt;
}

std::optional<double> microseconds_at(const Histogram& histogram, double share) {
    return histogram.count() == 0 ? std::nullopt
                                  : std::optional(static_cast<double>(histogram.at(share)) / 1e3);
}

/// The floor's message, framed as the relay frames it, is as long as what the other's members
/// heard.
void size_like(Contender& floor, const Result& result) {
    if (!result.ok() || result.deliveries == 0 || result.bytes == 0) {
        return;
    }
    const double bytes = static_cast<double>(result.bytes) / static_cast<double>(result.deliveries);
    const double text = std::max(std::round(bytes - relay_header_bytes), 0.0);
    floor.scenario.size = std::max(static_cast<std::uint32_t>(text), text_bytes_min);
    floor.sized_like.reset();
}

bool is_peer(const Row& row) {
    return row.system != roomd_system && row.system != floor_system;
}

std::optional<double> median_of(const Row& row, Metric metric) {
    const Figure* const figure = figure_of(row, metric);
    return figure == nullptr ? std::nullopt : std::optional(figure->median);
}

void add_best_peer(Figure& figure, std::span<const Row> peers) {
    std::optional<double> best;
    for (const Row& peer : peers) {
        const auto value = is_peer(peer) ? median_of(peer, figure.metric) : std::nullopt;
        if (!value) {
            continue;
        }
        const bool better = less_is_better(figure.metric) ? *value < best.value_or(HUGE_VAL)
                                                          : *value > best.value_or(-HUGE_VAL);
        if (better) {
            best = value;
            figure.best_peer = peer.system;
        }
    }
    if (best) {
        figure.to_best_peer = divided(figure.median, *best);
    }
}

} // namespace

std::vector<Row> take_turns(std::vector<Contender> contenders, int rounds, const RunOne& run_one,
                            const std::function<bool()>& stop) {
    std::vector<Row> rows(contenders.size());
    for (std::size_t index = 0; index < contenders.size(); ++index) {
        rows[index].scenario = contenders[index].scenario;
        rows[index].system = contenders[index].system;
        rows[index].series = contenders[index].series;
        rows[index].at = contenders[index].at;
    }
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t index = 0; index < contenders.size() && !stop(); ++index) {
            Contender& contender = contenders[index];
            if (contender.sized_like && !rows[*contender.sized_like].runs.empty()) {
                size_like(contender, rows[*contender.sized_like].runs.back());
                rows[index].scenario = contender.scenario;
            }
            rows[index].runs.push_back(run_one(contender, round, rounds));
        }
    }
    return rows;
}

std::vector<Metric> metrics_of(const Scenario& scenario) {
    switch (scenario.load) {
    case Load::connect:
        return {Metric::connections_per_second, Metric::latency_p50_us, Metric::latency_p99_us,
                Metric::cost_us};
    case Load::idle:
        return {Metric::bytes_per_connection, Metric::connections_per_second};
    case Load::slow:
        return {Metric::latency_p99_us, Metric::latency_p50_us, Metric::resident_bytes,
                Metric::cost_us};
    case Load::fanout:
    case Load::echo:
    case Load::mixed:
        break;
    }
    if (scenario.rate > 0) {
        return {Metric::latency_p50_us, Metric::latency_p99_us, Metric::cost_us};
    }
    return {Metric::cost_us, Metric::deliveries_per_second};
}

std::optional<double> value_of(Metric metric, const Result& result) {
    const bool watched = result.resident_bytes_max > 0;
    const auto connections = static_cast<double>(result.connections);
    switch (metric) {
    case Metric::cost_us:
        return watched ? divided(result.cost_us(), 1) : std::nullopt;
    case Metric::latency_p50_us:
        return microseconds_at(result.latency, 0.50);
    case Metric::latency_p99_us:
        return microseconds_at(result.latency, 0.99);
    case Metric::bytes_per_connection:
        // The load may also have given memory back.
        return watched ? divided(static_cast<double>(result.resident_bytes_after) -
                                     static_cast<double>(result.resident_bytes_before),
                                 connections)
                       : std::nullopt;
    case Metric::resident_bytes:
        return watched ? std::optional(static_cast<double>(result.resident_bytes_max))
                       : std::nullopt;
    case Metric::deliveries_per_second:
        // Without members it is what publishers got rid of that counts.
        return divided(
            static_cast<double>(result.deliveries != 0 ? result.deliveries : result.messages),
            result.seconds);
    case Metric::connections_per_second:
        return result.scenario.load == Load::connect
                   ? divided(static_cast<double>(result.deliveries), result.seconds)
                   : divided(connections, result.connect_seconds);
    }
    return std::nullopt;
}

void add_figures(Row& row) {
    row.figures.clear();
    for (const Metric metric : metrics_of(row.scenario)) {
        std::vector<double> values;
        for (const Result& result : row.runs) {
            const auto value = result.ok() ? value_of(metric, result) : std::nullopt;
            if (value) {
                values.push_back(*value);
            }
        }
        if (values.empty()) {
            continue;
        }
        Figure figure;
        figure.metric = metric;
        figure.least = *std::ranges::min_element(values);
        figure.most = *std::ranges::max_element(values);
        figure.median = middle_of(std::move(values));
        row.figures.push_back(std::move(figure));
    }
}

void add_ratios(Row& row, const Row* floor, std::span<const Row> peers) {
    for (Figure& figure : row.figures) {
        const auto least = floor == nullptr ? std::nullopt : median_of(*floor, figure.metric);
        if (least && row.system != floor_system) {
            figure.to_floor = divided(figure.median, *least);
        }
        if (row.system == roomd_system) {
            add_best_peer(figure, peers);
        }
    }
}

void conclude(std::span<Row> rows) {
    for (Row& row : rows) {
        add_figures(row);
    }
    for (Row& row : rows) {
        const auto beside = [&row](const Row& other) {
            return other.series == row.series && other.at == row.at;
        };
        const auto floor = std::ranges::find_if(rows, [&](const Row& other) {
            return beside(other) && other.system == floor_system &&
                   other.scenario.dialect == row.scenario.dialect;
        });
        std::vector<Row> peers;
        std::ranges::copy_if(rows, std::back_inserter(peers), beside);
        add_ratios(row, floor == rows.end() ? nullptr : &*floor, peers);
    }
}

} // namespace roomd::bench
