// SourceHash, owner_of — the hash of a source for tables, keyed, so that whoever picks addresses
// cannot pick collisions; and its number for the hub, which knows no addresses. Pure.
#pragma once

#include "daemon/sip_hash.h"
#include "reactor/socket_address.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace roomd {

struct SourceHash {
    HashKey key;

    [[nodiscard]] std::size_t operator()(const SourceKey& source) const {
        char bytes[sizeof source]; // NOLINT: the value's bytes, for the hash
        std::memcpy(bytes, &source, sizeof source);
        return static_cast<std::size_t>(sip_hash(key, {bytes, sizeof bytes}));
    }
};

/// What this source makes counts to this number (Hub::enter). The same in each process, so that it
/// goes over an upgrade. 0 for Unix sockets: each connection counts for itself.
[[nodiscard]] inline std::uint64_t owner_of(const SourceKey& source) {
    constexpr std::uint64_t ipv4 = 0xFFFF;
    constexpr unsigned ipv4_bits = 32;
    return source.high == ipv4 ? ipv4 << ipv4_bits | source.low : source.high;
}

} // namespace roomd
