#include "bench/report.h"
#include "bench/table_parts.h"
#include "bench/text_file.h"
#include "bench/text_table.h"
#include "bench/wording.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace roomd::bench {

namespace {

Ink ink_for(std::FILE* out) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment
    if (::isatty(::fileno(out)) == 0 || std::getenv("NO_COLOR") != nullptr) {
        return {};
    }
    return {"\033[1m", "\033[2m", "\033[32m", "\033[1;31m", "\033[0m"};
}

/// The least and the most of a system over a series.
struct Reach {
    std::string_view system;
    double least = 0;
    double most = 0;
};

void widen(std::vector<Reach>& reaches, std::string_view system, double value) {
    auto found = std::ranges::find(reaches, system, &Reach::system);
    if (found == reaches.end()) {
        reaches.push_back({system, value, value});
        return;
    }
    found->least = std::min(found->least, value);
    found->most = std::max(found->most, value);
}

/// A sweep: a line for each point of the series, a column for each system.
std::string series_text(const Rows& rows, const Ink& ink) {
    const Row& head = *rows.front();
    TextTable table;
    std::vector<Reach> reaches;
    std::string measure;
    double at = 0;
    for (const Row* const entry : rows) {
        const Row& row = *entry;
        if (entry == rows.front() || row.at != at) {
            at = row.at;
            table.next_row();
            table.set(head.series, point_text(row.at));
        }
        if (row.figures.empty()) {
            table.set(proper_name(row.system), row.runs.empty() ? "not run" : "INCOMPLETE");
            continue;
        }
        const Figure& figure = row.figures.front();
        measure = label_of(figure.metric);
        measure += unit_of(figure.metric) == "us" ? " in us" : "";
        table.set(proper_name(row.system), cell_of(figure));
        widen(reaches, row.system, figure.median);
    }
    table.next_row();
    table.set(head.series, "most / least");
    for (const Reach& reach : reaches) {
        table.set(proper_name(reach.system),
                  reach.least > 0 ? three_digits(reach.most / reach.least) : std::string());
    }
    std::string text = '\n' + std::string(ink.bold) + head.scenario.name + std::string(ink.plain);
    text += "  " + measure + " by " + head.series + "; " + runs_text(head);
    const std::string_view dialect = dialect_text(head.scenario.dialect);
    text += dialect.empty() ? "\n" : ", " + std::string(dialect) + '\n';
    return text + table.text(table_indent, ink.faint, ink.plain) + notes_text(rows, ink) +
           goals_text(rows, ink);
}

constexpr std::size_t name_columns = 10;

std::string facts_text(const Report& report, const Ink& ink) {
    std::string out = std::string(ink.bold) + report.title + std::string(ink.plain) + '\n';
    const auto add = [&out](std::string name, std::string_view text) {
        if (!text.empty()) {
            name.resize(std::max(name.size() + 1, name_columns), ' ');
            out += wrapped(name.append(text), 0, name_columns);
        }
    };
    const Facts& facts = report.facts;
    add("machine", facts.cpu);
    add("kernel", facts.kernel);
    add("date", facts.date);
    add("pinning", facts.pinning);
    for (const auto& [system, version] : facts.versions) {
        add(system, version);
    }
    add("command", facts.command);
    return out;
}

/// How many promises were kept, and which were not.
std::string verdict_text(const Report& report, const Ink& ink) {
    std::size_t goals = 0;
    std::size_t met = 0;
    std::string missed;
    for (const Row& row : report.rows) {
        for (const Goal& goal : row.goals) {
            ++goals;
            met += goal.met ? 1 : 0;
            if (!goal.met) {
                missed += wrapped("NOT MET  " + place_text(row) + ": " + goal.text, table_indent,
                                  table_indent + 2);
            }
        }
    }
    if (goals == 0) {
        return {};
    }
    std::string out = "\n";
    out += missed.empty() ? ink.good : ink.bad;
    out += "Goals: " + std::to_string(met) + " of " + std::to_string(goals) + " met\n";
    out += missed;
    out += ink.plain;
    return out;
}

} // namespace

std::string table_text(const Report& report, const Ink& ink) {
    std::string text = facts_text(report, ink);
    for (const Rows& rows : scenarios_of(report)) {
        text += rows.front()->series.empty() ? group_text(rows, ink) : series_text(rows, ink);
    }
    text += verdict_text(report, ink);
    return text;
}

int print_table(std::FILE* out, const Report& report) {
    const std::string text = table_text(report, ink_for(out));
    const bool written = std::fwrite(text.data(), 1, text.size(), out) == text.size();
    return written && std::fflush(out) == 0 ? 0 : errno;
}

void write_table(const std::string& path, const Report& report) {
    write_text_file(path, table_text(report, {}));
}

} // namespace roomd::bench
