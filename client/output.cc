#include "client/output.h"

#include "reactor/sys.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <poll.h>
#include <unistd.h>

namespace roomd {

namespace {

// The least that poll(2) can mean by "writable" of a pipe (_POSIX_PIPE_BUF): a larger piece could
// block.
constexpr std::size_t piece_bytes = 512;
// A long text is moved to the front only when most of it has been written.
constexpr std::size_t written_bytes_max = 65'536;

bool has_room(int fd) {
    pollfd asked{fd, POLLOUT, 0};
    return ::poll(&asked, 1, 0) > 0; // errors too: the write will tell
}

} // namespace

Output::Output(EventLoop& loop, int fd) : loop_(&loop), fd_(fd), terminal_(::isatty(fd) == 1) {
    try {
        key_ = loop.watch(fd, Interest::read_write, *this);
    } catch (const std::system_error&) {
        key_ = {}; // EPERM: a regular file or /dev/null, ready whenever one asks
    }
}

Output::~Output() {
    loop_->forget(key_, fd_);
}

void Output::on_ready(Ready /*ready*/) {
    writable_ = true;
    changed_ = true;
}

void Output::look_after_reader() {
    if (!changed_ || broken() || !key_) {
        return;
    }
    changed_ = false;
    pollfd asked{fd_, 0, 0}; // POLLERR and POLLHUP are told without being asked for
    if (::poll(&asked, 1, 0) <= 0) {
        return;
    }
    const auto events = static_cast<unsigned>(asked.revents);
    // poll(2): the reading end of a pipe, the peer of a socket, or the terminal has gone.
    if ((events & static_cast<unsigned>(POLLERR | POLLHUP)) != 0) {
        break_off(terminal_ ? EIO : EPIPE);
    }
}

void Output::settle() {
    if (!broken()) {
        if (const int error = sys::close_error(fd_); error != 0) {
            break_off(error);
        }
    }
}

void Output::break_off(int error) {
    error_ = error;
    text_.clear();
    written_ = 0;
}

void Output::print_line(std::string_view line) {
    if (!broken()) {
        text_.append(line).push_back('\n');
    }
}

void Output::flush() {
    while (pending() != 0 && writable_) {
        if (!has_room(fd_)) {
            writable_ = !key_;
            break;
        }
        const std::size_t size = std::min(pending(), piece_bytes);
        const ssize_t count = ::write(fd_, text_.data() + written_, size);
        if (count >= 0) {
            written_ += static_cast<std::size_t>(count);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            writable_ = !key_; // somebody who shares the descriptor made it non-blocking
            break;
        } else if (errno != EINTR) {
            break_off(errno);
        }
    }
    if (pending() == 0 || written_ > written_bytes_max) {
        text_.erase(0, written_);
        written_ = 0;
    }
}

} // namespace roomd
