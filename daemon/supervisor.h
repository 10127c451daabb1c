// Supervisor — tells the service manager how the daemon is doing, as sd_notify(3) does.
//
// Owned by main. One datagram a message to the socket that NOTIFY_SOCKET names, a path or an
// abstract
// '@name'; without that variable every call does nothing. Never blocks: a message that the
// manager's queue has no room for is not sent, and the call says so. The system calls are made here
// and not in sys, because the simulator knows no service manager.
#pragma once

#include "reactor/fd.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace roomd {

class Supervisor {
public:
    /// Speaks to the socket `address`; empty or unusable: to nobody.
    explicit Supervisor(std::string_view address);

    /// Reads NOTIFY_SOCKET and takes it out of the environment, so that no child inherits it. Call
    /// it once, before there are threads.
    [[nodiscard]] static Supervisor from_environment();

    /// Somebody listens, as far as one can know.
    [[nodiscard]] bool present() const { return static_cast<bool>(socket_); }

    // Each returns false when a message could not be delivered now: try again by time if it
    // matters. True without a service manager.

    /// The listeners are bound. Also ends reloading().
    bool ready(std::string_view status);
    /// `monotonic_us`: CLOCK_MONOTONIC when the reload began, in microseconds; systemd compares it.
    bool reloading(std::uint64_t monotonic_us);
    bool stopping(std::string_view status);
    /// One line for `systemctl status`; control characters become spaces.
    bool status(std::string_view text);

private:
    bool send(const std::string& message);

    Fd socket_;
    std::string address_; // the bytes of sun_path; a leading NUL for an abstract name
};

} // namespace roomd
