// Sources — how many connections each far address has, and how fast it makes new ones.
//
// Owned by the Server; only asked about peers that are not on this machine. Holds an entry while a
// source has a connection or has connected within the last minute, so its size is bounded by what
// the limits let in.
#pragma once

#include "daemon/sip_hash.h"
#include "reactor/socket_address.h"
#include "reactor/time.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace roomd {

class Sources {
public:
    enum class Verdict : std::uint8_t { welcome, too_many, too_fast };

    explicit Sources(HashKey key) : table_(0, Hash{key}) {}

    /// Counts a new connection if it is welcome. O(1).
    [[nodiscard]] Verdict admit(const SourceKey& source, std::uint32_t open_max,
                                std::uint32_t per_minute_max, TimePoint now);
    /// A connection that was admitted has ended.
    void release(const SourceKey& source);
    /// Forgets sources without connections whose minute has passed; call now and then. O(entries).
    void sweep(TimePoint now);

    [[nodiscard]] std::size_t size() const { return table_.size(); }

    /// What is remembered of a source, but for its connections.
    struct Saved {
        SourceKey source = {};
        std::uint32_t recent = 0;
        std::uint64_t age_ms = 0; // of its minute
    };

    /// For another process. O(entries).
    [[nodiscard]] std::vector<Saved> saved(TimePoint now) const;
    /// In it.
    void restore(const Saved& saved, TimePoint now);

    /// A connection that was admitted over there goes on here.
    void readmit(const SourceKey& source) { ++table_[source].open; }

private:
    struct Hash {
        HashKey key;
        [[nodiscard]] std::size_t operator()(const SourceKey& source) const;
    };

    struct Entry {
        std::uint32_t open = 0;
        std::uint32_t recent = 0; // connects in the minute that began at `minute`
        TimePoint minute{};
    };

    std::unordered_map<SourceKey, Entry, Hash> table_;
    std::size_t crowded_ = 65'536; // entries from which those without a connection are forgotten
};

} // namespace roomd
