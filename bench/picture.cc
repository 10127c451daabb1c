#include "bench/report.h"
#include "bench/text_file.h"
#include "bench/wording.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// The picture for the front page. Its bars begin at the floor and are logarithmic, so their lengths
// are what a server adds to what the kernel itself costs.
namespace roomd::bench {

namespace {

constexpr double width = 880;
constexpr double top = 104;        // where the first scenario begins
constexpr double bars_left = 352;  // 1 x, unless somebody is below the floor
constexpr double bars_right = 724; // the longest bar; its text stands to the right
constexpr double bar_step = 23;    // from one bar to the next
constexpr double bar_height = 15;
constexpr double scenario_gap = 22;  // between scenarios
constexpr double footer_height = 74; // axis and what it was measured on

constexpr std::string_view style = R"(
    .page { fill: #ffffff; stroke: #d9dcd8 }
    text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
           font-size: 13px; fill: #535b64; font-variant-numeric: tabular-nums }
    .title { font-size: 19px; font-weight: 650; fill: #16191d }
    .strong { font-weight: 650; fill: #16191d }
    .name { fill: #16191d }
    .small { font-size: 11.5px }
    .grid { stroke: #e5e7e3 }
    .floor { stroke: #6b7580; stroke-width: 1.5; stroke-dasharray: 4 3 }
    .roomd { fill: #0065a8 } .redis { fill: #d0560a } .nats { fill: #00866a }
    .mosquitto { fill: #a8428a } .other { fill: #8a6d00 }
    @media (prefers-color-scheme: dark) {
      .page { fill: #14181c; stroke: #2c3238 }
      text { fill: #b0b8c0 }
      .title, .strong, .name { fill: #eceeef }
      .grid { stroke: #272d33 }
      .floor { stroke: #a7b1bb }
      .roomd { fill: #56b0f0 } .redis { fill: #f58a4b } .nats { fill: #3cc6a0 }
      .mosquitto { fill: #e296c8 } .other { fill: #dcb73c }
    }
  )";

/// A bar: how many times the floor one system costs.
struct Bar {
    std::string_view system;
    double cost_us = 0;
    double to_floor = 1;
};

struct Panel {
    std::string_view name;
    std::string description;
    double floor_us = 0;
    std::vector<Bar> bars;
};

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '"' ? "&quot;" : std::string(1, c);
    }
    return out;
}

/// Coordinates need one decimal.
std::string place(double value) {
    const auto tenths = static_cast<long>(std::lround(value * 10));
    return std::to_string(tenths / 10) + '.' + std::to_string(std::abs(tenths % 10));
}

std::string text_at(double x, double y, std::string_view classes, std::string_view text,
                    std::string_view anchor = "start") {
    return "  <text x='" + place(x) + "' y='" + place(y) + "' class='" + std::string(classes) +
           "' text-anchor='" + std::string(anchor) + "'>" + escaped(text) + "</text>\n";
}

std::string line_at(double x, double from, double to, std::string_view kind) {
    return "  <line x1='" + place(x) + "' x2='" + place(x) + "' y1='" + place(from) + "' y2='" +
           place(to) + "' class='" + std::string(kind) + "'/>\n";
}

std::string times(double ratio) {
    return three_digits(ratio) + " \u00d7";
}

std::string micros(double value) {
    return three_digits(value) + " \u00b5s";
}

std::vector<Panel> panels_of(const Report& report) {
    constexpr std::array<std::string_view, 5> shown = {"S1", "S2", "S3", "S4", "S5"};
    std::vector<Panel> panels;
    for (const Rows& rows : scenarios_of(report)) {
        const Scenario& scenario = rows.front()->scenario;
        const Row* const floor_row = row_of(rows, "floor");
        const Figure* const floor =
            floor_row == nullptr ? nullptr : figure_of(*floor_row, Metric::cost_us);
        if (std::ranges::find(shown, scenario.name) == shown.end() ||
            scenario.dialect != Dialect::plain || floor == nullptr || floor->median <= 0) {
            continue;
        }
        Panel panel{scenario.name, describe(scenario), floor->median, {}};
        for (const Row* const row : rows) {
            const Figure* const cost = figure_of(*row, Metric::cost_us);
            if (row != floor_row && cost != nullptr && cost->median > 0) {
                panel.bars.push_back({row->system, cost->median, cost->median / floor->median});
            }
        }
        if (!panel.bars.empty()) {
            panels.push_back(std::move(panel));
        }
    }
    return panels;
}

/// From times the floor to a place on the page.
class Axis {
public:
    explicit Axis(const std::vector<Panel>& panels) {
        for (const Panel& panel : panels) {
            for (const Bar& bar : panel.bars) {
                least_ = std::min(least_, bar.to_floor);
                most_ = std::max(most_, bar.to_floor);
            }
        }
    }

    [[nodiscard]] double at(double ratio) const {
        const double share = std::log(ratio / least_) / std::log(most_ / least_);
        return bars_left + (bars_right - bars_left) * share;
    }

    [[nodiscard]] std::vector<double> ticks() const {
        const bool wide = most_ / least_ > 30;
        std::vector<double> found;
        for (const double power : {1.0, 10.0, 100.0, 1e3, 1e4, 1e5}) {
            for (const double factor : {1.0, 2.0, 5.0}) {
                if (power * factor <= most_ && (factor == 1 || !wide)) {
                    found.push_back(power * factor);
                }
            }
        }
        return found;
    }

private:
    double least_ = 1;
    double most_ = 2;
};

double height_of(const Panel& panel) {
    constexpr double text_height = 62; // name and two lines of what it does
    return std::max(static_cast<double>(panel.bars.size()) * bar_step, text_height);
}

/// The description in lines of at most 27 characters, broken after commas.
std::vector<std::string> broken(std::string_view text) {
    constexpr std::size_t line_max = 27;
    std::vector<std::string> lines{""};
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(", "), text.size());
        std::string part(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 2, text.size()));
        part += text.empty() ? "" : ",";
        if (!lines.back().empty() && lines.back().size() + 1 + part.size() > line_max) {
            lines.emplace_back();
        }
        lines.back() += (lines.back().empty() ? "" : " ") + part;
    }
    return lines;
}

std::string panel_text(const Panel& panel, const Axis& axis, double y) {
    std::string out = text_at(28, y + 14, "strong", panel.name);
    double line_y = y + 14;
    for (const std::string& line : broken(panel.description)) {
        out += text_at(62, line_y, "", line);
        line_y += 17;
    }
    out += text_at(62, line_y, "small", "floor " + micros(panel.floor_us));
    for (const Bar& bar : panel.bars) {
        constexpr std::array<std::string_view, 4> coloured = {"roomd", "redis", "nats",
                                                              "mosquitto"};
        const bool known = std::ranges::find(coloured, bar.system) != coloured.end();
        const std::string_view kind = known ? bar.system : "other";
        const double from = axis.at(std::min(bar.to_floor, 1.0));
        const double to = axis.at(std::max(bar.to_floor, 1.0));
        const bool ours = bar.system == "roomd";
        out += text_at(bars_left - 10, y + 13, ours ? "strong" : "name", proper_name(bar.system),
                       "end");
        out += "  <rect x='" + place(from) + "' y='" + place(y) + "' width='" +
               place(std::max(to - from, 2.0)) + "' height='" + place(bar_height) +
               "' rx='2' class='" + std::string(kind) + "'/>\n";
        out += "  <text x='" + place(to + 9) + "' y='" + place(y + 13) +
               "'><tspan class='strong'>" + times(bar.to_floor) + "</tspan>  " +
               micros(bar.cost_us) + "</text>\n";
        y += bar_step;
    }
    return out;
}

/// What the picture shows, for those who cannot see it.
std::string told(const std::vector<Panel>& panels) {
    std::string out;
    for (const Panel& panel : panels) {
        out += std::string(panel.name) + ", " + panel.description + ":";
        for (const Bar& bar : panel.bars) {
            out += ' ' + std::string(proper_name(bar.system)) + ' ' + three_digits(bar.to_floor) +
                   " times the floor;";
        }
        out.back() = '.';
        out += ' ';
    }
    return out;
}

std::string drawn(const Report& report) {
    const std::vector<Panel> panels = panels_of(report);
    const Axis axis(panels);
    double bottom = top;
    for (const Panel& panel : panels) {
        bottom += height_of(panel) + scenario_gap;
    }
    const double height = bottom + footer_height;
    const std::string size = place(width) + " " + place(height);
    std::string out = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " + size + "' width='" +
                      place(width) + "' height='" + place(height) +
                      "' role='img' aria-labelledby='title text'>\n"
                      "  <title id='title'>CPU time per delivered message</title>\n"
                      "  <desc id='text'>" +
                      escaped(told(panels)) + "</desc>\n  <style>" + std::string(style) +
                      "</style>\n  <rect class='page' x='0.5' y='0.5' width='" + place(width - 1) +
                      "' height='" + place(height - 1) + "' rx='10'/>\n";
    out += text_at(28, 40, "title", "CPU time per delivered message, beside the floor");
    out +=
        text_at(28, 62, "",
                "The floor is a relay that only reads bytes and sends them on. Bars begin at it; "
                "logarithmic; less is better.");
    for (const double tick : axis.ticks()) {
        out += line_at(axis.at(tick), top - 8, bottom - 8, "grid");
        out += text_at(axis.at(tick), bottom + 10, "small", point_text(tick) + " \u00d7", "middle");
    }
    out += line_at(axis.at(1), top - 12, bottom - 6, "floor");
    out += text_at(axis.at(1), top - 18, "small", "floor", "middle");
    double y = top;
    for (const Panel& panel : panels) {
        out += panel_text(panel, axis, y);
        y += height_of(panel) + scenario_gap;
    }
    const Facts& facts = report.facts;
    out += text_at(28, height - 36, "small",
                   facts.cpu + "; " + facts.kernel + "; " + facts.date.substr(0, 10));
    out += text_at(28, height - 19, "small", facts.command);
    return out + "</svg>\n";
}

} // namespace

void write_picture(const std::string& path, const Report& report) {
    write_text_file(path, drawn(report));
}

} // namespace roomd::bench
