// Report — everything that one call of roombench found out, and the three ways to tell it: a table
// for people, JSON for programs, a page with charts.
//
// A value, filled in by compare and suite; the functions that tell it read nothing else, compute no
// medians of their own and judge nothing. All of them may be called for an unfinished report.
#pragma once

#include "bench/result.h"
#include "bench/scenario.h"

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd::bench {

/// What a run took place on. Empty: unknown.
struct Facts {
    std::string cpu;     // model name and count
    std::string kernel;  // system and release
    std::string date;    // ISO 8601, UTC, when the first run began
    std::string command; // as it was typed
    std::string pinning; // "server on CPU 0, generator on CPU 1", or "none"
    std::vector<std::pair<std::string, std::string>> versions; // system, its own words
};

/// What can be compared. All but the rates: less is better.
enum class Metric : std::uint8_t {
    cost_us, // server CPU per delivery
    latency_p50_us,
    latency_p99_us,
    bytes_per_connection,  // resident memory
    resident_bytes,        // the most during the load
    deliveries_per_second, // more is better
    connections_per_second // more is better
};

[[nodiscard]] std::string_view label_of(Metric metric); // "CPU per delivery"
[[nodiscard]] std::string_view unit_of(Metric metric);  // "us", "B", "1/s"
[[nodiscard]] bool less_is_better(Metric metric);

/// The median of one metric over the runs that were complete, and how it stands beside the others
/// in the same scenario. A ratio is this row's value divided by the other's.
struct Figure {
    Metric metric = Metric::cost_us;
    double median = 0;
    double least = 0;
    double most = 0;
    std::optional<double> to_floor;     // nothing: no floor was run, or this is the floor
    std::optional<double> to_best_peer; // roomd only; peers: neither roomd nor the floor
    std::string best_peer;
};

/// A promise and whether it was kept.
struct Goal {
    std::string text; // "at most 1.3 x the floor"
    bool met = false;
};

/// One system in one scenario.
struct Row {
    Scenario scenario;
    std::string system;          // as in Result::system
    std::string series;          // of a sweep: "members", "size", "rooms"; otherwise empty
    double at = 0;               // of a sweep: where on the series
    std::vector<Result> runs;    // in order; some may have failed
    std::vector<Figure> figures; // what matters in this scenario, the most important first
    std::vector<Goal> goals;     // roomd only

    /// Every run was complete.
    [[nodiscard]] bool ok() const {
        for (const Result& result : runs) {
            if (!result.ok()) {
                return false;
            }
        }
        return !runs.empty();
    }
};

struct Report {
    std::string title; // "Standard suite", "fanout"
    Facts facts;
    std::vector<Row> rows; // those of one scenario stand together, roomd first, the floor last
};

/// For people; with colours only where `out` is a terminal. Flushed. 0, or the errno.
[[nodiscard]] int print_table(std::FILE* out, const Report& report);

/// Throw std::system_error naming the file when it cannot be written.
void write_table(const std::string& path, const Report& report);
void write_json(const std::string& path, const Report& report);
/// One self-contained file.
void write_page(const std::string& path, const Report& report);
/// A static SVG for the front page: cost per delivery of each plain scenario "S1" to "S5", beside
/// the floor.
void write_picture(const std::string& path, const Report& report);

} // namespace roomd::bench
