// LineReader — the lines of stdin, taken one by one when there is room for them.
//
// Borrows a descriptor that others may share (a terminal belongs to the shell too), so it never
// changes its flags: it asks poll(2) before each read and reads only what is there. Pipes and
// terminals announce themselves through the loop; regular files, which epoll refuses, are always
// ready. Holds at most one line and one piece read, never the whole input.
//
// Invariants:
//   * bytes that were searched for a line end are not searched again
//   * `waiting` is answered only when the loop will tell of more; `busy` when it will not
#pragma once

#include "reactor/event_loop.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace roomd {

struct Line {
    std::uint64_t number;  // from 1; empty ones count
    std::string_view text; // without LF or CR LF; valid until the next call of next()
    bool too_large;        // longer than line_bytes_max: it was skipped, `text` is empty
    bool cut = false;      // by the terminal it was typed at, most likely: `text` is its beginning
};

enum class LineStatus : std::uint8_t {
    line,
    waiting, // nothing complete; the loop will call
    busy,    // nothing complete yet, ask again in the next tick
    ended,   // no more will come
    failed   // no more can be read; error()
};

class LineReader final : public Watcher {
public:
    /// Watches `fd` where the poller takes it. `fd` stays the caller's.
    LineReader(EventLoop& loop, int fd, std::size_t line_bytes_max);
    ~LineReader();
    LineReader(const LineReader&) = delete;
    LineReader& operator=(const LineReader&) = delete;
    LineReader(LineReader&&) = delete;
    LineReader& operator=(LineReader&&) = delete;

    /// The next line into `line`. Reads a bounded number of bytes; never blocks. A last line
    /// without a line end counts.
    [[nodiscard]] LineStatus next(Line& line);

    /// The errno of `failed`.
    [[nodiscard]] int error() const { return error_; }

    void on_ready(Ready ready) override;

private:
    [[nodiscard]] bool take_line(Line& line);
    [[nodiscard]] LineStatus take_last(Line& line);
    void deliver(Line& line, std::size_t size, std::size_t consumed);
    void skip_if_too_large();
    void fill();

    EventLoop* loop_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0; // unread bytes are buffer_[begin_, end_)
    std::size_t end_ = 0;
    std::size_t scanned_ = 0; // of those, searched without finding a line end
    std::size_t line_bytes_max_;
    std::uint64_t number_ = 0;
    bool terminal_;
    Key key_;
    int fd_;
    int error_ = 0;
    bool readable_ = true;
    bool skipping_ = false; // inside a line that is too large
    bool ended_ = false;
};

} // namespace roomd
