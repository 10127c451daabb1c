#include "daemon/supervisor.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace roomd {

namespace {

constexpr std::size_t status_bytes_max = 1'024;

std::string status_line(std::string_view text) {
    std::string line = "STATUS=" + std::string(text.substr(0, status_bytes_max));
    // A line feed would begin a field of its own, and what it says is believed.
    std::replace_if(
        line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return line + "\n";
}

} // namespace

Supervisor::Supervisor(std::string_view address) : address_(address) {
    const bool abstract = address_.starts_with('@');
    // Others (vsock:...) are for virtual machines.
    const bool known = abstract || address_.starts_with('/');
    const std::size_t size_max = sizeof(sockaddr_un::sun_path) - (abstract ? 0 : 1);
    if (!known || address_.size() < 2 || address_.size() > size_max) {
        return;
    }
    if (abstract) {
        address_.front() = '\0';
    }
    socket_ = Fd(socket(AF_UNIX, SOCK_DGRAM, 0));
    if (socket_ && fcntl(socket_.get(), F_SETFD, FD_CLOEXEC) != 0) {
        socket_.reset();
    }
}

Supervisor Supervisor::from_environment() {
    constexpr const char* name = "NOTIFY_SOCKET";
    const char* const value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): no threads yet
    Supervisor supervisor(value == nullptr ? "" : value);
    unsetenv(name); // NOLINT(concurrency-mt-unsafe): as above
    return supervisor;
}

bool Supervisor::ready(std::string_view status) {
    return send("READY=1\n" + status_line(status));
}

bool Supervisor::reloading(std::uint64_t monotonic_us) {
    return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_us) + "\n");
}

bool Supervisor::stopping(std::string_view status) {
    return send("STOPPING=1\n" + status_line(status));
}

bool Supervisor::status(std::string_view text) {
    return send(status_line(text));
}

bool Supervisor::send(const std::string& message) {
    if (!socket_) {
        return true;
    }
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, address_.data(), address_.size());
    const bool abstract = address_.front() == '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size() +
                                             (abstract ? 0 : 1));
    // The C interface of sockets takes every address as a sockaddr.
    const auto* const generic = reinterpret_cast<const sockaddr*>(&to);
    const ssize_t sent =
        sendto(socket_.get(), message.data(), message.size(), MSG_DONTWAIT, generic, size);
    return sent == static_cast<ssize_t>(message.size());
}

} // namespace roomd
