#include "daemon/leave_plan.h"

#include <algorithm>
#include <random>

namespace roomd {

LeavePlan::LeavePlan(const std::vector<Key>& keys, TimePoint from, Duration span,
                     std::uint64_t seed) {
    std::mt19937_64 random(seed); // the standard fixes its numbers, so a seed replays
    const auto span_count = static_cast<std::uint64_t>(std::max<Duration::rep>(span.count(), 1));
    departures_.reserve(keys.size());
    for (const Key key : keys) {
        // A remainder favours small numbers by less than one in a billion here.
        const auto delay = static_cast<Duration::rep>(random() % span_count);
        departures_.push_back({from + Duration(delay), key});
    }
    std::sort(departures_.begin(), departures_.end(),
              [](const Departure& left, const Departure& right) { return left.at > right.at; });
}

std::optional<TimePoint> LeavePlan::next() const {
    return departures_.empty() ? std::nullopt : std::optional(departures_.back().at);
}

std::optional<Key> LeavePlan::take_due(TimePoint now) {
    if (departures_.empty() || departures_.back().at > now) {
        return std::nullopt;
    }
    const Key key = departures_.back().key;
    departures_.pop_back();
    return key;
}

} // namespace roomd
