#include "daemon/metrics_text.h"

#include <algorithm>

namespace roomd {

namespace {
constexpr unsigned micro_digits = 6;
constexpr unsigned nano_digits = 9;
constexpr unsigned milli_digits = 3;
} // namespace

std::string decimal(std::uint64_t value, unsigned digits) {
    std::string all = std::to_string(value);
    if (all.size() <= digits) {
        all = std::string(digits + 1 - all.size(), '0') + all;
    }
    const std::size_t point = all.size() - digits;
    const std::size_t end = std::max(all.find_last_not_of('0') + 1, point);
    return all.substr(0, point) + (end > point ? "." : "") + all.substr(point, end - point);
}

void MetricsText::begin(std::string_view name, std::string_view help, std::string_view type) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
    text_.append(name).append(" ").append(type).append("\n");
}

void MetricsText::line(std::string_view suffix, std::string_view labels, std::string_view value) {
    text_.append(name_).append(suffix);
    if (!labels.empty()) {
        text_.append("{").append(labels).append("}");
    }
    text_.append(" ").append(value).append("\n");
}

void MetricsText::gauge(std::string_view name, std::string_view help) {
    begin(name, help, "gauge");
}

void MetricsText::counter(std::string_view name, std::string_view help) {
    begin(name, help, "counter");
}

void MetricsText::sample(std::uint64_t value, std::string_view labels) {
    line("", labels, std::to_string(value));
}

void MetricsText::sample_thousandths(std::uint64_t value) {
    line("", {}, decimal(value, milli_digits));
}

void MetricsText::gauge(std::string_view name, std::string_view help, std::uint64_t value) {
    gauge(name, help);
    sample(value);
}

void MetricsText::counter(std::string_view name, std::string_view help, std::uint64_t value) {
    counter(name, help);
    sample(value);
}

void MetricsText::histogram(std::string_view name, std::string_view help,
                            const TimeHistogram& values) {
    begin(name, help, "histogram");
    std::uint64_t below = 0;
    for (std::size_t index = 0; index < TimeHistogram::bounds_us.size(); ++index) {
        below += values.count(index);
        line("_bucket", label("le", decimal(TimeHistogram::bounds_us[index], micro_digits)),
             std::to_string(below));
    }
    below += values.count(TimeHistogram::bounds_us.size());
    line("_bucket", label("le", "+Inf"), std::to_string(below));
    line("_sum", {}, decimal(values.sum_ns(), nano_digits));
    line("_count", {}, std::to_string(below));
}

std::string MetricsText::label(std::string_view name, std::string_view value) {
    std::string text(name);
    text += "=\"";
    for (const char byte : value) {
        if (byte == '\n') {
            text += "\\n";
        } else {
            text += byte == '"' || byte == '\\' ? "\\" : "";
            text += byte;
        }
    }
    return text += '"';
}

} // namespace roomd
