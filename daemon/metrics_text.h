// MetricsText — writes figures in the text format that Prometheus reads, version 0.0.4.
//
// A value, used once a scrape. Knows how a line is written, not what is counted: names and meanings
// are metrics_pages.cc's. Families are written one after the other, each with HELP and TYPE first.
// Source: prometheus.io/docs/instrumenting/exposition_formats.
#pragma once

#include "daemon/time_histogram.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace roomd {

class MetricsText {
public:
    static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family of gauges or counters. `name`: the whole name, static; `help`: one line.
    void gauge(std::string_view name, std::string_view help);
    void counter(std::string_view name, std::string_view help);

    /// One sample of the family begun last; `labels` as from label(), or empty.
    void sample(std::uint64_t value, std::string_view labels = {});
    /// The same of a number that is kept in thousandths: 1234 is written as 1.234.
    void sample_thousandths(std::uint64_t value);

    /// A family of one sample without labels.
    void gauge(std::string_view name, std::string_view help, std::uint64_t value);
    void counter(std::string_view name, std::string_view help, std::uint64_t value);

    /// A whole histogram of seconds; `name` ends with _seconds.
    void histogram(std::string_view name, std::string_view help, const TimeHistogram& values);

    /// `name="value"`, escaped; several are joined by commas.
    [[nodiscard]] static std::string label(std::string_view name, std::string_view value);

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    void begin(std::string_view name, std::string_view help, std::string_view type);
    void line(std::string_view suffix, std::string_view labels, std::string_view value);

    std::string text_;
    std::string_view name_;
};

/// `value` / 10^`digits`, exactly and without needless zeros: 2500, 6 is "0.0025".
[[nodiscard]] std::string decimal(std::uint64_t value, unsigned digits);

} // namespace roomd
