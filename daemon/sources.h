// Sources — what the daemon remembers of each remote address: how many connections it has, how fast
// it makes new ones, and what all of them together have used up of their rates.
//
// Owned by the Server; only asked about peers for whom the limits hold (limits_hold). A new
// connection finds the budget that the ones before it have left: so it is none of its own.
//
// Holds an entry while a source has a connection, has connected within the last minute, or owes its
// rates something; sweep() forgets the others. Above sources_kept_max entries (somebody has very
// many addresses, or invents those of datagrams) datagrams of further sources share one entry, and
// a further connection makes it forget those without one. So the table's size is bounded by
// sources_kept_max, the connections, and twice as much where it doubles: see entry_bytes.
#pragma once

#include "daemon/meter.h"
#include "daemon/rates.h"
#include "daemon/source_hash.h"
#include "reactor/time.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace roomd {

class Sources {
public:
    enum class Verdict : std::uint8_t { welcome, too_many, too_fast };

    static constexpr std::size_t sources_kept_max = 65'536;

    explicit Sources(HashKey key) : table_(0, SourceHash{key}) {}

    /// Counts a new connection if it is welcome. O(1).
    [[nodiscard]] Verdict admit(const SourceKey& source, std::uint32_t open_max,
                                std::uint32_t per_minute_max, TimePoint now);
    /// A connection that was admitted has ended.
    void release(const SourceKey& source);

    /// The budget of a source that has a connection. Valid until the next call. O(1).
    [[nodiscard]] Rates& rates(const SourceKey& source) { return table_[source].rates; }

    /// Takes a datagram of this source in, or names the limit for which it is lost. All datagrams
    /// of a source are metered as one connection of it would be. O(1).
    [[nodiscard]] std::optional<Limit> take_datagram(const SourceKey& source, const Limits& limits,
                                                     const Charge& charge, TimePoint now);
    /// Forgets sources that have nothing to be remembered for; call once a second. Looks at a part
    /// of a large table each time.
    void sweep(const Limits& limits, TimePoint now);

    [[nodiscard]] std::size_t size() const { return table_.size(); }

    /// What is remembered of a source, but for its connections.
    struct Saved {
        SourceKey source = {};
        std::uint32_t recent = 0;
        std::uint64_t age_ms = 0;               // of its minute
        std::optional<Rates::Saved> rates = {}; // if it owes them something
    };

    /// For another process. O(entries).
    [[nodiscard]] std::vector<Saved> saved(const Limits& limits, TimePoint now) const;
    /// In it.
    void restore(const Saved& saved, TimePoint now);

    /// A connection that was admitted over there goes on here.
    void readmit(const SourceKey& source) { ++table_[source].open; }

private:
    struct Entry {
        std::uint32_t open = 0;
        std::uint32_t recent = 0; // connects in the minute that began at `minute`
        TimePoint minute{};
        Rates rates;                      // of all its connections and datagrams
        std::unique_ptr<Meter> datagrams; // if one has come
    };

    [[nodiscard]] static bool forgettable(const Entry& entry, const Limits& limits,
                                          const Rates::Table& rates, TimePoint now);

    std::unordered_map<SourceKey, Entry, SourceHash> table_;
    Entry others_;                           // for datagrams, when the table is full
    std::size_t crowded_ = sources_kept_max; // entries from which a connection makes it forget
    std::size_t swept_ = 0;                  // buckets of the table, of this round

public:
    /// What an entry takes: itself, its links and a datagrams' meter; for whoever counts memory.
    static constexpr std::size_t entry_bytes =
        sizeof(SourceKey) + sizeof(Entry) + sizeof(Meter) + 4 * sizeof(void*);
};

} // namespace roomd
