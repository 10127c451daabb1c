#include "daemon/sip_hash.h"

#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

namespace roomd {

namespace {

/// SipHash-c-d as the paper tells it: bytes into little-endian words, one by one.
class PaperSipHash {
public:
    PaperSipHash(int compression_rounds, int final_rounds, HashKey key)
        : compression_(compression_rounds),
          final_(final_rounds), v_{key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
                                   key[0] ^ 0x6c7967656e657261U, key[1] ^ 0x7465646279746573U} {}

    std::uint64_t of(std::string_view bytes) {
        std::string padded(bytes);
        while (padded.size() % 8 != 7) {
            padded += '\0';
        }
        padded += static_cast<char>(bytes.size() % 256);
        for (std::size_t at = 0; at < padded.size(); at += 8) {
            std::uint64_t word = 0;
            for (std::size_t byte = 8; byte-- > 0;) {
                word = word * 256 + static_cast<unsigned char>(padded[at + byte]);
            }
            v_[3] ^= word;
            rounds(compression_);
            v_[0] ^= word;
        }
        v_[2] ^= 0xff;
        rounds(final_);
        return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
    }

private:
    static std::uint64_t rotated(std::uint64_t word, unsigned bits) {
        return (word << bits) | (word >> (64 - bits));
    }

    void rounds(int count) {
        for (; count > 0; --count) {
            v_[0] += v_[1];
            v_[2] += v_[3];
            v_[1] = rotated(v_[1], 13) ^ v_[0];
            v_[3] = rotated(v_[3], 16) ^ v_[2];
            v_[0] = rotated(v_[0], 32);
            v_[2] += v_[1];
            v_[0] += v_[3];
            v_[1] = rotated(v_[1], 17) ^ v_[2];
            v_[3] = rotated(v_[3], 21) ^ v_[0];
            v_[2] = rotated(v_[2], 32);
        }
    }

    int compression_;
    int final_;
    std::array<std::uint64_t, 4> v_;
};

constexpr HashKey paper_key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

} // namespace

TEST_CASE("sip_hash: the yardstick of these tests gives the example of the paper") {
    std::string bytes;
    for (char byte = 0; byte < 15; ++byte) {
        bytes += byte;
    }
    CHECK(PaperSipHash(2, 4, paper_key).of(bytes) == 0xa129ca6149be45e5U);
}

TEST_CASE("sip_hash: it is SipHash-1-3 for every length and many keys") {
    sim::Random random(1);
    std::string bytes;
    for (int length = 0; length < 300; ++length) {
        const HashKey key{random.next(), random.next()};
        CHECK(sip_hash(key, bytes) == PaperSipHash(1, 3, key).of(bytes));
        CHECK(sip_hash(paper_key, bytes) == PaperSipHash(1, 3, paper_key).of(bytes));
        bytes += static_cast<char>(random.below(256));
    }
}

TEST_CASE("sip_hash: in pieces of any sizes it is the same") {
    sim::Random random(2);
    std::string bytes;
    for (int length = 0; length < 300; ++length) {
        SipHash pieces(paper_key);
        std::string_view rest = bytes;
        while (!rest.empty()) {
            const std::size_t size = std::min<std::size_t>(random.below(20), rest.size());
            pieces.add(rest.substr(0, size));
            rest.remove_prefix(size);
        }
        CHECK(pieces.result() == sip_hash(paper_key, bytes));
        CHECK(pieces.result() == sip_hash(paper_key, bytes)); // asking changes nothing
        bytes += static_cast<char>(random.below(256));
    }
}

TEST_CASE("sip_hash: it agrees with CPython, whose bytes are hashed so (PYTHONHASHSEED=0)") {
    constexpr HashKey zero{0, 0};
    CHECK(sip_hash(zero, "a") == 0x407448d2b89b1813U);
    CHECK(sip_hash(zero, "abc") == 0xc03bc3a0042630f2U);
    CHECK(sip_hash(zero, "sevenby") == 0x86c012e2349440ceU);
    CHECK(sip_hash(zero, "eightbyt") == 0xe281285510e568f4U);
    CHECK(sip_hash(zero, "ninebytes") == 0x584fa82231e97897U);
    CHECK(sip_hash(zero, "the quick brown fox jumps over the lazy dog") == 0x80a65583f613da2dU);
    CHECK(sip_hash(zero, "\xc3\xa9t\xc3\xa9") == 0x5ae7a46e109bcb97U);
}

TEST_CASE("sip_hash: names that differ in one bit, or keys that do, have nothing in common") {
    std::unordered_set<std::uint64_t> seen;
    const std::string name = "guest-1234567890";
    for (std::size_t bit = 0; bit < name.size() * 8; ++bit) {
        std::string other = name;
        other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
        seen.insert(sip_hash(paper_key, other));
    }
    for (unsigned bit = 0; bit < 128; ++bit) {
        HashKey key = paper_key;
        key.at(bit / 64) ^= std::uint64_t{1} << (bit % 64);
        seen.insert(sip_hash(key, name));
    }
    CHECK(seen.size() == name.size() * 8 + 128);
    CHECK_FALSE(seen.contains(sip_hash(paper_key, name)));
}

} // namespace roomd
