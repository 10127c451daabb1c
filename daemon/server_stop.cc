#include "daemon/datagram_listener.h"
#include "daemon/server.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

// How it ends, and whom it does not let in meanwhile.
namespace roomd {

namespace {

std::uint64_t random_number() {
    std::array<std::byte, sizeof(std::uint64_t)> bytes{};
    sys::random_bytes(bytes);
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), bytes.size());
    return number;
}

} // namespace

void Server::close_listeners() {
    for (OpenListener& listener : listeners_) {
        listener.stream.reset();
        listener.datagram.reset();
    }
    given_.clear(); // who connects would wait for a program that does not come
}

void Server::stop() {
    if (std::exchange(asked_to_stop_, true)) {
        loop_.stop();
    } else if (phase_ != Phase::stopping) {
        say_goodbye();
    }
}

void Server::say_goodbye() {
    phase_ = Phase::stopping;
    loop_.cancel(departure_);
    close_listeners();
    drain_deadline_ = loop_.now() + std::chrono::milliseconds(config_.limits.drain_ms_max);
    sessions_.for_each([](Key /*key*/, const std::unique_ptr<Session>& session) {
        session->end(CloseReason::shutting_down, "the server is going down");
    });
    log_.line(LogLevel::info, "stopping", {{"connections", std::uint64_t{sessions_.size()}}});
}

bool Server::drain(Duration over) {
    if (phase_ != Phase::serving) {
        return false;
    }
    phase_ = Phase::draining;
    close_listeners();
    std::vector<Key> keys;
    sessions_.for_each(
        [&](Key key, const std::unique_ptr<Session>& /*session*/) { keys.push_back(key); });
    leave_plan_ = LeavePlan(keys, loop_.now(), over, random_number());
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(over).count();
    log_.line(LogLevel::info, "draining",
              {{"connections", std::uint64_t{sessions_.size()}},
               {"over_ms", static_cast<std::uint64_t>(ms)}});
    next_departures();
    return true;
}

// Tells those who are due, and waits for the next. When all have been told it is as after stop().
void Server::next_departures() {
    while (const std::optional<Key> due = leave_plan_.take_due(loop_.now())) {
        if (std::unique_ptr<Session>* const session = sessions_.find(*due); session != nullptr) {
            (*session)->end(CloseReason::shutting_down,
                            "this server is taken out of service; come back in a moment");
        }
    }
    if (const std::optional<TimePoint> next = leave_plan_.next()) {
        departure_ = loop_.after(*next - loop_.now(), *this);
    } else {
        say_goodbye();
    }
}

bool Server::over() const {
    return sessions_.size() == 0 || loop_.now() >= drain_deadline_;
}

void Server::set_lockdown(bool on) {
    if (lockdown_ != on) {
        lockdown_ = on;
        log_.line(LogLevel::warning, "lockdown", {{"on", on ? "yes" : "no"}});
    }
    for (OpenListener& listener : listeners_) {
        if (listener.datagram != nullptr) {
            listener.datagram->set_muted(muted(listener));
        }
    }
}

// In a lockdown nothing is said by strangers who are not connected.
bool Server::muted(const OpenListener& listener) const {
    const bool strangers = !is_local(sys::local_address(listener.datagram->fd()));
    return lockdown_ && limits_hold(*listener.spec, strangers);
}

} // namespace roomd
