#include "reactor/stream.h"

#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

namespace roomd {

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
    const std::size_t held = input_.capacity();
    const std::uint64_t read = host_->bytes_read;
    while (readable_ && state_ == State::open && !reading_paused_ && !input_pending_ &&
           !input_ended_) {
        const bool first = host_->read_cost_left <= 0;
        const std::size_t most = read_bytes_now(budget);
        if (most == 0) {
            put_off(budget);
            break;
        }
        const IoResult result =
            read_once(most, first ? host_->first_read_cost_left : host_->read_cost_left);
        switch (result.status) {
        case IoStatus::ok:
            put_off_ = result.bytes == most; // never where there is no bound
            budget = first ? 0 : budget - std::min(budget, result.bytes);
            host_->bytes_just_read = result.bytes;
            owner_->on_input(*this);
            host_->bytes_just_read = 0;
            break;
        case IoStatus::would_block:
            readable_ = false;
            put_off_ = false;
            break;
        case IoStatus::end:
            end_input();
            break;
        case IoStatus::failed:
            close_now(end_of(result));
            break;
        }
    }
    const bool more_to_hear = readable_ && !input_ended_ && !reading_paused_;
    if (state_ == State::open && write_failed_ && !input_pending_ && !more_to_hear) {
        close_now(failure_); // everything the peer managed to say has been heard
    }
    if (state_ != State::closed) {
        input_.settle(host_->blocks);
        charge_growth(held, host_->bytes_read - read);
    }
}

// One byte can make a ring grow by 48 KiB. What is read is bounded by what memory there is, so what
// is kept of it counts if that is more.
void Stream::charge_growth(std::size_t held, std::uint64_t bytes_read) {
    const std::size_t grown = input_.capacity() - std::min(input_.capacity(), held);
    if (grown > bytes_read) {
        const auto more = static_cast<std::int64_t>(grown - bytes_read);
        host_->read_cost_left -= more;
        host_->first_read_cost_left -= more;
    }
}

// From what the tick has left; else, once, from what it keeps for those who have waited for
// nothing.
std::size_t Stream::read_bytes_now(std::size_t budget) const {
    if (budget > 0 && host_->read_cost_left > 0) {
        return SIZE_MAX; // as much as there is room for
    }
    const bool fresh = budget == host_->read_bytes_per_tick_max && !put_off_;
    return fresh && host_->first_read_cost_left > 0 ? StreamHost::first_read_bytes : 0;
}

// To the next tick: behind those who have not been read at all in this one, if it has been.
void Stream::put_off(std::size_t budget) {
    if (budget == host_->read_bytes_per_tick_max) {
        host_->loop.again_first(key_, Ready::readable);
    } else {
        host_->loop.again(key_, Ready::readable);
    }
}

IoResult Stream::read_once(std::size_t most, std::int64_t& cost_left) {
    input_.make_room(host_->blocks);
    std::array<iovec, 2> pieces = input_.writable();
    pieces[0].iov_len = std::min(pieces[0].iov_len, most);
    pieces[1].iov_len = std::min(pieces[1].iov_len, most - pieces[0].iov_len);
    const IoResult result =
        sys::read_some(fd_.get(), std::span(pieces).first(pieces[1].iov_len == 0 ? 1 : 2));
    ++host_->read_calls;
    cost_left -= StreamHost::read_call_cost;
    if (result.status == IoStatus::ok) {
        host_->bytes_read += result.bytes;
        cost_left -= static_cast<std::int64_t>(result.bytes);
        input_.commit(result.bytes);
    }
    return result;
}

// Most close now, but behind the flush, where a tick's budgets are over: so that is paid here.
void Stream::note_end() {
    input_ended_ = true;
    charge_close();
}

void Stream::charge_close() {
    host_->read_cost_left -= StreamHost::close_cost;
    host_->first_read_cost_left -= StreamHost::close_cost;
}

void Stream::end_input() {
    note_end();
    if (write_failed_ && !peer_finished_) {
        close_now(failure_); // an error is told once, and the write has been told it
    } else {
        owner_->on_end_of_input(*this);
    }
}

void Stream::read_and_discard() {
    std::size_t budget = host_->read_bytes_per_tick_max;
    input_.clear(host_->blocks);
    input_.make_room(host_->blocks);
    while (readable_ && !input_ended_ && state_ != State::closed) {
        if (budget == 0 || host_->read_cost_left <= 0) {
            put_off(budget);
            break;
        }
        const std::array<iovec, 2> pieces = input_.writable();
        const IoResult result = sys::read_some(fd_.get(), std::span(pieces).first(1));
        ++host_->read_calls;
        host_->read_cost_left -= StreamHost::read_call_cost;
        switch (result.status) {
        case IoStatus::ok:
            host_->bytes_read += result.bytes;
            host_->read_cost_left -= static_cast<std::int64_t>(result.bytes);
            budget -= std::min(budget, result.bytes);
            break;
        case IoStatus::would_block:
            readable_ = false;
            break;
        case IoStatus::end:
            note_end();
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

StreamEnd Stream::end_of(const IoResult& failure) const {
    // Without a refusal before, what waits has only just come: a keep-alive probe found nobody.
    return failure.error == ETIMEDOUT && blocked_ ? StreamEnd::stalled : StreamEnd::reset;
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
    if (!input_ended_) {
        charge_close();
    }
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
