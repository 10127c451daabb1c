#include "reactor/stream.h"
#include "reactor/sys.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>

// A stream's way out: the queue, and what the kernel takes of it.
namespace roomd {

namespace {
// Pieces per system call. A queue rarely has more: steady feeds merge into one. IOV_MAX is 1024
// (POSIX: at least 16).
constexpr std::size_t pieces_max = 64;
} // namespace

void Stream::send(std::string_view bytes) {
    if (state_ != State::open || write_failed_ || bytes.empty()) {
        return;
    }
    output_.append(host_->arena, bytes);
    dirty(Urgency::urgent);
}

void Stream::send_direct(std::string_view bytes) {
    if (state_ != State::open || write_failed_ || bytes.empty()) {
        return;
    }
    output_.append_direct(host_->arena, bytes);
    dirty(Urgency::urgent);
}

void Stream::send(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to) {
    if (state_ != State::open || write_failed_ || from == to) {
        return;
    }
    output_.push(chunk, from, to);
    dirty(Urgency::bulk);
}

Dropped Stream::drop_oldest(std::uint32_t bytes_left) {
    return output_.drop_oldest(host_->arena, bytes_left);
}

void Stream::dirty(Urgency urgency) {
    if (!blocked_ || writable_) {
        host_->flush_list.add(*this, urgency);
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
        bytes_written_ += static_cast<std::uint32_t>(result.bytes);
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

std::uint32_t Stream::bytes_taken() const {
    return bytes_written_ - sys::bytes_unacknowledged(fd_.get()).value_or(0);
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

void Stream::write_failed(const IoResult& failure) {
    failure_ = end_of(failure);
    peer_finished_ = failure.error == EPIPE;
    output_.clear();
    write_failed_ = true;
    blocked_ = false;
    if (state_ != State::open || reading_paused_ || input_ended_) {
        close_now(failure_);
    } else {
        // The peer may have said something before it went: read() hears it and then closes.
        host_->loop.again(key_, Ready::readable);
    }
}

} // namespace roomd
