#include "bench/meter.h"

#include "bench/process.h"

#include <algorithm>

namespace roomd::bench {

namespace {

// How often memory is sampled, progress shown and the clock of the phases looked at.
constexpr Duration pace = std::chrono::milliseconds(100);

Duration seconds(double count) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(count));
}

double count(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

} // namespace

Meter::Meter(const Server& server, const Scenario& scenario, const RunOptions& options,
             Result& result)
    : server_(&server), scenario_(&scenario), options_(&options), result_(&result) {
    if (const auto usage = usage_of(server.pid); usage) {
        result.resident_bytes_before = usage->resident_bytes;
    }
}

void Meter::begin(TimePoint now) {
    began_ = now;
    measuring_since_ = now + seconds(scenario_->warmup_seconds);
    ends_ = measuring_since_ + seconds(scenario_->seconds);
    next_ = now;
    shown_ = now;
}

Meter::Totals Meter::totals(std::uint64_t deliveries, std::uint64_t messages,
                            std::uint64_t bytes) const {
    const auto usage = usage_of(server_->pid);
    return {deliveries, messages, bytes, usage ? usage->cpu_seconds : 0, own_cpu_seconds()};
}

Meter::Phase Meter::at(TimePoint now, std::uint64_t deliveries, std::uint64_t messages,
                       std::uint64_t bytes) {
    if (!due(now)) {
        return phase_;
    }
    if (phase_ == Phase::warming && now >= measuring_since_) {
        measuring_since_ = now; // as it was, not as it was meant to be
        ends_ = now + seconds(scenario_->seconds);
        first_ = totals(deliveries, messages, bytes);
        phase_ = Phase::measuring;
    } else if (phase_ == Phase::measuring && now >= ends_) {
        const Totals last = totals(deliveries, messages, bytes);
        result_->deliveries = last.deliveries - first_.deliveries;
        result_->messages = last.messages - first_.messages;
        result_->bytes = last.bytes - first_.bytes;
        result_->server_cpu_seconds = last.server_cpu - first_.server_cpu;
        result_->generator_cpu_seconds = last.own_cpu - first_.own_cpu;
        result_->seconds = count(now - measuring_since_);
        phase_ = Phase::over;
    }
    sample(now);
    show(now, deliveries);
    next_ = now + pace;
    if (phase_ != Phase::over) {
        next_ = std::min(next_, phase_ == Phase::warming ? measuring_since_ : ends_);
    }
    return phase_;
}

void Meter::sample(TimePoint now) {
    if (const auto usage = usage_of(server_->pid); usage) {
        result_->memory.push_back({count(now - began_), usage->resident_bytes});
        result_->resident_bytes_after = usage->resident_bytes;
        result_->resident_bytes_max = std::max(result_->resident_bytes_max, usage->resident_bytes);
    }
}

void Meter::show(TimePoint now, std::uint64_t deliveries) {
    if (!options_->progress || now == shown_) {
        return;
    }
    const double whole = scenario_->warmup_seconds + scenario_->seconds;
    const double done = std::min(count(now - began_), whole);
    options_->progress({done / whole,
                        static_cast<double>(deliveries - shown_deliveries_) / count(now - shown_),
                        whole - done});
    shown_ = now;
    shown_deliveries_ = deliveries;
}

} // namespace roomd::bench
