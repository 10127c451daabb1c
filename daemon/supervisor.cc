#include "daemon/supervisor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

// The variable's value, and the variable gone.
std::string take_variable(const char* name) {
    const char* const value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): no threads yet
    std::string text = value == nullptr ? "" : value;
    unsetenv(name); // NOLINT(concurrency-mt-unsafe): as above
    return text;
}

// 0 for anything that is not a number above it.
std::int64_t number_of(std::string_view text) {
    std::int64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = result.ec == std::errc() && result.ptr == text.data() + text.size();
    return whole && number > 0 ? number : 0;
}

std::string in_us(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

} // namespace

Supervisor::Supervisor(std::string_view address, Duration watchdog)
    : watchdog_(watchdog), address_(address) {
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
    const std::string address = take_variable("NOTIFY_SOCKET");
    const std::string us_text = take_variable("WATCHDOG_USEC");
    const std::string pid_text = take_variable("WATCHDOG_PID");
    // Without a process named it means whoever reads it (sd_watchdog_enabled(3)).
    const bool meant = pid_text.empty() || number_of(pid_text) == getpid();
    // An hour is for ever: the count of nanoseconds could not hold every number of microseconds.
    const std::int64_t us = std::min<std::int64_t>(number_of(us_text), 3'600'000'000);
    return Supervisor(address, meant ? std::chrono::microseconds(us) : Duration{});
}

bool Supervisor::ready(std::string_view status) {
    phase_ = Phase::serving;
    return send_with_status("READY=1\n", status);
}

bool Supervisor::reloading(std::uint64_t monotonic_us) {
    return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_us) + "\n");
}

bool Supervisor::stopping(std::string_view status) {
    phase_ = Phase::stopping;
    return send_with_status("STOPPING=1\n", status);
}

bool Supervisor::status(std::string_view text) {
    return status_line(text) == told_ || send_with_status("", text);
}

bool Supervisor::watchdog() {
    return send("WATCHDOG=1\n");
}

bool Supervisor::extend_timeout(Duration more) {
    return send("EXTEND_TIMEOUT_USEC=" + in_us(more) + "\n");
}

// What did not arrive is not in force: the next status() says it again.
bool Supervisor::send_with_status(const std::string& message, std::string_view text) {
    std::string line = status_line(text);
    if (!send(message + line)) {
        return false;
    }
    told_ = std::move(line);
    return true;
}

bool Supervisor::store(const Fd& fd, std::string_view name) {
    return present() && send("FDSTORE=1\nFDPOLL=0\nFDNAME=" + std::string(name) + "\n", fd.get());
}

bool Supervisor::forget(std::string_view name) {
    return send("FDSTOREREMOVE=1\nFDNAME=" + std::string(name) + "\n");
}

// The manager closes the descriptor that comes with a barrier when it gets there: sd_notify(3).
bool Supervisor::wait_for_manager(Duration longest) {
    std::array<int, 2> ends{};
    if (!present() || pipe(ends.data()) != 0) {
        return false;
    }
    const Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    const bool sent = send("BARRIER=1", write_end.get());
    write_end.reset();
    pollfd entry{read_end.get(), 0, 0};
    const auto deadline = std::chrono::steady_clock::now() + longest;
    int found = -1;
    while (sent && found < 0) { // a signal that comes meanwhile is no answer
        const auto left = std::max<Duration>(deadline - std::chrono::steady_clock::now(), {});
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        found = poll(&entry, 1, static_cast<int>(ms));
        if (found < 0 && errno != EINTR) {
            return false;
        }
    }
    return found > 0;
}

std::vector<std::string> Supervisor::variables() const {
    if (!present()) {
        return {};
    }
    std::string address = address_;
    address.front() = address.front() == '\0' ? '@' : address.front();
    std::vector<std::string> all{"NOTIFY_SOCKET=" + address};
    if (watchdog_ > Duration::zero()) {
        all.push_back("WATCHDOG_USEC=" + in_us(watchdog_));
        all.push_back("WATCHDOG_PID=" + std::to_string(getpid()));
    }
    return all;
}

bool Supervisor::send(const std::string& message, int fd) {
    if (!socket_) {
        return true;
    }
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, address_.data(), address_.size());
    const bool abstract = address_.front() == '\0';
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec piece{const_cast<char*>(message.data()), message.size()}; // NOLINT: it is only read
    msghdr header{};
    header.msg_name = &to;
    header.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size() +
                                                (abstract ? 0 : 1));
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    if (fd >= 0) {
        header.msg_control = control.data();
        header.msg_controllen = static_cast<socklen_t>(control.size());
        cmsghdr passed{};
        passed.cmsg_level = SOL_SOCKET;
        passed.cmsg_type = SCM_RIGHTS;
        passed.cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(control.data(), &passed, sizeof passed);
        std::memcpy(control.data() + CMSG_LEN(0), &fd, sizeof fd);
    }
    return sendmsg(socket_.get(), &header, MSG_DONTWAIT) == static_cast<ssize_t>(message.size());
}

} // namespace roomd
