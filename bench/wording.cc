#include "bench/wording.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace roomd::bench {

namespace {

std::string fixed(double number, int decimals) {
    std::array<char, 64> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number,
                                            std::chars_format::fixed, decimals);
    return error == std::errc() ? std::string(digits.data(), end) : std::string("-");
}

std::string counted(std::uint64_t number, std::string_view one) {
    std::string text = with_commas(number) + ' ' + std::string(one);
    if (number != 1) {
        text += 's';
    }
    return text;
}

std::string_view load_words(Load load) {
    switch (load) {
    case Load::fanout:
        return "";
    case Load::connect:
        return "connect and leave";
    case Load::idle:
        return "idle";
    case Load::slow:
        return "";
    case Load::echo:
        return "echo";
    case Load::mixed:
        return "joins, leaves, names and messages";
    }
    return "";
}

/// How fast its publishers speak: how many messages are under way, or how many a second.
std::string pace_words(const Scenario& scenario) {
    const bool mixed = scenario.load == Load::mixed;
    if (scenario.rate > 0) {
        return point_text(scenario.rate) + (mixed ? " commands/s" : " msg/s");
    }
    if (scenario.publishers == 0 && !mixed) {
        return {};
    }
    std::string text = with_commas(scenario.window) + " in flight";
    if (scenario.acknowledged) {
        text += ", acknowledged";
    }
    return text;
}

} // namespace

std::string_view dialect_text(Dialect dialect) {
    switch (dialect) {
    case Dialect::plain:
        return "";
    case Dialect::event:
        return "event format";
    case Dialect::human:
        return "human format";
    }
    return "";
}

std::string with_commas(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t place = text.size(); place > 3;) {
        place -= 3;
        text.insert(place, 1, ',');
    }
    return text;
}

std::string three_digits(double number) {
    if (!std::isfinite(number)) {
        return "-";
    }
    const double size = std::abs(number);
    if (size == 0 || size >= 1e18) {
        return fixed(number, 0);
    }
    // Rounded first, so that 9.996 becomes 10.0 and not 10.00.
    const int exponent = static_cast<int>(std::floor(std::log10(size)));
    const double step = std::pow(10.0, exponent - 2);
    const double rounded = std::round(size / step) * step;
    const std::string sign = number < 0 ? "-" : "";
    if (rounded >= 999.5) {
        return sign + with_commas(static_cast<std::uint64_t>(std::llround(rounded)));
    }
    const int whole_digits = static_cast<int>(std::floor(std::log10(rounded) + 1e-9));
    return sign + fixed(rounded, std::clamp(2 - whole_digits, 0, 12));
}

