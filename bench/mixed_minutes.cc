#include "bench/mixed_minutes.h"

#include <algorithm>

namespace roomd::bench {

namespace {

std::string name_of(Stamp stamp) {
    return "message " + std::to_string(stamp.number) + " of m" + std::to_string(stamp.publisher);
}

} // namespace

void Minutes::open(std::string_view epoch, std::uint64_t next) {
    if (epoch == epoch_) {
        return;
    }
    epoch_ = epoch;
    ++epochs_;
    first_ = next;
    last_ = 0;
    lines_.clear();
}

std::string Minutes::heard(std::uint64_t id, Stamp stamp) {
    return write(id, stamp, false);
}

std::string Minutes::claimed(std::uint64_t id, Stamp stamp) {
    std::string wrong = write(id, stamp, true);
    last_ = std::max(last_, id);
    forget();
    return wrong;
}

std::string Minutes::write(std::uint64_t id, Stamp stamp, bool claim) {
    if (id < first_) { // forgotten, or said before the first of us was told where it begins
        return {};
    }
    if (id - first_ > 2 * kept_max) { // a number from nowhere must not become so much memory
        return "is far from all other ids of this room";
    }
    if (id - first_ >= lines_.size()) {
        lines_.resize(static_cast<std::size_t>(id - first_ + 1));
    }
    Line& line = lines_[static_cast<std::size_t>(id - first_)];
    const bool same = line.stamp.publisher == stamp.publisher && line.stamp.number == stamp.number;
    if (line.known && !same) {
        return "is " + name_of(stamp) + " to one and " + name_of(line.stamp) + " to another";
    }
    if (claim && line.claimed) {
        return "is acknowledged twice, as " + name_of(stamp);
    }
    line = {stamp, true, line.claimed || claim};
    return {};
}

// Only what was claimed may go: what nobody claims is to be told of at the end.
void Minutes::forget() {
    while (lines_.size() > kept_max && lines_.front().claimed) {
        lines_.pop_front();
        ++first_;
    }
}

std::uint64_t Minutes::unclaimed() const {
    const auto line = std::find_if(lines_.begin(), lines_.end(),
                                   [](const Line& entry) { return !entry.claimed; });
    return line == lines_.end() ? 0 : first_ + static_cast<std::uint64_t>(line - lines_.begin());
}

} // namespace roomd::bench
