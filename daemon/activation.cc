#include "daemon/activation.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr int first_descriptor = 3; // SD_LISTEN_FDS_START
constexpr int count_max = 1 << 20;  // fs.nr_open of most systems; more is nonsense

// The variable's value, and the variable gone.
std::string take_variable(const char* name) {
    const char* const value =
        std::getenv(name); // NOLINT(concurrency-mt-unsafe): before there are threads
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name); // NOLINT(concurrency-mt-unsafe): the same
    return text;
}

int number_of(std::string_view text) {
    int number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    return result.ec == std::errc() && result.ptr == text.data() + text.size() ? number : 0;
}

// A socket option that is a number; 0 for what is no socket.
int option_of(const Fd& fd, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd.get(), SOL_SOCKET, option, &value, &size) == 0 ? value : 0;
}

} // namespace

std::vector<std::pair<std::string, Fd>> inherited_sockets() {
    const int pid = number_of(take_variable("LISTEN_PID"));
    const int count = number_of(take_variable("LISTEN_FDS"));
    const std::string names = take_variable("LISTEN_FDNAMES");
    std::vector<std::pair<std::string, Fd>> sockets;
    if (pid != ::getpid() || count > count_max) {
        return sockets;
    }
    std::string_view rest = names;
    for (int fd = first_descriptor; fd < first_descriptor + count; ++fd) {
        const std::size_t end = rest.find(':');
        const std::string_view name = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
            continue; // nothing is there, and the number will be something else's
        }
        static_cast<void>(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK));
        sockets.emplace_back(name.empty() ? "unknown" : name, Fd(fd));
    }
    return sockets;
}

SocketKind kind_of_socket(const Fd& fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    // The C interface of sockets takes every address as a sockaddr.
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return SocketKind::other;
    }
    const bool network = address.ss_family == AF_INET || address.ss_family == AF_INET6;
    switch (option_of(fd, SO_TYPE)) {
    case SOCK_STREAM:
        return (network || address.ss_family == AF_UNIX) && option_of(fd, SO_ACCEPTCONN) != 0
                   ? SocketKind::listening
                   : SocketKind::other;
    case SOCK_DGRAM:
        return network ? SocketKind::datagram : SocketKind::other;
    default:
        return SocketKind::other;
    }
}

} // namespace roomd