std::string bytes_text(double bytes) {
    constexpr std::array<std::string_view, 5> units = {"B", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    while (std::abs(bytes) >= 999.5 && unit + 1 < units.size()) {
        bytes /= 1000;
        ++unit;
    }
    return three_digits(bytes) + ' ' + std::string(units[unit]);
}

std::string point_text(double at) {
    if (at >= 0 && at < 1e15 && at == std::floor(at)) {
        return with_commas(static_cast<std::uint64_t>(at));
    }
    std::string text = three_digits(at);
    if (text.find('.') != std::string::npos) {
        text.erase(text.find_last_not_of('0') + 1);
        text.erase(text.find_last_not_of('.') + 1);
    }
    return text;
}

std::string runs_text(const Row& row) {
    std::string text = counted(row.runs.size(), "run");
    if (row.scenario.load != Load::idle && row.scenario.load != Load::connect) {
        text += " of " + point_text(row.scenario.seconds) + " s";
    }
    return text;
}

std::string place_text(const Row& row) {
    std::string text = row.scenario.name;
    const std::string_view dialect = dialect_text(row.scenario.dialect);
    text += dialect.empty() ? "" : ", ";
    text += dialect;
    return text + (row.series.empty() ? "" : ", " + point_text(row.at) + ' ' + row.series);
}

std::string_view label_of(Metric metric) {
    switch (metric) {
    case Metric::cost_us:
        return "CPU per delivery";
    case Metric::latency_p50_us:
        return "latency p50";
    case Metric::latency_p99_us:
        return "latency p99";
    case Metric::bytes_per_connection:
        return "memory per connection";
    case Metric::resident_bytes:
        return "memory at most";
    case Metric::deliveries_per_second:
        return "deliveries";
    case Metric::connections_per_second:
        return "connections";
    }
    return "";
}

std::string_view unit_of(Metric metric) {
    switch (metric) {
    case Metric::cost_us:
    case Metric::latency_p50_us:
    case Metric::latency_p99_us:
        return "us";
    case Metric::bytes_per_connection:
    case Metric::resident_bytes:
        return "B";
    case Metric::deliveries_per_second:
    case Metric::connections_per_second:
        return "/s";
    }
    return "";
}

bool less_is_better(Metric metric) {
    return metric != Metric::deliveries_per_second && metric != Metric::connections_per_second;
}

std::string value_text(Metric metric, double value) {
    return unit_of(metric) == "B" ? bytes_text(value)
                                  : three_digits(value) + ' ' + std::string(unit_of(metric));
}

std::string describe(const Scenario& scenario) {
    const bool silent = scenario.load == Load::idle || scenario.load == Load::connect;
    std::string text;
    const auto add = [&text](bool wanted, std::string_view part) {
        if (wanted && !part.empty()) {
            text += text.empty() ? "" : ", ";
            text += part;
        }
    };
    const std::string each = scenario.rooms > 1 ? " each" : "";
    add(silent, counted(connections(scenario), "connection"));
    add(!silent, load_words(scenario.load));
    add(scenario.rooms > 1, counted(scenario.rooms, "room"));
    add(silent, load_words(scenario.load));
    add(!silent && scenario.publishers > 0, counted(scenario.publishers, "publisher"));
    add(!silent && scenario.load != Load::echo, counted(scenario.members, "member") + each);
    add(scenario.stalled > 0, with_commas(scenario.stalled) + " more that never read");
    add(!silent, with_commas(scenario.size) + " B");
    add(!silent, pace_words(scenario));
    add(true, dialect_text(scenario.dialect));
    return text;
}

std::string_view proper_name(std::string_view system) {
    constexpr std::array<std::array<std::string_view, 2>, 3> names = {{
        {"redis", "Redis"},
        {"nats", "NATS"},
        {"mosquitto", "Mosquitto"},
    }};
    for (const auto& [plain, proper] : names) {
        if (plain == system) {
            return proper;
        }
    }
    return system;
}

std::vector<Rows> scenarios_of(const Report& report) {
    const auto same = [](const Row& one, const Row& other) {
        return one.scenario.name == other.scenario.name &&
               one.scenario.dialect == other.scenario.dialect && one.series == other.series &&
               (!one.series.empty() || one.at == other.at);
    };
    std::vector<Rows> scenarios;
    for (const Row& row : report.rows) {
        const auto found = std::ranges::find_if(
            scenarios, [&](const Rows& rows) { return same(*rows.front(), row); });
        if (found == scenarios.end()) {
            scenarios.push_back({&row});
        } else {
            found->push_back(&row);
        }
    }
    return scenarios;
}

const Row* row_of(const Rows& rows, std::string_view system) {
    const auto found = std::ranges::find(rows, system, &Row::system);
    return found == rows.end() ? nullptr : *found;
}

const Figure* figure_of(const Row& row, Metric metric) {
    const auto found = std::ranges::find(row.figures, metric, &Figure::metric);
    return found == row.figures.end() ? nullptr : &*found;
}

bool sender_late(const Row& row) {
    const double latency =
        middle_of_runs(row, [](const Result& run) { return run.latency.at(0.5); });
    const double lateness =
        middle_of_runs(row, [](const Result& run) { return run.lateness.at(0.99); });
    return latency > 0 && lateness > latency;
}

double middle_of(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    std::ranges::sort(values);
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

} // namespace roomd::bench
