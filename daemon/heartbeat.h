// Heartbeat — the reactor tells the service manager that it lives, how many it serves, and that a
// start or a stop still needs time.
//
// Owned by main; borrows loop, server and supervisor, which outlive it. One timer of the loop,
// never a thread: it fires only when the pass before it was finished, events, sends and burials
// included, so a loop that hangs falls silent and the manager's watchdog bites. Without a service
// manager there is no timer.
#pragma once

#include "daemon/server.h"
#include "daemon/supervisor.h"
#include "reactor/event_loop.h"

#include <string>

namespace roomd {

class Heartbeat final : public Timed {
public:
    /// Beats from now on: three times as often as the watchdog asks, and at least every 2 s.
    Heartbeat(EventLoop& loop, const Server& server, Supervisor& supervisor);
    ~Heartbeat();
    Heartbeat(const Heartbeat&) = delete;
    Heartbeat& operator=(const Heartbeat&) = delete;
    Heartbeat(Heartbeat&&) = delete;
    Heartbeat& operator=(Heartbeat&&) = delete;

    void on_timer(TimerKey key) override;

    /// "3 connections in 2 rooms"
    [[nodiscard]] static std::string status_of(const Server& server);

private:
    EventLoop& loop_;
    const Server& server_;
    Supervisor& supervisor_;
    Duration period_{};
    TimerKey timer_;
};

} // namespace roomd
