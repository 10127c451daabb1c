// Process — a server that roombench has started, and what the kernel knows about any process.
//
// Owned by whoever started it; the destructor ends it (SIGTERM, then SIGKILL after two seconds) and
// waits, so no run leaves anything behind.
#pragma once

#include "bench/result.h"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace roomd::bench {

/// CPU time of all threads of a process and its resident memory, from /proc; nothing where the
/// system has no /proc or the process is not ours to look at. Nanosecond resolution (schedstat).
[[nodiscard]] std::optional<Usage> usage_of(pid_t pid);

/// CPU time of this process so far.
[[nodiscard]] double own_cpu_seconds();

class Process {
public:
    /// Starts `arguments[0]` (looked up in PATH), with stdout and stderr into the file `log`.
    /// `cpu` >= 0: only on that processor. Throws std::system_error naming the program.
    Process(const std::vector<std::string>& arguments, const std::string& log, int cpu);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    Process(Process&&) = delete;
    Process& operator=(Process&&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// False once it has ended (it is then reaped).
    [[nodiscard]] bool running();

private:
    pid_t pid_ = -1;
};

} // namespace roomd::bench
