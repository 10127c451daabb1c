#include "daemon/session.h"

#include "daemon/server.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cassert>

// What a session hears from the hub and how it ends. What it hears from its peer is in
// session_input.cc.
namespace roomd {

Session::Session(Server& server, StreamHost& host, Fd fd, const ListenerSpec& spec,
                 const Guest& guest)
    : server_(&server), spec_(&spec), stream_(host, std::move(fd), *this),
      decoder_(spec.framing, server.limits().wire), strangers_(guest.strangers),
      limited_(limits_hold(spec, guest.strangers)) {
    if (limited_) {
        extra_ = std::make_unique<Extra>();
        extra_->source = guest.source;
    }
}

Session::~Session() {
    if (patience_ != nullptr) {
        server_->loop().cancel(patience_->timer);
    }
}

SourceKey Session::source() const {
    return extra_ == nullptr ? SourceKey{} : extra_->source;
}

void Session::start(Key key) {
    key_ = key;
    if (spec_->framing == Framing::frame || spec_->framing == Framing::line) {
        begin(false);
    }
    if (strangers_) {
        arm(); // they have to say something in time
    }
}

void Session::deliver(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to,
                      SlowPolicy policy) {
    if (!stream_.open()) {
        return;
    }
    if (server_->tracer().on()) {
        server_->tracer().sent(key_.slot, member_, framing(), chunk->view(from, to));
    }
    stream_.send(chunk, from, to);
    const Limits& limits = server_->limits();
    const OutQueue& output = stream_.output();
    if (output.bytes() > limits.queue_bytes_max) {
        server_->counters().hit(Limit::queue_bytes_max);
        overflow(policy);
    } else if (output.entries() > limits.queue_entries_max) {
        server_->counters().hit(Limit::queue_entries_max);
        overflow(policy);
    }
    note_blocked();
}

void Session::deliver(std::string_view bytes) {
    if (server_->tracer().on()) {
        server_->tracer().sent(key_.slot, member_, framing(), bytes);
    }
    stream_.send(bytes);
    note_blocked();
}

// A stream that the kernel has blocked is not flushed and so not told of (on_flushed): then the
// producers of a room that waits for it would never hear that they have to wait.
void Session::note_blocked() {
    if (!blocked_ && stream_.output().bytes() > server_->limits().queue_soft_bytes) {
        server_->judge_later(*this);
    }
}

void Session::tell_blocked() {
    const bool over_soft = stream_.output().bytes() > server_->limits().queue_soft_bytes;
    const bool told = blocked_;
    if (over_soft != told) {
        blocked_ = over_soft;
        server_->hub().set_blocked(member_, over_soft);
    }
}

bool Session::congested() const {
    return !stream_.open() || stream_.output().bytes() > server_->limits().queue_soft_bytes;
}

void Session::overflow(SlowPolicy policy) {
    const Member* const member = server_->hub().member(member_);
    const bool plain = member == nullptr || member->dialect.format == Format::plain;
    if (policy == SlowPolicy::wait) {
        return; // its producers wait from the soft limit on: a tick's worth more is all there will
                // be
    }
    // A plain reader cannot be told what it lost, and who is waited for elsewhere must not lose
    // that: they never lose anything but the connection.
    if (plain || policy == SlowPolicy::disconnect || server_->hub().is_waited_for(member_)) {
        server_->doom(*this);
        return;
    }
    // Half of what waits, be it too many bytes or too many pieces, so that this is not done again
    // for every message.
    const Limits& limits = server_->limits();
    const OutQueue& output = stream_.output();
    const std::uint32_t left = std::min(limits.queue_bytes_max, output.bytes()) / 2;
    server_->counters().messages_dropped += stream_.drop_oldest(left);
    if (output.bytes() > limits.queue_bytes_max || output.entries() > limits.queue_entries_max) {
        server_->doom(*this); // what remains is its own answers
    }
}

void Session::relieve() {
    const Member* const member = server_->hub().member(member_);
    const bool plain = member == nullptr || member->dialect.format == Format::plain;
    const bool waited_for = server_->hub().is_waited_for(member_);
    const std::uint64_t dropped = stream_.drop_oldest(0);
    // It cannot be told, or must not lose anything but the connection, or what waits is its own
    // answers.
    if (plain || waited_for || dropped == 0) {
        end(CloseReason::slow, "too much was waiting for you to read it");
    } else {
        server_->counters().messages_dropped += dropped;
    }
}

void Session::write_notice(Stream& /*stream*/, const std::vector<Lost>& lost, std::string& out) {
    const Member* const member = server_->hub().member(member_);
    const Dialect dialect{framing(), member != nullptr ? member->dialect.format : last_format_};
    server_->counters().gaps += lost.size();
    for (const Lost& range : lost) {
        encode(out, dialect, GapEvent{range.label.get()->text(), range.first, range.last});
    }
}

void Session::on_flushed(Stream& stream) {
    const Limits& limits = server_->limits();
    const OutQueue& output = stream.output();
    Hub& hub = server_->hub();
    if (member_ && output.own_bytes() < limits.reply_bytes_max / 2) {
        if (hub.replaying(member_)) {
            static_cast<void>(hub.continue_replay(member_, limits.reply_bytes_max));
        }
        if (stream.reading_paused() && (extra_ == nullptr || !extra_->has_parked) &&
            !hub.replaying(member_)) {
            go_on();
        }
    } else if (framing() == Framing::echo && output.own_bytes() < limits.reply_bytes_max / 2) {
        stream.resume_reading();
    }
    tell_blocked();
    if (!output.empty()) {
        arm();
    }
}

void Session::leave() {
    if (member_) {
        server_->tracer().forget(member_);
        const Member* const member = server_->hub().member(member_);
        last_format_ = member != nullptr ? member->dialect.format : last_format_;
        server_->hub().leave(member_, word(reason_));
        member_ = {};
    }
}

void Session::end(CloseReason reason, std::string_view text) {
    if (ending_) {
        return;
    }
    if ((reason == CloseReason::idle || reason == CloseReason::shutting_down) &&
        (framing() == Framing::frame || framing() == Framing::line)) {
        begin(true); // with half a payload it was nobody yet, and is to be told all the same
    }
    ending_ = true;
    reason_ = reason;
    server_->on_session_ending(*this);
    const Member* const member = server_->hub().member(member_);
    // At the end of its stream only a program that reads events needs a last word; a web client has
    // had its answer, and nothing may follow that.
    if (member != nullptr && reason != CloseReason::http &&
        (reason != CloseReason::end || member->dialect.format == Format::event)) {
        server_->hub().reply(member_, ByeEvent{word(reason), text});
    }
    leave();
    stream_.close_after_flush();
    arm();
}

void Session::abort(CloseReason reason) {
    if (!ending_) {
        ending_ = true;
        reason_ = reason;
        server_->on_session_ending(*this);
    }
    stream_.close_now();
}

void Session::on_closed(Stream& /*stream*/, StreamEnd end) {
    if (!ending_) { // the connection broke, and reason_ says so from the beginning
        ending_ = true;
        if (end == StreamEnd::stalled) { // the kernel's patience has run out before ours
            reason_ = CloseReason::slow;
            server_->counters().hit(Limit::stalled_ms_max);
        }
        server_->on_session_ending(*this);
    }
    leave();
    server_->on_session_closed(*this);
}

} // namespace roomd
