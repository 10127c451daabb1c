// Histogram — counts of values over nine decades, log-linear: each power of two is cut into 64
// equal steps, so a value read back is at most 1.6 % from the one recorded.
//
// A value that owns its counts; owns nothing until the first record(). Never forgets, never
// allocates after the first.
//
// Invariant: count() is the sum of all buckets; max() is exact.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace roomd::bench {

class Histogram {
public:
    /// O(1), some nanoseconds.
    void record(std::uint64_t value, std::uint64_t times = 1) {
        if (buckets_.empty()) {
            buckets_.resize(bucket_count);
        }
        buckets_[bucket_of(value)] += times;
        count_ += times;
        max_ = std::max(max_, value);
        sum_ += value * times;
    }

    void add(const Histogram& other) {
        if (other.count_ == 0) {
            return;
        }
        if (buckets_.empty()) {
            buckets_.resize(bucket_count);
        }
        for (std::size_t index = 0; index < bucket_count; ++index) {
            buckets_[index] += other.buckets_[index];
        }
        count_ += other.count_;
        sum_ += other.sum_;
        max_ = std::max(max_, other.max_);
    }

    [[nodiscard]] std::uint64_t count() const { return count_; }

    [[nodiscard]] std::uint64_t max() const { return max_; }

    [[nodiscard]] double mean() const {
        return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
    }

    /// The least value that at least `share` (0 to 1) of all values do not exceed, as the upper end
    /// of its bucket, never above max(). 0 when empty. O(buckets).
    [[nodiscard]] std::uint64_t at(double share) const {
        // The hair taken off keeps 0.999 of 1,000 values from asking for the 1,000th.
        const double rank = share * static_cast<double>(count_) * (1 - 1e-12);
        const auto wanted = static_cast<std::uint64_t>(std::ceil(rank));
        std::uint64_t seen = 0;
        for (std::size_t index = 0; index < buckets_.size(); ++index) {
            seen += buckets_[index];
            if (seen >= std::max<std::uint64_t>(wanted, 1)) {
                return std::min(upper_end(index), max_);
            }
        }
        return max_;
    }

    /// Values from `least` to `most` were recorded `count` times.
    struct Bin {
        std::uint64_t least = 0;
        std::uint64_t most = 0;
        std::uint64_t count = 0;
    };

    /// The buckets that are not empty, in order. O(buckets).
    [[nodiscard]] std::vector<Bin> bins() const {
        std::vector<Bin> filled;
        for (std::size_t index = 0; index < buckets_.size(); ++index) {
            if (buckets_[index] != 0) {
                const std::uint64_t least = index == 0 ? 0 : upper_end(index - 1) + 1;
                filled.push_back({least, upper_end(index), buckets_[index]});
            }
        }
        return filled;
    }

private:
    static constexpr unsigned step_bits = 6;
    static constexpr std::size_t bucket_count = (64 - step_bits + 1) << step_bits;

    [[nodiscard]] static std::size_t bucket_of(std::uint64_t value) {
        const auto width = static_cast<unsigned>(std::bit_width(value));
        if (width <= step_bits + 1) {
            return static_cast<std::size_t>(value);
        }
        const unsigned shift = width - step_bits - 1;
        return std::min(bucket_count - 1, (std::size_t{shift} << step_bits) +
                                              static_cast<std::size_t>(value >> shift));
    }

    [[nodiscard]] static std::uint64_t upper_end(std::size_t index) {
        if (index < (std::size_t{2} << step_bits)) {
            return index;
        }
        const unsigned shift = static_cast<unsigned>(index >> step_bits) - 1;
        const std::uint64_t step = index - (std::size_t{shift} << step_bits);
        return ((step + 1) << shift) - 1;
    }

    std::vector<std::uint64_t> buckets_;
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

} // namespace roomd::bench
