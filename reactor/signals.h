// Signals — signals as events of the loop, by a self-pipe; the same on every system.
//
// One per program (asserted): handlers cannot carry a pointer. The handler writes the signal's
// number and nothing more; the watcher reads it in the loop and tells the owner. SIGPIPE is
// ignored for the whole process. Restores the old handlers when it goes.
//
// A signal that was ignored when the program began stays ignored: nohup(1) and a shell's `cmd &`
// protect a program in this way.
#pragma once

#include "reactor/event_loop.h"
#include "reactor/fd.h"

#include <csignal>
#include <initializer_list>
#include <vector>

namespace roomd {

class SignalOwner {
public:
    /// In the loop, not in the handler. Signals that come faster than they are read are one.
    virtual void on_signal(int signal) = 0;

    /// SIGHUP because the terminal that this program was started in has been closed. A SIGHUP that
    /// somebody sends by kill(1) is not this one.
    virtual void on_hangup() { on_signal(SIGHUP); }

protected:
    ~SignalOwner() = default;
};

class Signals final : public Watcher {
public:
    /// Throws std::system_error.
    Signals(EventLoop& loop, std::initializer_list<int> signals, SignalOwner& owner);
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    Signals(Signals&&) = delete;
    Signals& operator=(Signals&&) = delete;

    /// The program is about to end by itself: from now on, and after this object too, the signals
    /// mean nothing, so that a late one cannot turn a clean end into a death by signal.
    void ignore_from_now() noexcept;

    /// Signals of the list that were ignored when the program began.
    [[nodiscard]] const std::vector<int>& left_ignored() const { return left_ignored_; }

    /// Those that were raised and that the owner has not heard of are raised again, for whoever
    /// lets them in next. While all of them are blocked.
    void raise_unheard();

    void on_ready(Ready ready) override;

private:
    void withdraw() noexcept;
    void tell(unsigned char raised);

    struct Saved {
        int signal;
        struct sigaction action;
    };

    EventLoop* loop_;
    SignalOwner* owner_;
    std::vector<Saved> saved_;
    std::vector<int> left_ignored_;
    bool had_terminal_;
    Fd read_end_;
    Fd write_end_;
    Key key_;
};

} // namespace roomd
