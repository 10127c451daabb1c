// How numbers and scenarios are put into words, the same in the table, the picture and the page.
//
// Pure functions of their arguments; they never touch a terminal or a file. Text is ASCII unless a
// comment says otherwise.
#pragma once

#include "bench/report.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd::bench {

/// 12345678 as "12,345,678".
[[nodiscard]] std::string with_commas(std::uint64_t number);

/// Three significant digits, never an exponent: "0.0184", "8.86", "12,300,000". "-" if not finite.
[[nodiscard]] std::string three_digits(double number);

/// 12,345,678 as "12.3 MB": decimal units.
[[nodiscard]] std::string bytes_text(double bytes);

/// A place on a series, a duration: "1,000", "0.5"; fractions to three significant digits.
[[nodiscard]] std::string point_text(double at);

/// "5 runs of 3 s".
[[nodiscard]] std::string runs_text(const Row& row);

/// A value of `metric` with its unit: "0.0184 us", "12.3 MB", "41,000 /s".
[[nodiscard]] std::string value_text(Metric metric, double value);

/// "event format"; empty for plain, which needs no saying.
[[nodiscard]] std::string_view dialect_text(Dialect dialect);

/// Which scenario a row belongs to: "S1, event format", "growth, 100 members".
[[nodiscard]] std::string place_text(const Row& row);

/// What a scenario does: "1 publisher, 1,000 members, 64 B, 512 in flight".
[[nodiscard]] std::string describe(const Scenario& scenario);

/// "roomd" as "roomd", "redis" as "Redis": how a system writes itself.
[[nodiscard]] std::string_view proper_name(std::string_view system);

/// Rows of a report that belong together; views of it, never empty.
using Rows = std::vector<const Row*>;

/// The rows of each scenario in each dialect, one per system; a series keeps all its points. In the
/// order in which the report first names them.
[[nodiscard]] std::vector<Rows> scenarios_of(const Report& report);

/// The row of `system`; nullptr if it was not run.
[[nodiscard]] const Row* row_of(const Rows& rows, std::string_view system);

/// The sender ran so late, against its own schedule, that the latencies are its own as well: in the
/// median run one message in a hundred later than half of all deliveries took.
[[nodiscard]] bool sender_late(const Row& row);

/// What to type to run these rows again. Says what differs from roombench's defaults, and whom to
/// compare with.
[[nodiscard]] std::string repeat_command(const Rows& rows);

/// nullptr if the row has no such figure.
[[nodiscard]] const Figure* figure_of(const Row& row, Metric metric);

/// The middle of the values, or of the middle two; 0 without any.
[[nodiscard]] double middle_of(std::vector<double> values);

/// The median of what `value_of` reads off each run that was complete; 0 if none was.
template <typename ValueOf>
[[nodiscard]] double middle_of_runs(const Row& row, ValueOf value_of) {
    std::vector<double> values;
    for (const Result& result : row.runs) {
        if (result.ok()) {
            values.push_back(static_cast<double>(value_of(result)));
        }
    }
    return middle_of(std::move(values));
}

} // namespace roomd::bench
