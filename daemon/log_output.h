// log_output — where log lines end up: stderr, or systemd's journal.
//
// Used by the log's own thread only, which may wait; `discard` set by another one ends the waiting.
// Not even this thread begins a write(2) that could block, as far as poll(2) can tell.
// Knows nothing of lines and levels.
#pragma once

#include "reactor/fd.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace roomd {

/// Lines on stderr. A line is one write(2), so that lines of several processes do not mix. What a
/// full disk has cut off is written before the next line: no line stays half for ever.
class StderrWriter {
public:
    /// Waits as long as stderr is full, unless the process is about to end (`discard`). False: the
    /// line is lost.
    [[nodiscard]] bool write(std::string_view line, const std::atomic<bool>& discard);

private:
    std::string rest_; // of a line that was written in part
};

/// Whether stderr leads to the journal, as systemd tells its services: systemd.exec(5),
/// JOURNAL_STREAM.
[[nodiscard]] bool stderr_is_journal();

/// A socket to the journal. Source: systemd.io, "Native Journal Protocol".
class JournalSocket {
public:
    JournalSocket();

    enum class Sent : std::uint8_t {
        done,
        lost,       // the process is about to end, and the journal still took nothing
        unreachable // nobody is there, or it does not take such an entry
    };

    /// One entry, one datagram. Waits while the journal takes none.
    [[nodiscard]] Sent send(std::string_view entry, const std::atomic<bool>& discard);

private:
    Fd socket_;
};

} // namespace roomd
