// snapshot_format — a Snapshot as bytes, and back.
//
// Pure functions. The bytes are records of tag, size and body, one in the other; whoever reads
// skips the tags it does not know and takes the default for those that are missing. So a version
// that only adds tags can be read by the one before, and reads what that one wrote; a version that
// cannot says so in `readable_from`.
//
//   "roomd\n\0s" u32 version  u32 readable_from  u64 body bytes  u64 checksum   body: records
//
// All numbers are little-endian. The checksum finds damage (a cut, a flipped bit), not malice: the
// bytes come from a process of our own through memory that nobody else can write. They are read
// as carefully all the same: no input crashes, and none gives half a state.
#pragma once

#include "daemon/snapshot.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace roomd {

/// What this program writes. A test's program links another body to be the version before.
[[nodiscard]] std::uint32_t snapshot_version();
/// The oldest reader that understands it.
[[nodiscard]] std::uint32_t snapshot_readable_from();
/// The oldest version that this program reads.
[[nodiscard]] std::uint32_t snapshot_oldest();

/// Takes some bytes of a state and where among them they belong.
using PutBytes = std::function<void(std::uint64_t at, std::string_view bytes)>;

/// O(bytes). Writes as snapshot_version() says, in pieces: each byte once, the header last. Holds
/// some 64 KiB of them, or one record if that is larger: a room with its history, what waits in a
/// queue. All of them need not be in memory but where they go.
void encode_snapshot(const Snapshot& snapshot, const PutBytes& put);

/// All of it.
[[nodiscard]] std::string encode_snapshot(const Snapshot& snapshot);

/// All or nothing. The views point into `bytes`. `error` says what is wrong with them in one
/// sentence. O(bytes).
[[nodiscard]] std::optional<Snapshot> decode_snapshot(std::string_view bytes, std::string& error);

} // namespace roomd
