#include "reactor/stream.h"

#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

namespace roomd {

namespace {
// Pieces per system call. A queue rarely has more: steady feeds merge into one. IOV_MAX is 1024
// (POSIX: at least 16).
constexpr std::size_t pieces_max = 64;
} // namespace

Stream::Stream(StreamHost& host, Fd fd, StreamOwner& owner)
    : fd_(std::move(fd)), host_(&host), owner_(&owner) {
    key_ = host.loop.watch(fd_.get(), Interest::read_write, *this);
}

Stream::~Stream() {
    if (state_ != State::closed) {
        host_->loop.forget(key_, fd_.get());
        host_->flush_list.remove(*this);
        input_.clear(host_->blocks);
    }
}

void Stream::send(std::string_view bytes) {
    if (state_ != State::open || write_failed_ || bytes.empty()) {
        return;
    }
    output_.append(host_->arena, bytes);
    dirty(Urgency::urgent);
}

void Stream::send(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to) {
    if (state_ != State::open || write_failed_ || from == to) {
        return;
    }
    output_.push(chunk, from, to);
    dirty(Urgency::bulk);
}

std::uint64_t Stream::drop_oldest(std::uint32_t bytes_left) {
    return output_.drop_oldest(host_->arena, bytes_left);
}

void Stream::dirty(Urgency urgency) {
    if (!blocked_ || writable_) {
        host_->flush_list.add(*this, urgency);
    }
}

void Stream::resume_reading() {
    if (reading_paused_) {
        reading_paused_ = false;
        input_pending_ = input_pending_ || input_.size() > 0;
        host_->loop.again(key_, Ready::readable);
    }
}

void Stream::requeue_input() {
    input_pending_ = true;
    host_->loop.again(key_, Ready::readable);
}

void Stream::on_ready(Ready ready) {
    if (has(ready, Ready::writable) && blocked_) {
        writable_ = true;
        host_->flush_list.add(*this, output_.own_bytes() > 0 ? Urgency::urgent : Urgency::bulk);
    }
    if (!has(ready, Ready::readable) || state_ == State::closed) {
        return;
    }
    readable_ = true;
    if (state_ != State::open) {
        read_and_discard();
        return;
    }
    if (input_pending_ && !reading_paused_) {
        input_pending_ = false;
        owner_->on_input(*this);
    }
    if (state_ == State::open) {
        read();
    }
}

void Stream::read() {
    std::size_t budget = host_->read_bytes_per_tick_max;
    while (readable_ && state_ == State::open && !reading_paused_ && !input_pending_ &&
           !input_ended_) {
        if (budget == 0) {
            host_->loop.again(key_, Ready::readable);
            break;
        }
        input_.make_room(host_->blocks);
        const std::array<iovec, 2> pieces = input_.writable();
        const IoResult result =
            sys::read_some(fd_.get(), std::span(pieces).first(pieces[1].iov_len == 0 ? 1 : 2));
        ++host_->read_calls;
        switch (result.status) {
        case IoStatus::ok:
            host_->bytes_read += result.bytes;
            input_.commit(result.bytes);
            budget -= std::min(budget, result.bytes);
            owner_->on_input(*this);
            break;
        case IoStatus::would_block:
            readable_ = false;
            break;
        case IoStatus::end:
            input_ended_ = true;
            owner_->on_end_of_input(*this);
            break;
        case IoStatus::failed:
            close_now(end_of(result));
            break;
        }
    }
    const bool more_to_hear = readable_ && !input_ended_ && !reading_paused_;
    if (state_ == State::open && write_failed_ && !input_pending_ && !more_to_hear) {
        close_now(StreamEnd::reset); // everything the peer managed to say has been heard
    }
    if (state_ != State::closed) {
        input_.settle(host_->blocks);
    }
}

void Stream::read_and_discard() {
    std::size_t budget = host_->read_bytes_per_tick_max;
    input_.clear(host_->blocks);
    input_.make_room(host_->blocks);
    while (readable_ && !input_ended_ && state_ != State::closed) {
        if (budget == 0) {
            host_->loop.again(key_, Ready::readable);
            break;
        }
        const std::array<iovec, 2> pieces = input_.writable();
        const IoResult result = sys::read_some(fd_.get(), std::span(pieces).first(1));
        ++host_->read_calls;
        switch (result.status) {
        case IoStatus::ok:
            host_->bytes_read += result.bytes;
            budget -= std::min(budget, result.bytes);
            break;
        case IoStatus::would_block:
            readable_ = false;
            break;
        case IoStatus::end:
            input_ended_ = true;
            break;
        case IoStatus::failed:
            close_now(end_of(result));
            break;
        }
    }
    if (state_ != State::closed) {
        input_.clear(host_->blocks);
    }
    if (input_ended_ && state_ == State::lingering) {
        close_now(StreamEnd::finished);
    }
}

std::uint64_t Stream::flush() {
    if (state_ == State::closed || (blocked_ && !writable_)) {
        return 0;
    }
    writable_ = false;
    std::size_t written = 0;
    std::uint64_t calls = 0;
    const std::size_t budget = host_->flush_bytes_per_tick_max;
    resolve_notices();
    while (!output_.empty()) {
        if (written >= budget) {
            writable_ = true;
            host_->flush_list.add(*this, urgency_);
            owner_->on_flushed(*this);
            break;
        }
        ++calls;
        if (!write_once(budget - written, written)) {
            break;
        }
        resolve_notices();
    }
    if (output_.empty() && state_ != State::closed && !write_failed_) {
        blocked_ = false;
        after_flush();
    }
    return written + calls * FlushList::call_cost;
}

void Stream::resolve_notices() {
    for (const std::vector<Lost>* lost = output_.notice(); lost != nullptr;
         lost = output_.notice()) {
        host_->scratch.clear();
        owner_->write_notice(*this, *lost, host_->scratch);
        output_.resolve_notice(host_->arena, host_->scratch);
    }
}

bool Stream::write_once(std::size_t budget, std::size_t& written) {
    std::array<iovec, pieces_max> pieces; // NOLINT: filled by gather
    const std::size_t count = output_.gather(pieces, budget);
    const IoResult result = sys::write_some(fd_.get(), std::span(pieces).first(count));
    ++host_->write_calls;
    if (result.status == IoStatus::ok) {
        host_->bytes_written += result.bytes;
        output_.consume(result.bytes);
        written += result.bytes;
        blocked_ = false;
        return true;
    }
    if (result.status != IoStatus::would_block) {
        write_failed(result);
        return false;
    }
    if (!blocked_) {
        blocked_since_ = host_->loop.now();
    }
    blocked_ = true;
    if (result.error != 0) {
        host_->flush_list.retry_later(*this);
    }
    owner_->on_flushed(*this);
    return false;
}

void Stream::after_flush() {
    if (state_ == State::open) {
        owner_->on_flushed(*this);
        return;
    }
    if (state_ != State::draining) {
        return;
    }
    sys::shutdown_write(fd_.get());
    state_ = State::lingering;
    if (input_ended_) {
        close_now(StreamEnd::finished);
    } else {
        // What came before the shut may be waiting without a further edge.
        host_->loop.again(key_, Ready::readable);
    }
}

StreamEnd Stream::end_of(const IoResult& failure) const {
    return failure.error == ETIMEDOUT && !output_.empty() ? StreamEnd::stalled : StreamEnd::reset;
}

void Stream::write_failed(const IoResult& failure) {
    const StreamEnd end = end_of(failure);
    output_.clear();
    write_failed_ = true;
    blocked_ = false;
    if (state_ != State::open || reading_paused_ || input_ended_) {
        close_now(end);
    } else {
        // The peer may have said something before it went: read() hears it and then closes.
        host_->loop.again(key_, Ready::readable);
    }
}

void Stream::close_after_flush() {
    if (state_ != State::open) {
        return;
    }
    if (write_failed_) {
        close_now(StreamEnd::reset); // nobody is left to take a goodbye
        return;
    }
    state_ = State::draining;
    reading_paused_ = false;
    input_pending_ = false;
    writable_ = writable_ || !blocked_;
    dirty(Urgency::urgent);
    host_->loop.again(key_, Ready::readable); // to discard what was paused
}

void Stream::close_now(StreamEnd end) {
    if (state_ == State::closed) {
        return;
    }
    state_ = State::closed;
    host_->loop.forget(key_, fd_.get());
    key_ = {};
    host_->flush_list.remove(*this);
    output_.clear();
    input_.clear(host_->blocks);
    fd_.reset();
    owner_->on_closed(*this, end);
}

void Stream::check() const {
    input_.check();
    output_.check();
    if (state_ == State::closed) {
        assert(!fd_);
        assert(!key_);
        assert(output_.empty());
        assert(input_.size() == 0);
        assert(!to_flush_);
    }
}

} // namespace roomd
