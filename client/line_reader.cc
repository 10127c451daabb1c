#include "client/line_reader.h"

#include "reactor/sys.h"
#include "reactor/terminal.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <system_error>

#include <poll.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr std::size_t piece_bytes = 65'536;
// In one call of next(): a file of one endless line must not hold up the socket.
constexpr std::size_t pieces_max = 16;

bool has_input(int fd) {
    pollfd asked{fd, POLLIN, 0};
    return ::poll(&asked, 1, 0) > 0; // hang-ups and errors too: the read will tell
}

} // namespace

LineReader::LineReader(EventLoop& loop, int fd, std::size_t line_bytes_max)
    : loop_(&loop), line_bytes_max_(line_bytes_max), terminal_(::isatty(fd) == 1), fd_(fd) {
    try {
        key_ = loop.watch(fd, Interest::read, *this);
    } catch (const std::system_error&) {
        key_ = {}; // EPERM: a regular file or /dev/null, ready whenever one asks
    }
}

LineReader::~LineReader() {
    loop_->forget(key_, fd_);
}

void LineReader::on_ready(Ready /*ready*/) {
    readable_ = true;
}

LineStatus LineReader::next(Line& line) {
    for (std::size_t pieces = 0; pieces < pieces_max; ++pieces) {
        if (take_line(line)) {
            return LineStatus::line;
        }
        if (ended_) {
            return take_last(line);
        }
        skip_if_too_large();
        if (!readable_ || !has_input(fd_)) {
            readable_ = !key_;
            return key_ ? LineStatus::waiting : LineStatus::busy;
        }
        fill();
    }
    return LineStatus::busy;
}

bool LineReader::take_line(Line& line) {
    const char* const from = buffer_.data() + begin_ + scanned_;
    const std::size_t unsearched = end_ - begin_ - scanned_;
    const void* const found = unsearched == 0 ? nullptr : std::memchr(from, '\n', unsearched);
    if (found == nullptr) {
        scanned_ = end_ - begin_;
        return false;
    }
    const auto size = scanned_ + static_cast<std::size_t>(static_cast<const char*>(found) - from);
    deliver(line, size, size + 1);
    return true;
}

LineStatus LineReader::take_last(Line& line) {
    const std::size_t size = end_ - begin_;
    if (size != 0 || skipping_) {
        deliver(line, size, size);
        return LineStatus::line;
    }
    return error_ == 0 ? LineStatus::ended : LineStatus::failed;
}

void LineReader::deliver(Line& line, std::size_t size, std::size_t consumed) {
    std::string_view text(buffer_.data() + begin_, size);
    if (consumed > size && text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    const bool too_large = skipping_ || text.size() > line_bytes_max_;
    const bool cut = terminal_ && !too_large && text.size() >= sys::terminal_line_bytes();
    line = {++number_, too_large ? std::string_view{} : text, too_large, cut};
    begin_ += consumed;
    scanned_ = 0;
    skipping_ = false;
}

void LineReader::skip_if_too_large() {
    // One more for the CR that a line end may begin with.
    if (skipping_ || end_ - begin_ > line_bytes_max_ + 1) {
        skipping_ = true;
        begin_ = end_;
        scanned_ = 0;
    }
}

void LineReader::fill() {
    if (begin_ == end_) {
        begin_ = 0;
        end_ = 0;
    }
    if (buffer_.size() - end_ < piece_bytes) {
        const auto first = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_);
        std::copy(first, first + static_cast<std::ptrdiff_t>(end_ - begin_), buffer_.begin());
        end_ -= begin_;
        begin_ = 0;
        if (buffer_.size() - end_ < piece_bytes) {
            buffer_.resize(std::max(2 * buffer_.size(), end_ + piece_bytes));
        }
    }
    const iovec piece{buffer_.data() + end_, piece_bytes};
    const IoResult result = sys::read_some(fd_, std::span(&piece, 1));
    switch (result.status) {
    case IoStatus::ok:
        end_ += result.bytes;
        break;
    case IoStatus::would_block: // non-blocking, and somebody who shares it was quicker
        break;
    case IoStatus::end:
        ended_ = true;
        break;
    case IoStatus::failed:
        ended_ = true;
        error_ = result.error;
        break;
    }
}

} // namespace roomd
