#include "daemon/activation.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr int first_descriptor = 3; // SD_LISTEN_FDS_START

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

} // namespace

std::vector<std::pair<std::string, Fd>> inherited_sockets() {
    const int pid = number_of(take_variable("LISTEN_PID"));
    const int count = number_of(take_variable("LISTEN_FDS"));
    const std::string names = take_variable("LISTEN_FDNAMES");
    std::vector<std::pair<std::string, Fd>> sockets;
    if (pid != ::getpid()) {
        return sockets;
    }
    std::string_view rest = names;
    for (int fd = first_descriptor; fd < first_descriptor + count; ++fd) {
        const std::size_t end = rest.find(':');
        const std::string_view name = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        static_cast<void>(::fcntl(fd, F_SETFD, FD_CLOEXEC));
        static_cast<void>(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK));
        sockets.emplace_back(name.empty() ? "unknown" : name, Fd(fd));
    }
    return sockets;
}

} // namespace roomd
