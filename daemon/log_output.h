// log_output — where log lines end up: stderr, or systemd's journal.
//
// Used by the log's own thread only, which may wait; `discard` set by another one ends the waiting.
// Knows nothing of lines and levels.
#pragma once

#include "reactor/fd.h"

#include <atomic>
#include <cstddef>
#include <string_view>

namespace roomd {

/// Waits as long as stderr is full, unless the process is about to end (`discard`). False: not
/// (all) written.
[[nodiscard]] bool write_line(const char* data, std::size_t size, const std::atomic<bool>& discard);

/// Whether stderr leads to the journal, as systemd tells its services: systemd.exec(5),
/// JOURNAL_STREAM.
[[nodiscard]] bool stderr_is_journal();

/// A socket to the journal. Source: systemd.io, "Native Journal Protocol".
class JournalSocket {
public:
    JournalSocket();

    /// One entry, one datagram. Waits while the journal takes none. False: lost.
    [[nodiscard]] bool send(std::string_view entry, const std::atomic<bool>& discard);

private:
    Fd socket_;
};

} // namespace roomd
