// Suite — the standard scenarios S1 to S7, the growth series, and what roomd promises in them.
//
// Says what is to be run, in blocks whose contenders take turns, and judges what came out. Runs
// nothing.
#pragma once

#include "bench/compare.h"
#include "bench/report.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace roomd::bench {

/// Contenders that take turns with each other.
struct Block {
    std::string title; // "S1"
    std::vector<Contender> contenders;
    int rounds = 5;
};

struct SuiteOptions {
    std::vector<std::string> others; // of system_names(), without roomd
    std::vector<Dialect> dialects{Dialect::plain, Dialect::event};
    int rounds = 5;
    double seconds = 1;
    double warmup_seconds = 0.3;
};

/// roomd in each dialect and the others in one scenario, as far as they are able; the floor once
/// for each dialect, with messages as long.
[[nodiscard]] std::vector<Contender> contenders_for(const Scenario& scenario,
                                                    const SuiteOptions& options);

/// S1 to S7, then how cost grows with members and with rooms.
[[nodiscard]] std::vector<Block> standard_suite(const SuiteOptions& options);

/// The titles of its blocks: "S1" to "S7", "members", "rooms".
[[nodiscard]] std::vector<std::string> suite_titles();

/// One series of a sweep: `base` with "members", "size" or "rooms" grown over its usual points; all
/// points take turns.
[[nodiscard]] Block sweep_block(const Scenario& base, const std::string& series,
                                const SuiteOptions& options);

/// The scenario of that name with the standard numbers; S1 to S7.
[[nodiscard]] Scenario standard_scenario(const std::string& name);

/// Fills in the goals of roomd's rows, for the standard scenarios and the growth series, from their
/// figures. Others are left without.
void judge(std::span<Row> rows);

} // namespace roomd::bench
