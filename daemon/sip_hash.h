// sip_hash — SipHash-1-3 of some bytes under a key.
//
// Whoever picks names cannot pick collisions: tables keyed by what clients choose use this and no
// other hash. Pure. Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF"
// (2012).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace roomd {

using HashKey = std::array<std::uint64_t, 2>;

/// Some 15 ns for a name.
[[nodiscard]] std::uint64_t sip_hash(const HashKey& key, std::string_view bytes);

/// The same of bytes that come in pieces, whatever their sizes; keeps none of them.
class SipHash {
public:
    explicit SipHash(const HashKey& key);

    void add(std::string_view bytes);

    /// sip_hash() of all that was added, in a row.
    [[nodiscard]] std::uint64_t result() const;

private:
    std::array<std::uint64_t, 4> state_;
    std::uint64_t size_ = 0;
    std::uint64_t tail_ = 0; // the last size_ % 8 bytes
};

} // namespace roomd
