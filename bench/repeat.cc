#include "bench/wording.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::bench {

namespace {

std::string_view subcommand_of(const Row& row) {
    if (!row.series.empty()) {
        return "sweep";
    }
    switch (row.scenario.load) {
    case Load::fanout:
        return row.scenario.rate > 0 ? "latency" : "fanout";
    case Load::connect:
        return "connect";
    case Load::idle:
        return "idle";
    case Load::slow:
        return "slow";
    case Load::echo:
        return "echo";
    case Load::mixed:
        return "mixed";
    }
    return "";
}

/// Without the commas that a shell would not understand.
std::string bare(double number) {
    std::string text = point_text(number);
    std::erase(text, ',');
    return text;
}

void append_numbers(std::string& out, const Row& row) {
    const Scenario& scenario = row.scenario;
    const bool talks = scenario.load != Load::connect && scenario.load != Load::idle;
    const auto add = [&](std::string_view option, double value, bool wanted) {
        if (wanted && row.series != option) {
            out.append(" --").append(option).append(1, ' ').append(bare(value));
        }
    };
    // One publisher for each room is what roombench does unless told otherwise.
    add("publishers", scenario.publishers, talks && scenario.publishers != scenario.rooms);
    add("members", scenario.members, true);
    add("rooms", scenario.rooms, scenario.rooms > 1);
    add("size", scenario.size, talks);
    add("window", scenario.window, talks && scenario.rate <= 0);
    add("rate", scenario.rate, scenario.rate > 0);
    add("stalled", scenario.stalled, scenario.stalled > 0);
    out += scenario.acknowledged ? " --acknowledged" : "";
    out += scenario.dialect == Dialect::event   ? " --format event"
           : scenario.dialect == Dialect::human ? " --format human"
                                                : "";
    add("seconds", scenario.seconds, true);
    add("warmup", scenario.warmup_seconds, true);
}

} // namespace

std::string repeat_command(const Rows& rows) {
    if (rows.empty()) {
        return {};
    }
    const Row& first = *rows.front();
    std::string out = "roombench ";
    out += subcommand_of(first);
    out += first.series.empty() ? "" : " --series " + first.series;
    append_numbers(out, first);

    std::vector<std::string_view> others;
    std::size_t rounds = 1;
    for (const Row* const row : rows) {
        rounds = std::max(rounds, row->runs.size());
        if (row->system != "roomd" && std::ranges::find(others, row->system) == others.end()) {
            others.push_back(row->system);
        }
    }
    for (const std::string_view other : others) {
        out += other == others.front() ? " --compare " : ",";
        out += other;
    }
    return out + " --rounds " + std::to_string(rounds);
}

} // namespace roomd::bench
