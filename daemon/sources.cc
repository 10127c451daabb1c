#include "daemon/sources.h"

#include <algorithm>

namespace roomd {

namespace {
constexpr Duration minute = std::chrono::seconds(60);
constexpr std::uint64_t minute_ms = 60'000;

// So that no sweep takes long: some 0.2 ms, and a full table is through in half a minute.
constexpr std::size_t swept_buckets_max = 2'048;
} // namespace

// Of somebody with very many addresses those without a connection are forgotten: what that loses
// is what a minute would have lost too.
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

std::optional<Limit> Sources::take_datagram(const SourceKey& source, const Limits& limits,
                                            const Charge& charge, TimePoint now) {
    const auto found = table_.find(source);
    const bool full = found == table_.end() && table_.size() >= sources_kept_max;
    Entry& entry = found != table_.end() ? found->second : full ? others_ : table_[source];
    if (entry.datagrams == nullptr) {
        entry.datagrams = std::make_unique<Meter>();
    }
    return entry.datagrams->take(limits, entry.rates, charge, now);
}

bool Sources::forgettable(const Entry& entry, const Limits& limits, const Rates::Table& rates,
                          TimePoint now) {
    return entry.open == 0 && now - entry.minute >= minute && entry.rates.full(rates, now) &&
           (entry.datagrams == nullptr || entry.datagrams->full(limits, now));
}

void Sources::sweep(const Limits& limits, TimePoint now) {
    const Rates::Table rates = Rates::source_table(limits);
    std::vector<SourceKey> forgotten;
    const std::size_t buckets = table_.bucket_count();
    for (std::size_t step = 0; step < std::min(buckets, swept_buckets_max); ++step) {
        swept_ = swept_ + 1 < buckets ? swept_ + 1 : 0;
        for (auto item = table_.begin(swept_); item != table_.end(swept_); ++item) {
            if (forgettable(item->second, limits, rates, now)) {
                forgotten.push_back(item->first);
            }
        }
    }
    for (const SourceKey& source : forgotten) {
        table_.erase(source);
    }
}

std::vector<Sources::Saved> Sources::saved(const Limits& limits, TimePoint now) const {
    const Rates::Table rates = Rates::source_table(limits);
    std::vector<Saved> all;
    for (const auto& [source, entry] : table_) {
        const bool recent = now - entry.minute < minute;
        const bool owes = !entry.rates.full(rates, now);
        if (!recent && !owes) {
            continue;
        }
        Saved& saved = all.emplace_back(Saved{source});
        if (recent) {
            const auto age =
                std::chrono::duration_cast<std::chrono::milliseconds>(now - entry.minute);
            saved.recent = entry.recent;
            saved.age_ms = static_cast<std::uint64_t>(age.count());
        } else {
            saved.age_ms = minute_ms;
        }
        if (owes) {
            saved.rates = entry.rates.saved(now);
        }
    }
    return all;
}

void Sources::restore(const Saved& saved, TimePoint now) {
    Entry& entry = table_[saved.source];
    entry.recent = saved.recent;
    entry.minute = now - std::chrono::milliseconds(std::min(saved.age_ms, minute_ms));
    if (saved.rates) {
        entry.rates.restore(*saved.rates, now);
    }
}

} // namespace roomd
