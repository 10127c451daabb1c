// ProgressLine — what is being run, how fast, and how long all of it will still take: one line on a
// terminal that writes over itself; elsewhere one line for each block, so that a log stays short.
//
// Owned by whoever conducts the runs; writes to stderr only.
#pragma once

#include "bench/run.h"
#include "reactor/time.h"

#include <string>

namespace roomd::bench {

class ProgressLine {
public:
    explicit ProgressLine(bool terminal) : terminal_(terminal) {}

    ~ProgressLine() { clear(); }

    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    ProgressLine(ProgressLine&&) = delete;
    ProgressLine& operator=(ProgressLine&&) = delete;

    /// `runs` are to come; until one has been made, each is thought to take `seconds`.
    void expect(int runs, double seconds);
    void begin_block(const std::string& what) const;
    void begin_run(std::string what);
    void show(const Progress& progress);
    void end_run();

    /// Says something beside the line.
    void note(const std::string& text);
    void clear();

private:
    [[nodiscard]] double seconds_a_run() const;

    bool terminal_;
    bool shown_ = false;
    std::string what_;
    int runs_left_ = 0;
    int runs_made_ = 0;
    double guess_seconds_ = 0;
    double taken_seconds_ = 0;
    TimePoint began_{};
};

} // namespace roomd::bench
