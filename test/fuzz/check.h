// check — what every fuzz target needs: a check that stops at once, and a way to take input apart.
//
// For fuzz targets only. Input reads from the front; what is missing reads as zero, so that every
// input means something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace roomd::fuzz {

/// Ends the run if `holds` is false, and says where: libFuzzer keeps the input.
inline void check(bool holds, unsigned line = __builtin_LINE()) {
    if (!holds) {
        static_cast<void>(std::fprintf(stderr, "line %u of the target: does not hold\n", line));
        std::abort();
    }
}

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) {
        const void* const bytes = data;
        rest_ = {static_cast<const char*>(bytes), size};
    }

    std::uint8_t byte() {
        if (rest_.empty()) {
            return 0;
        }
        const auto first = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return first;
    }

    /// Up to three places, ascending, in what is left behind them.
    std::vector<std::size_t> cuts() {
        const std::size_t steps[] = {byte(), byte(), byte()};
        std::vector<std::size_t> places;
        std::size_t place = 0;
        for (const std::size_t step : steps) {
            place += step;
            if (place <= rest_.size()) {
                places.push_back(place);
            }
        }
        return places;
    }

    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

} // namespace roomd::fuzz
