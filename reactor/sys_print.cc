#include "reactor/sys.h"

#include <cerrno>
#include <csignal>

#include <poll.h>
#include <unistd.h>

// What a program prints: every write is looked at, and so is what the file says of it afterwards.
namespace roomd::sys {

int write_all(int fd, std::string_view text) noexcept {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written > 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            pollfd entry{fd, POLLOUT, 0}; // whoever shares the descriptor made it non-blocking
            static_cast<void>(::poll(&entry, 1, -1));
        } else if (written == 0 || errno != EINTR) {
            return written == 0 ? EIO : errno;
        }
    }
    return close_error(fd);
}

// Each close(2) of a file asks its filesystem, the last one and that of a copy alike.
int close_error(int fd) noexcept {
    const int copy = ::dup(fd);
    if (copy < 0 || ::close(copy) == 0 || errno == EINTR) {
        return 0;
    }
    return errno;
}

bool print(std::string_view program, std::string_view text) {
    const int error = write_all(STDOUT_FILENO, text);
    if (error == 0) {
        return true;
    }
    if (error == EPIPE) {
        // Blocked or caught by this program it would do nothing: then the line below says it.
        static_cast<void>(std::raise(SIGPIPE));
    }
    static_cast<void>(write_all(STDERR_FILENO, std::string(program) + ": cannot write to stdout: " +
                                                   error_text(error) + "\n"));
    return false;
}

} // namespace roomd::sys
