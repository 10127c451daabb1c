// sip_hash — SipHash-1-3 of a name under a secret key.
//
// Whoever picks names cannot pick collisions: tables keyed by what clients choose use this and no
// other hash. A pure function. Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF"
// (2012).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace roomd {

using HashKey = std::array<std::uint64_t, 2>;

/// Some 15 ns for a name.
[[nodiscard]] std::uint64_t sip_hash(const HashKey& key, std::string_view bytes);

} // namespace roomd
