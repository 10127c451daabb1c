#include "bench/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using roomd::bench::Histogram;

namespace {

constexpr double error_max = 1.0 / 64;
constexpr std::array<double, 8> shares = {0.0, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0};

/// The least value that at least `share` of the sorted `values` do not exceed.
std::uint64_t exact(const std::vector<std::uint64_t>& values, double share) {
    const double rank = std::ceil(share * static_cast<double>(values.size()) - 1e-6);
    return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

Histogram filled(const std::vector<std::uint64_t>& values) {
    Histogram histogram;
    for (const std::uint64_t value : values) {
        histogram.record(value);
    }
    return histogram;
}

/// Values over all magnitudes up to 2^bits, sorted.
std::vector<std::uint64_t> spread_values(std::size_t count, unsigned bits) {
    std::mt19937_64 random(7); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
    std::vector<std::uint64_t> values(count);
    for (std::uint64_t& value : values) {
        value = random() >> (64 - 1 - random() % bits);
    }
    std::ranges::sort(values);
    return values;
}

void check_near(const Histogram& histogram, const std::vector<std::uint64_t>& sorted) {
    for (const double share : shares) {
        const std::uint64_t wanted = exact(sorted, share);
        const std::uint64_t found = histogram.at(share);
        CAPTURE(share);
        CHECK(found >= wanted); // the upper end of its bucket
        CHECK(static_cast<double>(found - wanted) <= error_max * static_cast<double>(wanted));
    }
}

} // namespace

TEST_CASE("Histogram: empty, it is zero everywhere and owns nothing") {
    const Histogram histogram;
    CHECK(histogram.count() == 0);
    CHECK(histogram.max() == 0);
    CHECK(histogram.mean() == 0);
    CHECK(histogram.at(0.5) == 0);
    CHECK(histogram.bins().empty());
}

TEST_CASE("Histogram: values below 128 are exact") {
    std::vector<std::uint64_t> values;
    for (std::uint64_t value = 0; value < 128; ++value) {
        values.push_back(value);
    }
    const Histogram histogram = filled(values);
    for (const std::uint64_t value : values) {
        CHECK(histogram.at(static_cast<double>(value + 1) / 128) == value);
    }
    CHECK(histogram.mean() == doctest::Approx(63.5));
    CHECK(histogram.bins().size() == 128);
}

TEST_CASE("Histogram: a share asks for the least value that so many do not exceed") {
    const Histogram histogram = filled({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    CHECK(histogram.at(0) == 1);
    CHECK(histogram.at(0.1) == 1);
    CHECK(histogram.at(0.11) == 2);
    CHECK(histogram.at(0.5) == 5);
    CHECK(histogram.at(0.9) == 9);
    CHECK(histogram.at(0.99) == 10);
    CHECK(histogram.at(1) == 10);
}

TEST_CASE("Histogram: quantiles are within 1.6 % of those of the sorted values") {
    SUBCASE("few values") {
        const auto values = spread_values(3, 20);
        check_near(filled(values), values);
    }
    SUBCASE("times from nanoseconds to minutes") {
        const auto values = spread_values(100'000, 37);
        check_near(filled(values), values);
    }
    SUBCASE("the whole range of the type") {
        const auto values = spread_values(100'000, 63);
        check_near(filled(values), values);
    }
    SUBCASE("all of one value") {
        const std::vector<std::uint64_t> values(1000, 123'456'789);
        const Histogram histogram = filled(values);
        check_near(histogram, values);
        CHECK(histogram.at(0.5) == 123'456'789); // never above the largest
    }
}

TEST_CASE("Histogram: buckets follow each other from zero to the end of the type") {
    std::uint64_t value = 0;
    std::size_t buckets = 0;
    do {
        Histogram histogram;
        histogram.record(value);
        REQUIRE(histogram.bins().size() == 1);
        const Histogram::Bin bin = histogram.bins().front();
        REQUIRE(bin.least == value);
        REQUIRE(bin.most >= value);
        CHECK(static_cast<double>(bin.most - bin.least) <=
              error_max * static_cast<double>(bin.least));
        histogram.record(bin.most);
        CHECK(histogram.bins().size() == 1);
        value = bin.most + 1;
        ++buckets;
    } while (value != 0); // behind the last bucket the type begins anew
    CHECK(buckets == 59 * 64);
}

TEST_CASE("Histogram: the largest value there is fits") {
    Histogram histogram;
    histogram.record(std::numeric_limits<std::uint64_t>::max());
    histogram.record(0);
    CHECK(histogram.count() == 2);
    CHECK(histogram.max() == std::numeric_limits<std::uint64_t>::max());
    CHECK(histogram.at(1) == std::numeric_limits<std::uint64_t>::max());
    CHECK(histogram.at(0.5) == 0);
}

TEST_CASE("Histogram: what is added counts as if it had been recorded here") {
    const auto values = spread_values(20'000, 40);
    Histogram even;
    Histogram odd;
    for (std::size_t index = 0; index < values.size(); ++index) {
        (index % 2 == 0 ? even : odd).record(values[index]);
    }
    Histogram sum;
    sum.add(Histogram()); // nothing
    CHECK(sum.count() == 0);
    sum.add(even);
    sum.add(odd);
    sum.add(Histogram());
    const Histogram whole = filled(values);
    CHECK(sum.count() == whole.count());
    CHECK(sum.max() == whole.max());
    CHECK(sum.mean() == doctest::Approx(whole.mean()));
    for (const double share : shares) {
        CHECK(sum.at(share) == whole.at(share));
    }
}

TEST_CASE("Histogram: the buckets hold every value once") {
    const auto values = spread_values(50'000, 50);
    const Histogram histogram = filled(values);
    std::uint64_t count = 0;
    std::uint64_t before = 0;
    for (const Histogram::Bin& bin : histogram.bins()) {
        const auto from = std::ranges::lower_bound(values, bin.least);
        const auto to = std::ranges::upper_bound(values, bin.most);
        CHECK(static_cast<std::uint64_t>(to - from) == bin.count);
        CHECK((count == 0 || bin.least > before));
        before = bin.most;
        count += bin.count;
    }
    CHECK(count == histogram.count());
}

TEST_CASE("Histogram: many at once are many") {
    Histogram histogram;
    histogram.record(10, 999);
    histogram.record(1000);
    CHECK(histogram.count() == 1000);
    CHECK(histogram.at(0.999) == 10);
    CHECK(histogram.at(0.9995) == 1000);
    CHECK(histogram.mean() == doctest::Approx(10.99));
}
