// AdminCall — one conversation with a roomd over its admin socket, line by line.
//
// Owned by roomctl. Blocks its caller, who has nothing else to do; waits in an event loop, so that
// Ctrl-C is heard while it waits and ends nothing by itself. Knows lines and no commands.
#pragma once

#include "reactor/event_loop.h"
#include "reactor/fd.h"
#include "reactor/signals.h"

#include <optional>
#include <string>
#include <string_view>

namespace roomd {

/// Remembers that a signal came.
class Interrupt final : public SignalOwner {
public:
    /// 0: none.
    [[nodiscard]] int signal() const { return signal_; }

    void on_signal(int signal) override { signal_ = signal; }

private:
    int signal_ = 0;
};

class AdminCall final : public Watcher {
public:
    enum class Heard : std::uint8_t {
        line,
        ended,       // the other end has closed
        interrupted, // by a signal
        nothing      // within the patience
    };

    /// Connects to the Unix socket `path`; `loop` and `interrupt` are borrowed. Throws
    /// std::system_error: ENOENT, ECONNREFUSED, EACCES, ENAMETOOLONG ...
    AdminCall(EventLoop& loop, const Interrupt& interrupt, const std::string& path);
    ~AdminCall();
    AdminCall(const AdminCall&) = delete;
    AdminCall& operator=(const AdminCall&) = delete;
    AdminCall(AdminCall&&) = delete;
    AdminCall& operator=(AdminCall&&) = delete;

    /// Sends one command. What cannot be sent is no error here: an end is heard instead, behind
    /// what was said before it.
    void ask(std::string_view command);

    /// Waits for the next line, without its end. No patience: for as long as it takes.
    [[nodiscard]] Heard hear(std::string& line, std::optional<Duration> patience);

    void on_ready(Ready ready) override;

private:
    EventLoop* loop_;
    const Interrupt* interrupt_;
    Fd fd_;
    Key key_;
    std::string heard_;
    bool ended_ = false;
};

} // namespace roomd
