#include "daemon/sources.h"

#include <algorithm>
#include <cstring>

namespace roomd {

namespace {
constexpr Duration minute = std::chrono::seconds(60);

// Above it sources without a connection are forgotten at once, so that somebody with very many
// addresses cannot make the table grow; what that loses is a minute's memory of them.
constexpr std::size_t sources_kept_max = 65'536; // as crowded_ begins
} // namespace

std::size_t Sources::Hash::operator()(const SourceKey& source) const {
    char bytes[sizeof source]; // NOLINT: the value's bytes, for the hash
    std::memcpy(bytes, &source, sizeof source);
    return static_cast<std::size_t>(sip_hash(key, {bytes, sizeof bytes}));
}

Sources::Verdict Sources::admit(const SourceKey& source, std::uint32_t open_max,
                                std::uint32_t per_minute_max, TimePoint now) {
    if (table_.size() >= crowded_) {
        std::erase_if(table_, [](const auto& item) { return item.second.open == 0; });
        crowded_ =
            std::max(sources_kept_max, 2 * table_.size()); // so the walk is paid for by inserts
    }
    Entry& entry = table_[source];
    if (now - entry.minute >= minute) {
        entry.minute = now;
        entry.recent = 0;
    }
    if (entry.open >= open_max) {
        return Verdict::too_many;
    }
    if (entry.recent >= per_minute_max) {
        return Verdict::too_fast;
    }
    ++entry.open;
    ++entry.recent;
    return Verdict::welcome;
}

void Sources::release(const SourceKey& source) {
    const auto found = table_.find(source);
    if (found != table_.end() && found->second.open > 0) {
        --found->second.open;
    }
}

void Sources::sweep(TimePoint now) {
    std::erase_if(table_, [now](const auto& item) {
        return item.second.open == 0 && now - item.second.minute >= minute;
    });
}

std::vector<Sources::Saved> Sources::saved(TimePoint now) const {
    std::vector<Saved> all;
    for (const auto& [source, entry] : table_) {
        if (now - entry.minute < minute) {
            const auto age =
                std::chrono::duration_cast<std::chrono::milliseconds>(now - entry.minute);
            all.push_back({source, entry.recent, static_cast<std::uint64_t>(age.count())});
        }
    }
    return all;
}

void Sources::restore(const Saved& saved, TimePoint now) {
    constexpr std::uint64_t minute_ms = 60'000;
    Entry& entry = table_[saved.source];
    entry.recent = saved.recent;
    entry.minute = now - std::chrono::milliseconds(std::min(saved.age_ms, minute_ms));
}

} // namespace roomd
