#include "daemon/sip_hash.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace roomd {

namespace {

std::uint64_t little_endian(const char* from, std::size_t size) {
    std::uint64_t word = 0;
    for (std::size_t index = 0; index < size; ++index) {
        word |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[index])) << (8 * index);
    }
    return word;
}

struct State {
    std::uint64_t a, b, c, d;

    explicit State(const HashKey& key)
        : a(key[0] ^ 0x736f6d6570736575ULL), b(key[1] ^ 0x646f72616e646f6dULL),
          c(key[0] ^ 0x6c7967656e657261ULL), d(key[1] ^ 0x7465646279746573ULL) {}

    explicit State(const std::array<std::uint64_t, 4>& saved)
        : a(saved[0]), b(saved[1]), c(saved[2]), d(saved[3]) {}

    [[nodiscard]] std::array<std::uint64_t, 4> saved() const { return {a, b, c, d}; }

    void round() {
        a += b;
        b = std::rotl(b, 13) ^ a;
        a = std::rotl(a, 32);
        c += d;
        d = std::rotl(d, 16) ^ c;
        a += d;
        d = std::rotl(d, 21) ^ a;
        c += b;
        b = std::rotl(b, 17) ^ c;
        c = std::rotl(c, 32);
    }

    void absorb(std::uint64_t word) {
        d ^= word;
        round();
        a ^= word;
    }

    // Returns what is left over.
    [[nodiscard]] std::uint64_t absorb_words(std::string_view bytes) {
        while (bytes.size() >= 8) {
            absorb(little_endian(bytes.data(), 8));
            bytes.remove_prefix(8);
        }
        return little_endian(bytes.data(), bytes.size());
    }

    // `tail`: what is left over of `size` bytes.
    [[nodiscard]] std::uint64_t finish(std::uint64_t size, std::uint64_t tail) {
        absorb(size << 56U | tail);
        c ^= 0xFFU;
        round();
        round();
        round();
        return a ^ b ^ c ^ d;
    }
};

} // namespace

std::uint64_t sip_hash(const HashKey& key, std::string_view bytes) {
    State state(key);
    const std::uint64_t size = bytes.size();
    const std::uint64_t tail = state.absorb_words(bytes);
    return state.finish(size, tail);
}

SipHash::SipHash(const HashKey& key) : state_(State(key).saved()) {}

void SipHash::add(std::string_view bytes) {
    State state(state_);
    const std::size_t held = size_ % 8;
    size_ += bytes.size();
    if (held != 0) {
        const std::size_t taken = std::min(8 - held, bytes.size());
        tail_ |= little_endian(bytes.data(), taken) << (8 * held);
        bytes.remove_prefix(taken);
        if (held + taken < 8) {
            return;
        }
        state.absorb(tail_);
    }
    tail_ = state.absorb_words(bytes);
    state_ = state.saved();
}

std::uint64_t SipHash::result() const {
    return State(state_).finish(size_, tail_);
}

} // namespace roomd
