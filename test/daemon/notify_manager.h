// NotifyManager — a service manager for tests: a bound datagram socket that keeps what it hears.
//
// Owned by a test. Answers nothing, as the real one does.
#pragma once

#include "reactor/fd.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace roomd {

class NotifyManager {
public:
    /// At a path of this process's own.
    NotifyManager() : NotifyManager("/tmp/roomd-notify-" + std::to_string(getpid()) + ".sock") {}

    /// `name` like NOTIFY_SOCKET: a path or '@name'.
    explicit NotifyManager(std::string name)
        : name_(std::move(name)), fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
        REQUIRE(fd_);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name_.data(), name_.size());
        const bool abstract = name_.front() == '@';
        if (abstract) {
            address.sun_path[0] = '\0';
        }
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size() +
                                                 (abstract ? 0 : 1));
        REQUIRE(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    }

    ~NotifyManager() { unlink(name_.c_str()); }

    NotifyManager(const NotifyManager&) = delete;
    NotifyManager& operator=(const NotifyManager&) = delete;
    NotifyManager(NotifyManager&&) = delete;
    NotifyManager& operator=(NotifyManager&&) = delete;

    /// The next datagram; empty if there is none.
    [[nodiscard]] std::string heard() const {
        std::array<char, 4096> buffer{};
        const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size))
                        : std::string();
    }

    [[nodiscard]] const std::string& name() const { return name_; }

private:
    std::string name_;
    Fd fd_;
};

} // namespace roomd
