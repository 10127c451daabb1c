// snapshot_parts — the pieces of which encode_snapshot() and decode_snapshot() are made; internal
// to them.
//
// Reading finds out where values stand, checking what they may be. Neither changes anything but
// what it is given.
#pragma once

#include "daemon/snapshot.h"
#include "daemon/snapshot_records.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace roomd {

/// In which what a rate has spent is written, which is no whole number.
inline constexpr double millionths = 1e6;

/// What rates have spent, as a record.
void write_rates(RecordWriter& out, Tag tag, const Rates::Saved& rates);
[[nodiscard]] bool read_rates(std::string_view body, Rates::Saved& rates);

/// One connection, as a record.
void write_session(RecordWriter& out, const SavedSession& session);

/// One connection. False: the body is no sequence of records, or a value ends where it should not.
[[nodiscard]] bool read_session(std::string_view body, SavedSession& session);

/// Whether every value is one that a server can hold, and all fit together. `error` says what does
/// not.
[[nodiscard]] bool check_snapshot(const Snapshot& snapshot, std::string& error);

/// Damaged bytes give a number too large for its kind; the check sees it as out of range.
template <typename Enum>
[[nodiscard]] Enum enumerator(std::uint64_t number) {
    return static_cast<Enum>(static_cast<std::uint8_t>(std::min<std::uint64_t>(number, 0xFF)));
}

[[nodiscard]] inline std::uint32_t narrow(std::uint64_t number) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(number, UINT32_MAX));
}

[[nodiscard]] inline bool bit(std::uint64_t bits, unsigned place) {
    return ((bits >> place) & 1U) != 0;
}

/// The other way: the first is bit 0.
[[nodiscard]] inline std::uint64_t bits(std::initializer_list<bool> flags) {
    std::uint64_t result = 0;
    unsigned place = 0;
    for (const bool flag : flags) {
        result |= static_cast<std::uint64_t>(flag) << place++;
    }
    return result;
}

/// A body of values has to end where they end.
[[nodiscard]] inline bool whole(const BodyReader& in) {
    return !in.failed() && in.empty();
}

inline void write_key(RecordWriter& out, Tag tag, const SourceKey& key) {
    out.begin(tag);
    out.u64(key.high);
    out.u64(key.low);
    out.end();
}

[[nodiscard]] inline bool read_key(std::string_view body, SourceKey& key) {
    BodyReader in(body);
    key.high = in.u64();
    key.low = in.u64();
    return whole(in);
}

} // namespace roomd
