// Log — one event, one line, on stderr; the only door to spdlog.
//
// Owned by main, lent by reference. Never blocks the reactor: stderr is written by a thread of its
// own behind a bounded queue, and lines that do not fit are dropped and counted. Everything a
// client chose (names, texts) is quoted and escaped, at most 256 bytes of it. Text: `time level
// event key=value ...`; JSON: one object per line. If stderr is systemd's journal, which
// JOURNAL_STREAM tells, events go there in its own protocol: the line as MESSAGE, and each field
// apart (ROOMD_EVENT, ROOMD_REASON ...), so that `journalctl ROOMD_REASON=slow` finds them.
#pragma once

#include "daemon/config.h"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <variant>

namespace roomd {

/// key=value. A string_view is quoted where it needs it; numbers are plain.
struct LogField {
    std::string_view key;
    std::variant<std::string_view, std::uint64_t, std::int64_t, bool> value;
};

class Log {
public:
    Log(LogFormat format, LogLevel level, std::uint32_t lines_per_second_max);
    ~Log(); // writes what is queued, waits at most a second for it

    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;
    Log(Log&&) = delete;
    Log& operator=(Log&&) = delete;

    /// `event`: static word, e.g. "closed". At most lines_per_second_max lines a second per event;
    /// what is over is counted and told in one `suppressed` line. Cost when the level is off: one
    /// compare.
    void line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

    void configure(LogFormat format, LogLevel level, std::uint32_t lines_per_second_max);

    /// Waits until what was said is written: the process is about to become another one. `longest`
    /// at most, and a tenth of a second while stderr takes nothing.
    void flush(std::chrono::nanoseconds longest = std::chrono::seconds(1));

    /// Text for the person at the terminal, as it is and behind the lines so far. Does not block
    /// either: a terminal may be stopped (Ctrl-S).
    void show(std::string_view text);

    /// Lines lost because stderr did not take them, and lines held back by the rate limit.
    [[nodiscard]] std::uint64_t dropped() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace roomd
