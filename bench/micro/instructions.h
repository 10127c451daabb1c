// Instructions — how many instructions this process has executed, as the processor counts them.
//
// Owned by main, lent to whatever is measured. Counts this process outside the kernel only. Many
// virtual machines and most containers give no counter; then available() is false, why_not() says
// why, and nothing else changes. The linker chooses the body: Linux (perf_event_open(2)), or none.
#pragma once

#include "reactor/fd.h"

#include <cstdint>
#include <string>

namespace roomd::bench::micro {

class Instructions {
public:
    Instructions();

    [[nodiscard]] bool available() const { return static_cast<bool>(counter_); }

    /// Since some moment in the past; 0 if not available. One system call.
    [[nodiscard]] std::uint64_t now() const;

    /// One line, empty if available.
    [[nodiscard]] const std::string& why_not() const { return why_not_; }

private:
    Fd counter_;
    std::string why_not_;
};

} // namespace roomd::bench::micro
