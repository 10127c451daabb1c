#include "daemon/heartbeat.h"

#include <algorithm>
#include <chrono>

namespace roomd {

namespace {

// How old a status may be. A manager's time is not for us to waste: one datagram, and only if
// something has changed.
constexpr Duration status_period = std::chrono::seconds(2);

// However short a watchdog somebody asks for, the loop has other work.
constexpr Duration period_min = std::chrono::milliseconds(1);

// What a start (which waits for an address) or a drain asks for, again and again: as much as the
// unit's own time, so that a loop that hangs is ended as soon as one that never asked. Both have an
// end of their own: bind_retry, drain_ms_max.
constexpr Duration extension = std::chrono::seconds(30);

std::string counted(std::size_t count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

} // namespace

Heartbeat::Heartbeat(EventLoop& loop, const Server& server, Supervisor& supervisor)
    : loop_(loop), server_(server), supervisor_(supervisor) {
    if (!supervisor_.present()) {
        return;
    }
    const Duration watchdog = supervisor_.watchdog_time();
    period_ =
        watchdog > Duration{} ? std::clamp(watchdog / 3, period_min, status_period) : status_period;
    timer_ = loop_.after(period_, *this);
}

Heartbeat::~Heartbeat() {
    loop_.cancel(timer_);
}

void Heartbeat::on_timer(TimerKey /*key*/) {
    timer_ = loop_.after(period_, *this);
    // Each is tried again at the next beat, so a full queue of the manager's costs nothing.
    if (supervisor_.watchdog_time() > Duration{}) {
        static_cast<void>(supervisor_.watchdog());
    }
    switch (supervisor_.phase()) {
    case Supervisor::Phase::starting:
        static_cast<void>(supervisor_.extend_timeout(extension));
        break;
    case Supervisor::Phase::serving:
        static_cast<void>(supervisor_.status(status_of(server_)));
        break;
    case Supervisor::Phase::stopping:
        static_cast<void>(supervisor_.extend_timeout(extension));
        static_cast<void>(supervisor_.status(
            "saying goodbye to " + counted(server_.session_count(), "connection", "connections")));
        break;
    }
}

std::string Heartbeat::status_of(const Server& server) {
    return counted(server.session_count(), "connection", "connections") + " in " +
           counted(server.room_count(), "room", "rooms");
}

} // namespace roomd
