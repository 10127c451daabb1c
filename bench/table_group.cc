#include "bench/table_parts.h"
#include "bench/text_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace roomd::bench {

namespace {

constexpr std::size_t line_columns = 100;

std::string_view header_of(Metric metric) {
    switch (metric) {
    case Metric::cost_us:
        return "us/delivery";
    case Metric::latency_p50_us:
        return "p50 us";
    case Metric::latency_p99_us:
        return "p99 us";
    case Metric::bytes_per_connection:
        return "per connection";
    case Metric::resident_bytes:
        return "memory";
    case Metric::deliveries_per_second:
        return "deliveries/s";
    case Metric::connections_per_second:
        return "connections/s";
    }
    return "";
}

bool is_latency(Metric metric) {
    return metric == Metric::latency_p50_us || metric == Metric::latency_p99_us;
}

std::string to_floor(const Row& row, const Figure& figure) {
    if (row.system == "floor") {
        return "1.00";
    }
    return figure.to_floor ? three_digits(*figure.to_floor) : std::string();
}

void set_figures(TextTable& table, const Row& row, const Row* roomd) {
    for (const Figure& figure : row.figures) {
        const std::string header(header_of(figure.metric));
        const bool first = &figure == row.figures.data();
        table.set(header, cell_of(figure));
        if (first || is_latency(figure.metric)) {
            table.set(first ? "x floor" : header.substr(0, 3) + " x floor", to_floor(row, figure));
        }
        const Figure* ours = roomd == nullptr ? nullptr : figure_of(*roomd, figure.metric);
        if (first && ours != nullptr && ours->median > 0) {
            table.set("x roomd", three_digits(figure.median / ours->median));
        }
    }
}

void set_rate_and_memory(TextTable& table, const Row& row) {
    const double rate =
        middle_of_runs(row, [](const Result& run) { return run.deliveries_per_second(); });
    if (rate > 0 && figure_of(row, Metric::deliveries_per_second) == nullptr) {
        table.set("deliveries/s", three_digits(rate));
    }
    const double most =
        middle_of_runs(row, [](const Result& run) { return run.resident_bytes_max; });
    if (most > 0 && figure_of(row, Metric::resident_bytes) == nullptr) {
        table.set("memory", bytes_text(most));
    }
}

std::string figures_table(const Rows& rows, const Ink& ink) {
    const Row* roomd = rows.size() > 1 ? row_of(rows, "roomd") : nullptr;
    TextTable table;
    for (const Row* const entry : rows) {
        const Row& row = *entry;
        table.next_row();
        table.set("", std::string(proper_name(row.system)));
        set_figures(table, row, roomd);
        set_rate_and_memory(table, row);
        if (row.runs.empty()) {
            table.set(" ", "not run");
        } else if (!row.ok()) {
            table.set(" ", "INCOMPLETE");
        }
    }
    return table.text(table_indent, ink.faint, ink.plain);
}

/// Percentiles of the runs that were complete: the median over the runs of each, and the largest
/// of all. Empty for scenarios that measure none.
std::string latency_table(const Rows& rows, const Ink& ink) {
    struct Quantile {
        std::string_view name;
        double share;
    };

    constexpr std::array<Quantile, 4> quantiles = {
        {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}}};
    TextTable table;
    bool any = false;
    for (const Row* const entry : rows) {
        const Row& row = *entry;
        std::uint64_t most = 0;
        for (const Result& run : row.runs) {
            most = std::max(most, run.ok() ? run.latency.max() : 0);
        }
        if (most == 0) {
            continue;
        }
        any = true;
        table.next_row();
        table.set("latency in us", std::string(proper_name(row.system)));
        for (const Quantile& quantile : quantiles) {
            const auto value = [&](const Result& run) { return run.latency.at(quantile.share); };
            table.set(quantile.name, three_digits(middle_of_runs(row, value) / 1e3));
        }
        table.set("max", three_digits(static_cast<double>(most) / 1e3));
        const auto late = [](const Result& run) { return run.lateness.at(0.99); };
        table.set("sent late p99", three_digits(middle_of_runs(row, late) / 1e3));
    }
    return any ? "\n" + table.text(table_indent, ink.faint, ink.plain) : std::string();
}

