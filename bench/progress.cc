#include "bench/progress.h"

#include "bench/wording.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <utility>

namespace roomd::bench {

namespace {

constexpr const char* erase_line = "\r\x1b[K"; // ECMA-48: EL

std::string time_text(double seconds) {
    const auto whole = static_cast<std::uint64_t>(std::lround(std::max(seconds, 0.0)));
    return whole < 120 ? std::to_string(whole) + " s" : std::to_string(whole / 60) + " min";
}

} // namespace

void ProgressLine::expect(int runs, double seconds) {
    runs_left_ = runs;
    runs_made_ = 0;
    guess_seconds_ = seconds;
    taken_seconds_ = 0;
}

void ProgressLine::begin_block(const std::string& what) const {
    if (!terminal_) {
        std::cerr << "roombench: " << what << std::endl;
    }
}

void ProgressLine::begin_run(std::string what) {
    what_ = std::move(what);
    began_ = sys::monotonic_now();
    show({});
}

void ProgressLine::show(const Progress& progress) {
    if (!terminal_) {
        return;
    }
    const double passed = std::chrono::duration<double>(sys::monotonic_now() - began_).count();
    const double left = std::max(seconds_a_run() * runs_left_ - passed, progress.seconds_left);
    std::cerr << erase_line << what_ << "  "
              << static_cast<int>(std::clamp(progress.done, 0.0, 1.0) * 100) << " %  ";
    if (progress.deliveries_per_second > 0) {
        std::cerr << with_commas(static_cast<std::uint64_t>(progress.deliveries_per_second))
                  << " /s  ";
    }
    std::cerr << time_text(left) << " left" << std::flush;
    shown_ = true;
}

void ProgressLine::end_run() {
    taken_seconds_ += std::chrono::duration<double>(sys::monotonic_now() - began_).count();
    ++runs_made_;
    --runs_left_;
    clear();
}

void ProgressLine::note(const std::string& text) {
    clear();
    std::cerr << "roombench: " << text << std::endl;
}

void ProgressLine::clear() {
    if (std::exchange(shown_, false)) {
        std::cerr << erase_line << std::flush;
    }
}

double ProgressLine::seconds_a_run() const {
    return runs_made_ > 0 ? taken_seconds_ / runs_made_ : guess_seconds_;
}

} // namespace roomd::bench
