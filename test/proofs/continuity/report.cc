#include "test/proofs/continuity/report.h"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

namespace roomd::continuity {

namespace {

/// Each window but the first, and what all of them are together.
struct Whole {
    bench::Histogram latency_us;
    bench::Histogram pause_us;
    bench::Histogram command_us;
    bench::Histogram back_us;
    bench::Histogram resumed_us;
};

std::uint64_t us_of(double ms) {
    return static_cast<std::uint64_t>(ms * 1000);
}

Whole whole(const Windows& windows) {
    Whole all;
    for (std::size_t index = 1; index < windows.all().size(); ++index) {
        const Window& window = windows.all()[index];
        all.latency_us.add(window.latency_us);
        all.pause_us.add(window.pause_us);
        all.command_us.record(us_of(window.command_ms));
        if (window.back_ms > 0) {
            all.back_us.record(us_of(window.back_ms));
            all.resumed_us.record(us_of(window.resumed_ms));
        }
    }
    return all;
}

double ms_at(const bench::Histogram& histogram, double share) {
    return static_cast<double>(histogram.at(share)) / 1000;
}

void row(const char* what, const bench::Histogram& histogram) {
    if (histogram.count() > 0) {
        std::printf("  %-44s %10.1f %10.1f %10.1f %10.1f\n", what, ms_at(histogram, 0.5),
                    ms_at(histogram, 0.9), ms_at(histogram, 0.99), ms_at(histogram, 1));
    }
}

void print_restarts(const Windows& windows) {
    std::printf("\n  restart  command ms   pause p50      p99      max   latency p99   lost   back "
                "ms  resumed ms\n");
    for (std::size_t index = 1; index < windows.all().size(); ++index) {
        const Window& window = windows.all()[index];
        std::printf("  %7zu %11.1f %11.1f %8.1f %8.1f %13.1f %6llu %9.1f %11.1f\n", index,
                    window.command_ms, ms_at(window.pause_us, 0.5), ms_at(window.pause_us, 0.99),
                    ms_at(window.pause_us, 1), ms_at(window.latency_us, 0.99),
                    static_cast<unsigned long long>(window.lost), window.back_ms,
                    window.resumed_ms);
    }
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char letter : text) {
        if (letter == '"' || letter == '\\') {
            out += '\\';
        }
        out += letter >= ' ' && letter <= '~' ? letter : '?';
    }
    return '"' + out + '"';
}

/// A name and a value; what can be counted.
struct Count {
    const char* name;
    std::uint64_t value;
};

std::vector<Count> counts(const Report& report) {
    const Tally& tally = report.crowd.tally();
    return {
        {"connections", report.options.connections},
        {"rooms", report.options.rooms},
        {"rate", report.options.rate},
        {"restarts", report.restarts.done()},
        {"said", tally.said},
        {"unsaid", tally.unsaid},
        {"deliveries", tally.deliveries},
        {"acknowledged", tally.acknowledged},
        {"histories", tally.histories},
        {"gap_ids", tally.gap_ids},
        {"connections_lost", tally.lost},
        {"half_sent_at_a_restart", report.hardship.half_sent()},
        {"not_reading_at_a_restart", report.hardship.dozing()},
        {"connects", report.probes.begun()},
        {"connects_welcomed", report.probes.welcomed()},
        {"connects_cut_by_a_crash", report.probes.cut()},
    };
}

void put_histogram(std::ostream& out, const char* name, const bench::Histogram& histogram) {
    out << "  \"" << name << "\": {\"count\": " << histogram.count()
        << ", \"p50\": " << ms_at(histogram, 0.5) << ", \"p90\": " << ms_at(histogram, 0.9)
        << ", \"p99\": " << ms_at(histogram, 0.99) << ", \"max\": " << ms_at(histogram, 1)
        << "},\n";
}

void put_windows(std::ostream& out, const Windows& windows) {
    out << "  \"each\": [";
    for (std::size_t index = 1; index < windows.all().size(); ++index) {
        const Window& window = windows.all()[index];
        out << (index == 1 ? "" : ",") << "\n    {\"command_ms\": " << window.command_ms
            << ", \"pause_p50_ms\": " << ms_at(window.pause_us, 0.5)
            << ", \"pause_p99_ms\": " << ms_at(window.pause_us, 0.99)
            << ", \"pause_max_ms\": " << ms_at(window.pause_us, 1)
            << ", \"latency_p99_ms\": " << ms_at(window.latency_us, 0.99)
            << ", \"lost\": " << window.lost << ", \"back_ms\": " << window.back_ms
            << ", \"resumed_ms\": " << window.resumed_ms << "}";
    }
    out << "\n  ],\n";
}

void put_findings(std::ostream& out, const Findings& findings) {
    out << "  \"faults\": {";
    for (std::size_t index = 0; index < fault_kinds; ++index) {
        const auto kind = static_cast<FaultKind>(index);
        out << (index == 0 ? "" : ", ") << '"' << word(kind) << "\": " << findings.of(kind);
    }
    out << "},\n  \"told\": [";
    for (std::size_t index = 0; index < findings.told().size(); ++index) {
        out << (index == 0 ? "\n    " : ",\n    ") << escaped(findings.told()[index]);
    }
    out << "],\n";
}

void print_totals(const Report& report) {
    const Tally& tally = report.crowd.tally();
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf("\n  said %llu, delivered %llu, acknowledged %llu, replays %llu, gap ids %llu\n",
                number(tally.said), number(tally.deliveries), number(tally.acknowledged),
                number(tally.histories), number(tally.gap_ids));
    std::printf("  at a restart: half sent %llu, not reading %llu\n",
                number(report.hardship.half_sent()), number(report.hardship.dozing()));
    std::printf(
        "  connections lost %llu; short connects %llu, welcomed %llu, cut by a crash %llu\n",
        number(tally.lost), number(report.probes.begun()), number(report.probes.welcomed()),
        number(report.probes.cut()));
    std::printf("  faults:");
    for (std::size_t index = 0; index < fault_kinds; ++index) {
        const auto kind = static_cast<FaultKind>(index);
        std::printf(" %s %llu%s", word(kind), number(report.findings.of(kind)),
                    index + 1 == fault_kinds ? "\n" : ",");
    }
}

} // namespace

