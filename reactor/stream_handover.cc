#include "reactor/stream.h"

#include <array>
#include <cassert>
#include <cstring>

// A stream's way into another process.
namespace roomd {

StreamSaved Stream::saved() {
    assert(state_ != State::closed);
    StreamSaved saved;
    saved.phase = state_ == State::open       ? StreamPhase::open
                  : state_ == State::draining ? StreamPhase::draining
                                              : StreamPhase::lingering;
    saved.input_ended = input_ended_;
    saved.write_failed = write_failed_;
    saved.peer_finished = peer_finished_;
    saved.input = input_.readable();
    if (blocked()) {
        saved.blocked = host_->loop.now() - blocked_since_;
    }
    return saved;
}

Fd Stream::release() {
    assert(state_ != State::closed);
    state_ = State::closed;
    host_->loop.forget(key_, fd_.get());
    key_ = {};
    host_->flush_list.remove(*this);
    output_.clear();
    input_.clear(host_->blocks);
    return std::move(fd_);
}

void Stream::continue_from(const StreamSaved& saved) {
    switch (saved.phase) {
    case StreamPhase::open:
        break;
    case StreamPhase::draining:
        state_ = State::draining;
        break;
    case StreamPhase::lingering:
        state_ = State::lingering;
        break;
    }
    input_ended_ = saved.input_ended;
    write_failed_ = saved.write_failed;
    peer_finished_ = saved.peer_finished;
    std::string_view rest = saved.input;
    while (!rest.empty()) {
        input_.make_room(host_->blocks);
        const std::size_t space = std::min<std::size_t>(rest.size(), input_.writable()[0].iov_len);
        std::memcpy(input_.writable()[0].iov_base, rest.data(), space);
        input_.commit(space);
        rest.remove_prefix(space);
    }
    input_.settle(host_->blocks);
    if (saved.blocked) {
        blocked_ = true; // as far as we know; the flush finds out
        writable_ = true;
        blocked_since_ = host_->loop.now() - *saved.blocked;
    }
    // The edges of what has come meanwhile went to the other process, or to nobody.
    readable_ = true;
    input_pending_ = state_ == State::open;
    host_->loop.again(key_, Ready::readable);
    // The owner may be waiting to hear that nothing waits any more, which it was not told over
    // there.
    if (state_ != State::lingering) {
        dirty(state_ == State::draining ? Urgency::urgent : Urgency::bulk);
    }
}

void Stream::restore_output(ChunkRef chunk, std::uint32_t from, std::uint32_t to) {
    output_.restore(std::move(chunk), from, to);
    dirty(output_.own_bytes() > 0 ? Urgency::urgent : Urgency::bulk);
}

} // namespace roomd
