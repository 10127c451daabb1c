#include "daemon/log_output.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr int poll_ms = 50; // how late the writer sees that it should stop
constexpr int journal_pause_ms = 5;
constexpr std::string_view journal_path = "/run/systemd/journal/socket";

/// Whether stderr would take bytes now; waits a little. `broken`: nobody will ever read them.
bool writable(bool& broken) {
    pollfd entry{STDERR_FILENO, POLLOUT, 0};
    const int ready = poll(&entry, 1, poll_ms);
    const auto events = static_cast<unsigned>(entry.revents);
    broken = ready > 0 && (events & static_cast<unsigned>(POLLERR | POLLNVAL)) != 0;
    return ready > 0 && !broken && (events & static_cast<unsigned>(POLLOUT)) != 0;
}

/// How much of it stderr has taken.
std::size_t write_some(std::string_view text, const std::atomic<bool>& discard) {
    std::size_t done = 0;
    while (done < text.size() && !discard) {
        bool broken = false;
        if (!writable(broken)) {
            if (broken) {
                break;
            }
            continue;
        }
        const std::string_view left = text.substr(done);
        const ssize_t written = ::write(STDERR_FILENO, left.data(), left.size());
        if (written > 0) {
            done += static_cast<std::size_t>(written);
        } else if (written < 0 && errno == EAGAIN) {
            poll(nullptr, 0, poll_ms); // non-blocking, and less room than the line needs
        } else if (written == 0 || errno != EINTR) {
            break; // a full disk (ENOSPC), a limit (EFBIG): trying does not make it emptier
        }
    }
    return done;
}

} // namespace

bool StderrWriter::write(std::string_view line, const std::atomic<bool>& discard) {
    rest_.erase(0, write_some(rest_, discard));
    if (!rest_.empty()) {
        return false;
    }
    const std::size_t written = write_some(line, discard);
    if (written > 0) {
        rest_ = line.substr(written);
    }
    return written > 0;
}

bool stderr_is_journal() {
    const char* const text = std::getenv("JOURNAL_STREAM"); // NOLINT(concurrency-mt-unsafe)

    struct stat status {};

    if (text == nullptr || fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    return text == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

JournalSocket::JournalSocket() : socket_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    if (socket_ && fcntl(socket_.get(), F_SETFD, FD_CLOEXEC) != 0) {
        socket_.reset();
    }
}

JournalSocket::Sent JournalSocket::send(std::string_view entry, const std::atomic<bool>& discard) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, journal_path.data(), journal_path.size());
    // The C interface of sockets takes every address as a sockaddr.
    const auto* const generic = reinterpret_cast<const sockaddr*>(&to);
    while (sendto(socket_.get(), entry.data(), entry.size(), MSG_DONTWAIT, generic, sizeof to) <
           0) {
        const bool full = errno == EAGAIN || errno == ENOBUFS || errno == EINTR;
        if (!full) {
            return Sent::unreachable;
        }
        if (discard) {
            return Sent::lost;
        }
        poll(nullptr, 0, journal_pause_ms); // a datagram socket does not say when it has room
    }
    return Sent::done;
}

} // namespace roomd
