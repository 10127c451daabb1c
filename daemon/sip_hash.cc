#include "daemon/sip_hash.h"

#include <bit>
#include <cstring>

namespace roomd {

namespace {

struct State {
    std::uint64_t a, b, c, d;

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
};

std::uint64_t little_endian(const char* from, std::size_t size) {
    std::uint64_t word = 0;
    for (std::size_t index = 0; index < size; ++index) {
        word |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[index])) << (8 * index);
    }
    return word;
}

} // namespace

std::uint64_t sip_hash(const HashKey& key, std::string_view bytes) {
    State state{key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
                key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};
    const std::uint64_t length = static_cast<std::uint64_t>(bytes.size()) << 56U;
    while (bytes.size() >= 8) {
        state.absorb(little_endian(bytes.data(), 8));
        bytes.remove_prefix(8);
    }
    state.absorb(length | little_endian(bytes.data(), bytes.size()));
    state.c ^= 0xFFU;
    state.round();
    state.round();
    state.round();
    return state.a ^ state.b ^ state.c ^ state.d;
}

} // namespace roomd
