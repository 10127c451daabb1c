#include "bench/json.h"

#include "bench/text_file.h"
#include "bench/wording.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace roomd::bench {

namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(Load load) {
    switch (load) {
    case Load::fanout:
        return "fanout";
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

std::string_view name_of(Dialect dialect) {
    switch (dialect) {
    case Dialect::plain:
        return "plain";
    case Dialect::event:
        return "event";
    case Dialect::human:
        return "human";
    }
    return "";
}

std::string_view name_of(Metric metric) {
    switch (metric) {
    case Metric::cost_us:
        return "cost_us";
    case Metric::latency_p50_us:
        return "latency_p50_us";
    case Metric::latency_p99_us:
        return "latency_p99_us";
    case Metric::bytes_per_connection:
        return "bytes_per_connection";
    case Metric::resident_bytes:
        return "resident_bytes";
    case Metric::deliveries_per_second:
        return "deliveries_per_second";
    case Metric::connections_per_second:
        return "connections_per_second";
    }
    return "";
}

Json or_null(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json json_of(const Scenario& scenario) {
    return {
        {"name", scenario.name},
        {"load", name_of(scenario.load)},
        {"description", describe(scenario)},
        {"connections", connections(scenario)},
        {"rooms", scenario.rooms},
        {"publishers", scenario.publishers},
        {"members", scenario.members},
        {"size", scenario.size},
        {"window", scenario.window},
        {"rate", scenario.rate},
        {"stalled", scenario.stalled},
        {"dialect", name_of(scenario.dialect)},
        {"acknowledged", scenario.acknowledged},
        {"seconds", scenario.seconds},
        {"warmup_seconds", scenario.warmup_seconds},
    };
}

/// null when nothing was recorded. A bucket is [least, most, count].
Json json_of(const Histogram& histogram) {
    using Quantile = std::pair<const char*, double>;
    constexpr std::array<Quantile, 7> quantiles = {{{"p50", 0.5},
                                                    {"p75", 0.75},
                                                    {"p90", 0.9},
                                                    {"p99", 0.99},
                                                    {"p99.9", 0.999},
                                                    {"p99.99", 0.9999},
                                                    {"p99.999", 0.99999}}};
    if (histogram.count() == 0) {
        return nullptr;
    }
    Json shares = Json::object();
    for (const auto& [name, share] : quantiles) {
        shares[name] = histogram.at(share);
    }
    Json buckets = Json::array();
    for (const Histogram::Bin& bin : histogram.bins()) {
        buckets.push_back(Json::array({bin.least, bin.most, bin.count}));
    }
    return {
        {"count", histogram.count()},     {"mean", histogram.mean()},      {"max", histogram.max()},
        {"quantiles", std::move(shares)}, {"buckets", std::move(buckets)},
    };
}

Json json_of(const Result& run) {
    Json memory = Json::array();
    for (const MemorySample& sample : run.memory) {
        memory.push_back(Json::array({sample.seconds, sample.resident_bytes}));
    }
    return {
        {"ok", run.ok()},
        {"failure", run.failure},
        {"messages", run.messages},
        {"deliveries", run.deliveries},
        {"bytes", run.bytes},
        {"seconds", run.seconds},
        {"cost_us", run.cost_us()},
        {"deliveries_per_second", run.deliveries_per_second()},
        {"server_cpu_seconds", run.server_cpu_seconds},
        {"generator_cpu_seconds", run.generator_cpu_seconds},
        {"generator_bound", run.generator_bound()},
        {"connections", run.connections},
        {"connect_seconds", run.connect_seconds},
        {"resident_bytes_before", run.resident_bytes_before},
        {"resident_bytes_after", run.resident_bytes_after},
        {"resident_bytes_max", run.resident_bytes_max},
        {"memory", std::move(memory)},
        {"latency_ns", json_of(run.latency)},
        {"lateness_ns", json_of(run.lateness)},
    };
}

Json json_of(const Figure& figure) {
    return {
        {"metric", name_of(figure.metric)},
        {"label", label_of(figure.metric)},
        {"unit", unit_of(figure.metric)},
        {"less_is_better", less_is_better(figure.metric)},
        {"median", figure.median},
        {"least", figure.least},
        {"most", figure.most},
        {"to_floor", or_null(figure.to_floor)},
        {"to_best_peer", or_null(figure.to_best_peer)},
        {"best_peer", figure.best_peer},
    };
}

Json json_of(const Goal& goal) {
    return {{"text", goal.text}, {"met", goal.met}};
}

Json json_of(const Row& row);

template <typename Values>
Json array_of(const Values& values) {
    Json array = Json::array();
    for (const auto& value : values) {
        array.push_back(json_of(value));
    }
    return array;
}

Json json_of(const Row& row) {
    return {
        {"scenario", json_of(row.scenario)},
        {"system", row.system},
        {"name", proper_name(row.system)},
        {"series", row.series},
        {"at", row.at},
        {"ok", row.ok()},
        {"figures", array_of(row.figures)},
        {"goals", array_of(row.goals)},
        {"sender_late", sender_late(row)},
        {"runs", array_of(row.runs)},
    };
}

Json json_of(const Facts& facts) {
    Json versions = Json::object();
    for (const auto& [system, version] : facts.versions) {
        versions[system] = version;
    }
    return {
        {"cpu", facts.cpu},         {"kernel", facts.kernel},   {"date", facts.date},
        {"command", facts.command}, {"pinning", facts.pinning}, {"versions", std::move(versions)},
    };
}

} // namespace

std::string to_json(const Report& report) {
    Json rows = array_of(report.rows);
    for (const Rows& scenario : scenarios_of(report)) {
        const auto first = static_cast<std::size_t>(scenario.front() - report.rows.data());
        rows[first]["repeat"] = repeat_command(scenario);
    }
    const Json document = {
        {"program", "roombench"},         {"schema", json_schema},   {"title", report.title},
        {"facts", json_of(report.facts)}, {"rows", std::move(rows)},
    };
    // A failure may quote what a server said, whatever bytes those were.
    return document.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

void write_json(const std::string& path, const Report& report) {
    write_text_file(path, to_json(report));
}

} // namespace roomd::bench
