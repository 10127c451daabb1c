// Listener — a listening stream socket that never goes deaf.
//
// Owned by the server. Accepts until the kernel has no more, in portions of accepts_per_tick_max;
// knows nothing of what is said. Under edge triggering a connection left in the backlog raises no
// second edge, so whatever stops accepting also arranges its resumption:
//   * budget spent: requeued
//   * no descriptor left: a spare one is given up to accept and refuse (the peer hears why), then
//     taken back; no busy loop, nobody is left hanging
//   * not even that, or no memory: a pause of accept_pause, then again
//   * more a second than accepts_per_second_max: a timer; the others wait in the kernel's backlog
#pragma once

#include "reactor/event_loop.h"
#include "reactor/fd.h"
#include "reactor/socket_address.h"

#include <cstdint>
#include <string>
#include <utility>

namespace roomd {

class Listener;

class ListenerOwner {
public:
    /// True: let in. False: not, for whatever reason; then it does not count against the rate, or
    /// whoever is refused would keep others waiting.
    virtual bool on_accept(Listener& listener, Fd fd, const SocketAddress& peer) = 0;
    /// There was no descriptor for this one. Say why in one non-blocking write; it is closed on
    /// return.
    virtual void on_refuse(Listener& listener, const Fd& fd, const SocketAddress& peer) = 0;
    /// Accepting failed with `error`; the listener pauses and goes on by itself.
    virtual void on_accept_error(Listener& listener, int error) = 0;

    /// More are waiting than one tick takes: they come in the next.
    virtual void on_accept_budget(Listener& /*listener*/) {}

    /// More come in a second than may: they wait.
    virtual void on_accept_rate(Listener& /*listener*/) {}

    /// There was no descriptor for this one but the spare. True: the owner has moved `fd` out and
    /// has let a descriptor of its own go, so that there is a spare again. False: on_refuse().
    virtual bool take_last(Listener& /*listener*/, Fd& /*fd*/, const SocketAddress& /*peer*/) {
        return false;
    }

protected:
    ~ListenerOwner() = default;
};

/// The file of a Unix socket and the lock beside it: removed when the listener goes. Empty for TCP
/// and inherited sockets.
struct UnixFile {
    std::string path = {};
    Fd lock = {};
};

class Listener final : public Watcher, public Timed {
public:
    /// Throws std::system_error.
    Listener(EventLoop& loop, Fd fd, std::uint32_t accepts_per_tick_max, ListenerOwner& owner,
             UnixFile file = {});
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    Listener(Listener&&) = delete;
    Listener& operator=(Listener&&) = delete;

    /// A descriptor has become free: tries at once instead of waiting for the pause to end. Cheap
    /// when not pausing.
    void resume();

    /// While held nobody is accepted: who connects waits in the kernel's backlog.
    void hold(bool held);

    /// At most so many are let in in a second, a tenth of them at once; 0: as many as come. Whoever
    /// is over is not refused and waits in the kernel's backlog. Those whom the owner refuses are
    /// bounded by accepts_per_tick_max alone.
    void set_accepts_per_second_max(std::uint32_t max);

    [[nodiscard]] int fd() const { return fd_.get(); }

    [[nodiscard]] int lock() const { return file_.lock.get(); }

    /// Gives socket and lock up, open, and leaves the file where it is. What is left can only be
    /// destroyed.
    [[nodiscard]] std::pair<Fd, Fd> release();

    void on_ready(Ready ready) override;
    void on_timer(TimerKey key) override;

private:
    /// False: the rate is used up, and a timer goes on.
    [[nodiscard]] bool may_accept();
    void count_accept();
    /// False: stop accepting for now.
    bool refuse_one(int error);
    void pause(int error);

    EventLoop* loop_;
    ListenerOwner* owner_;
    UnixFile file_;
    Fd fd_;
    Fd reserve_;
    Key key_;
    TimerKey pause_;
    TimerKey rate_pause_;
    Duration accept_cost_{};  // of a second, for each accept; zero: no limit
    TimePoint next_accept_{}; // not before; in the past by what may come at once
    std::uint32_t accepts_per_tick_max_;
    bool held_ = false;
};

} // namespace roomd
