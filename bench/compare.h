// Compare — the same scenario against several systems by turns, and what can be said afterwards:
// medians, and ratios to the floor and to the best peer.
//
// Runs nothing itself: how one run is made is handed in, so that the arithmetic can be tested
// without a server. Owns nothing.
#pragma once

#include "bench/report.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace roomd::bench {

/// One of those who take turns; it becomes one row.
struct Contender {
    std::string system;
    Scenario scenario;
    /// The floor: sends messages as long as those that this contender's members hear, as soon as
    /// that is known, so that both move the same bytes.
    std::optional<std::size_t> sized_like{};
    std::string series{}; // of a sweep: as in Row
    double at = 0;
};

/// Makes one run. `round` and `rounds` are for showing.
using RunOne = std::function<Result(const Contender& contender, int round, int rounds)>;

/// One row for each contender, in order, without figures yet. In each round every contender has one
/// run. Ends early when `stop` says so; rows may then have fewer runs, or none.
[[nodiscard]] std::vector<Row> take_turns(std::vector<Contender> contenders, int rounds,
                                          const RunOne& run_one, const std::function<bool()>& stop);

/// What matters under this load, the most important first.
[[nodiscard]] std::vector<Metric> metrics_of(const Scenario& scenario);

/// What one run gave; nothing where it cannot be told (the server's process is unknown, or there is
/// nothing to divide by).
[[nodiscard]] std::optional<double> value_of(Metric metric, const Result& result);

/// Fills in figures, without ratios, from the runs that were complete.
void add_figures(Row& row);

/// Fills in the ratios of `row`. `floor` may be null. `peers`: any rows; roomd's and the floor's
/// are passed over.
void add_ratios(Row& row, const Row* floor, std::span<const Row> peers);

/// Figures for all, and ratios: to the floor at the same point in the same dialect, and to the
/// peers at the same point in any, since a dialect is roomd's alone.
void conclude(std::span<Row> rows);

} // namespace roomd::bench