std::string heading(const Row& row, const Ink& ink) {
    const std::string& name = row.scenario.name;
    const std::string line =
        wrapped(name + "  " + describe(row.scenario) + "; " + runs_text(row), 0, table_indent);
    std::string out = "\n";
    out += ink.bold;
    out += name;
    out += ink.plain;
    return out + line.substr(name.size());
}

std::string failures_text(const Rows& rows, const Ink& ink) {
    const auto failed = [](const Result& run) { return !run.ok(); };
    std::string out;
    for (const Row* const row : rows) {
        const auto failures = std::ranges::count_if(row->runs, failed);
        if (failures == 0) {
            continue;
        }
        std::string text(proper_name(row->system));
        text += row->series.empty() ? "" : " at " + point_text(row->at) + ' ' + row->series;
        text += ": INCOMPLETE in " + std::to_string(failures) + " of " +
                std::to_string(row->runs.size()) +
                " runs: " + std::ranges::find_if(row->runs, failed)->failure;
        out += ink.bad;
        out += wrapped(text, table_indent, table_indent + 2);
        out += ink.plain;
    }
    return out;
}

/// Each of which `is_so`, once: "roomd, Redis".
template <typename IsSo>
std::string names_of(const Rows& rows, IsSo is_so) {
    std::vector<std::string_view> names;
    for (const Row* const row : rows) {
        const std::string_view name = proper_name(row->system);
        if (is_so(*row) && std::ranges::find(names, name) == names.end()) {
            names.push_back(name);
        }
    }
    std::string text;
    for (const std::string_view name : names) {
        text += text.empty() ? "" : ", ";
        text += name;
    }
    return text;
}

} // namespace

std::string wrapped(std::string_view text, std::size_t first, std::size_t hanging) {
    std::string out(first, ' ');
    std::size_t column = first;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        if (column > hanging && column + 1 + word.size() > line_columns) {
            out += '\n' + std::string(hanging, ' ');
            column = hanging;
        } else if (column > first) {
            out += ' ';
            ++column;
        }
        out += word;
        column += word.size();
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out + '\n';
}

std::string cell_of(const Figure& figure) {
    return unit_of(figure.metric) == "B" ? bytes_text(figure.median) : three_digits(figure.median);
}

std::string notes_text(const Rows& rows, const Ink& ink) {
    std::string out = failures_text(rows, ink);
    const auto add = [&](std::string_view attributes, const std::string& text) {
        out += attributes;
        out += wrapped("note: " + text, table_indent, table_indent + 2);
        out += ink.plain;
    };
    const std::string bound = names_of(rows, [](const Row& row) {
        return std::ranges::any_of(row.runs, &Result::generator_bound);
    });
    if (!bound.empty()) {
        add(ink.faint, "the generator was the bottleneck with " + bound +
                           "; rate and latency there are its own, the cost is the server's");
    }
    if (const std::string late = names_of(rows, sender_late); !late.empty()) {
        add(ink.bad, "the sender itself was late with " + late +
                         "; latencies there are the generator's as much as the server's");
    }
    return out;
}

std::string goals_text(const Rows& rows, const Ink& ink) {
    std::string out;
    for (const Row* const entry : rows) {
        const Row& row = *entry;
        for (const Goal& goal : row.goals) {
            const std::string_view verdict = goal.met ? "met    " : "NOT MET";
            out += std::string(table_indent, ' ');
            out += goal.met ? ink.good : ink.bad;
            out += verdict;
            out += ink.plain;
            out += "  " + goal.text;
            out += row.series.empty() ? "\n" : " (" + point_text(row.at) + ' ' + row.series + ")\n";
        }
    }
    return out;
}

std::string group_text(const Rows& rows, const Ink& ink) {
    return heading(*rows.front(), ink) + figures_table(rows, ink) + latency_table(rows, ink) +
           notes_text(rows, ink) + goals_text(rows, ink);
}

} // namespace roomd::bench
