// Findings — what went wrong: how often, by kind, and the first of each kind in words.
//
// A value, owned by the Run; whoever judges adds to it.
#pragma once

#include "test/proofs/continuity/books.h"

#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace roomd::continuity {

class Findings {
public:
    /// `time_us` since the run began; `who` may be empty.
    void add(std::uint64_t time_us, const std::string& who, const Fault& fault) {
        const auto index = static_cast<std::size_t>(fault.kind);
        if (++counts_[index] <= told_of_each) {
            told_.push_back(std::to_string(time_us / 1000) + " ms: " + word(fault.kind) + ": " +
                            who + (who.empty() ? "" : ": ") + fault.text);
        }
    }

    [[nodiscard]] std::uint64_t of(FaultKind kind) const {
        return counts_[static_cast<std::size_t>(kind)];
    }

    [[nodiscard]] std::uint64_t total() const {
        return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
    }

    [[nodiscard]] const std::vector<std::string>& told() const { return told_; }

private:
    static constexpr std::uint64_t told_of_each = 5;

    std::array<std::uint64_t, fault_kinds> counts_{};
    std::vector<std::string> told_;
};

} // namespace roomd::continuity
