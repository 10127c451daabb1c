// Output — what is printed on stdout, without ever blocking the loop.
//
// Borrows a descriptor that others may share, so it never changes its flags: it asks poll(2) and
// writes pieces that fit then. What does not fit waits here, and an edge of the loop tells when to
// go on; files, which epoll refuses, take everything. Knows no events, only text. The owner keeps
// pending() small by hearing less.
//
// Once the reader has gone (broken()), everything is thrown away. That is noticed at once, and not
// only when the next line is written: nobody may ever say one.
#pragma once

#include "reactor/event_loop.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace roomd {

class Output final : public Watcher {
public:
    /// Watches `fd` where the poller takes it. `fd` stays the caller's.
    Output(EventLoop& loop, int fd);
    ~Output();
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;
    Output(Output&&) = delete;
    Output& operator=(Output&&) = delete;

    /// Appends a line; nothing is written yet. Amortised O(size).
    void print_line(std::string_view line);
    /// Writes what fits now. Called at the tick's end, and before something is written elsewhere.
    void flush();

    /// Notices a reader that has gone although nothing is being written, and what the file behind
    /// the descriptor says when it is closed.
    void look_after_reader();
    void settle();

    [[nodiscard]] std::size_t pending() const { return text_.size() - written_; }

    [[nodiscard]] bool broken() const { return error_ != 0; }

    /// The errno that broke it; EPIPE when the reader has gone.
    [[nodiscard]] int error() const { return error_; }

    void on_ready(Ready ready) override;

private:
    void break_off(int error);

    EventLoop* loop_;
    std::string text_;
    std::size_t written_ = 0; // of text_
    Key key_;
    int fd_;
    int error_ = 0;
    bool terminal_;
    bool writable_ = true;
    bool changed_ = true; // an edge came: the reader may have gone
};

} // namespace roomd