double pause_p99_ms(const Windows& windows) {
    return ms_at(whole(windows).pause_us, 0.99);
}

void print(const Report& report) {
    const Windows& windows = report.crowd.windows();
    const Whole all = whole(windows);
    std::printf("continuity: %u connections in %u rooms, %u messages a second, %u %s%s%s\n",
                report.options.connections, report.options.rooms, report.options.rate,
                report.restarts.done(),
                report.options.restart.empty() ? "cycles without a restart"
                : report.options.crash         ? "crashes by "
                                               : "restarts by ",
                report.options.restart.c_str(), report.findings.total() == 0 ? "" : ": FAILED");
    if (report.options.verbose) {
        print_restarts(windows);
    }
    std::printf("\n  %-44s %10s %10s %10s %10s\n", "milliseconds", "p50", "p90", "p99", "max");
    row("pause of a connection in a restart", all.pause_us);
    row("latency of a message, around restarts", all.latency_us);
    row("latency of a message, before the first", windows.all().front().latency_us);
    row("the command", all.command_us);
    row("crash: until a new connection was welcomed", all.back_us);
    row("crash: until all members had resumed", all.resumed_us);
    row("a short connect, until welcomed", report.probes.welcome_us());
    row("speakers late (this program, not the daemon)", report.speech.late_us());
    print_totals(report);
    for (const std::string& told : report.findings.told()) {
        std::printf("  ! %s\n", told.c_str());
    }
    static_cast<void>(std::fflush(stdout));
}

bool write_json(const Report& report) {
    if (report.options.json.empty()) {
        return true;
    }
    const Windows& windows = report.crowd.windows();
    const Whole all = whole(windows);
    std::ofstream out(report.options.json);
    out << "{\n";
    for (const Count& count : counts(report)) {
        out << "  \"" << count.name << "\": " << count.value << ",\n";
    }
    put_histogram(out, "pause_ms", all.pause_us);
    put_histogram(out, "latency_ms", all.latency_us);
    put_histogram(out, "latency_before_ms", windows.all().front().latency_us);
    put_histogram(out, "command_ms", all.command_us);
    put_histogram(out, "back_ms", all.back_us);
    put_histogram(out, "resumed_ms", all.resumed_us);
    put_histogram(out, "welcome_ms", report.probes.welcome_us());
    put_histogram(out, "speakers_late_ms", report.speech.late_us());
    put_windows(out, windows);
    put_findings(out, report.findings);
    out << "  \"ok\": " << (report.findings.total() == 0 ? "true" : "false") << "\n}\n";
    out.close();
    if (!out) {
        std::cerr << "continuity: cannot write " << report.options.json << '\n';
    }
    return static_cast<bool>(out);
}

} // namespace roomd::continuity
