// Supervisor — tells the service manager how the daemon is doing, as sd_notify(3) does.
//
// Owned by main. One datagram a message to the socket that NOTIFY_SOCKET names, a path or an
// abstract '@name'; without that variable every call does nothing. Never blocks: a message that the
// manager's queue has no room for is not sent, and the call says so. Knows no clock: who calls
// watchdog() and extend_timeout(), and when, is the heartbeat's. The system calls are made here and
// not in sys, because the simulator knows no service manager.
#pragma once

#include "reactor/fd.h"
#include "reactor/time.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

class Supervisor {
public:
    /// What the manager has been told: until ready() it waits for the start, after stopping() for
    /// the end, each for a limited time.
    enum class Phase : std::uint8_t { starting, serving, stopping };

    /// Speaks to the socket `address`; empty or unusable: to nobody. `watchdog`: how long the
    /// manager bears silence; zero: for ever.
    explicit Supervisor(std::string_view address, Duration watchdog = {});

    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment,
    /// so that no child inherits them. Call it once, before there are threads.
    [[nodiscard]] static Supervisor from_environment();

    /// Somebody listens, as far as one can know.
    [[nodiscard]] bool present() const { return static_cast<bool>(socket_); }

    /// A watchdog() has to come at least so often, or the manager takes the daemon for dead. Zero:
    /// it does not ask, or it asks another process.
    [[nodiscard]] Duration watchdog_time() const { return present() ? watchdog_ : Duration{}; }

    [[nodiscard]] Phase phase() const { return phase_; }

    // Each returns false when a message could not be delivered now: try again by time if it
    // matters. True without a service manager.

    /// The listeners are bound. Also ends reloading().
    bool ready(std::string_view status);
    /// `monotonic_us`: CLOCK_MONOTONIC when the reload began, in microseconds; systemd compares it.
    bool reloading(std::uint64_t monotonic_us);
    bool stopping(std::string_view status);
    /// One line for `systemctl status`; control characters become spaces. What it says already is
    /// not said again.
    bool status(std::string_view text);
    /// The daemon lives and does its work.
    bool watchdog();
    /// A start or a stop needs at least `more` from now on.
    bool extend_timeout(Duration more);

    /// The manager keeps `fd` under `name` and gives it to the next process of the service, if its
    /// unit allows it any (FileDescriptorStoreMax=): it does not say when it does not. False
    /// without a manager.
    [[nodiscard]] bool store(const Fd& fd, std::string_view name);
    /// The manager closes what it keeps under `name`.
    bool forget(std::string_view name);
    /// Waits until the manager has dealt with everything it was told, at most `longest`. Blocks:
    /// only when there is nothing else to do. False: it has not, or there is none.
    [[nodiscard]] bool wait_for_manager(Duration longest);

    /// The variables that from_environment() took, for execve(2) of another roomd in this process.
    [[nodiscard]] std::vector<std::string> variables() const;

private:
    bool send(const std::string& message) { return send(message, -1); }

    bool send(const std::string& message, int fd);
    bool send_with_status(const std::string& message, std::string_view text);

    Fd socket_;
    Duration watchdog_{};
    Phase phase_ = Phase::starting;
    std::string told_;    // the status in force
    std::string address_; // the bytes of sun_path; a leading NUL for an abstract name
};

} // namespace roomd
