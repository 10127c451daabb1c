#include "client/output.h"

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

Output::Output(EventLoop& loop, int fd) : loop_(&loop), fd_(fd) {
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
            error_ = errno;
            written_ = text_.size();
        }
    }
    if (pending() == 0 || written_ > written_bytes_max) {
        text_.erase(0, written_);
        written_ = 0;
    }
}

} // namespace roomd
