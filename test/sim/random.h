// Random — the only source of chance in the simulator: xoshiro256++ from a 64-bit seed.
//
// A value. The same seed gives the same numbers on every machine (no std:: distribution, whose
// results differ between libraries). Each concern has a stream of its own (fork), so that one more
// system call in the daemon does not change what the clients say.
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>

namespace roomd::sim {

class Random {
public:
    explicit Random(std::uint64_t seed) {
        for (std::uint64_t& word : state_) { // splitmix64, as the generator's authors advise
            seed += 0x9E3779B97F4A7C15ULL;
            std::uint64_t mixed = seed;
            mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9ULL;
            mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBULL;
            word = mixed ^ (mixed >> 31U);
        }
    }

    [[nodiscard]] std::uint64_t next() {
        const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
        const std::uint64_t shifted = state_[1] << 17U;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }

    /// 0 .. bound - 1. The bias of the remainder is of no interest here.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
        assert(bound > 0);
        return next() % bound;
    }

    /// Both ends included.
    [[nodiscard]] std::uint64_t between(std::uint64_t least, std::uint64_t most) {
        assert(least <= most);
        return least + below(most - least + 1);
    }

    /// Small numbers as often as large ones: the exponent is drawn first.
    [[nodiscard]] std::uint64_t skewed(std::uint64_t least, std::uint64_t most) {
        const std::uint64_t range = most - least + 1;
        const std::uint64_t bits = below(static_cast<std::uint64_t>(std::bit_width(range)) + 1);
        return least + below(std::uint64_t{1} << bits) % range;
    }

    [[nodiscard]] bool permille(unsigned chance) { return chance != 0 && below(1000) < chance; }

    [[nodiscard]] bool one_in(std::uint64_t count) { return below(count) == 0; }

    template <typename T, std::size_t Size>
    [[nodiscard]] const T& pick(const std::array<T, Size>& from) {
        return from[below(Size)];
    }

    [[nodiscard]] Random fork() { return Random(next()); }

private:
    std::array<std::uint64_t, 4> state_{};
};

} // namespace roomd::sim
