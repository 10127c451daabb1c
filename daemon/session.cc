#include "daemon/session.h"

#include "daemon/server.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cassert>

// What a session hears from the hub and how it ends. What it hears from its peer is in
// session_input.cc.
namespace roomd {

namespace {

// The longest step of the session's timer: every patience is counted in steps, so it is their
// precision.
constexpr std::uint32_t step_ms_max = 1000;

// Adds a step to a patience that is running, or starts it anew; says when it is over.
bool run_out(std::uint16_t& waited_ms, bool running, std::uint32_t ms_max, std::uint32_t step_ms) {
    if (!running) {
        waited_ms = 0;
        return false;
    }
    waited_ms =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(waited_ms + step_ms, UINT16_MAX));
    return waited_ms >= std::min<std::uint32_t>(ms_max, UINT16_MAX);
}

} // namespace

Session::Session(Server& server, StreamHost& host, Fd fd, const ListenerSpec& spec, bool strangers,
                 SourceKey source)
    : server_(&server), spec_(&spec), stream_(host, std::move(fd), *this),
      decoder_(spec.framing, server.limits().wire), strangers_(strangers) {
    const bool limited =
        spec.limits == RateLimits::on || (spec.limits == RateLimits::by_address && strangers);
    if (limited) {
        extra_ = std::make_unique<Extra>();
        extra_->source = source;
    }
}

Session::~Session() {
    server_->loop().cancel(timer_);
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
}

void Session::deliver(std::string_view bytes) {
    if (server_->tracer().on()) {
        server_->tracer().sent(key_.slot, member_, framing(), bytes);
    }
    stream_.send(bytes);
}

bool Session::congested() const {
    return !stream_.open() || stream_.output().bytes() > server_->limits().queue_soft_bytes;
}

void Session::overflow(SlowPolicy policy) {
    const Member* const member = server_->hub().member(member_);
    const bool plain = member == nullptr || member->dialect.format == Format::plain;
    // A plain reader cannot be told what it lost, so it never loses anything but the connection.
    if (plain || policy == SlowPolicy::disconnect) {
        server_->doom(*this);
        return;
    }
    const std::uint32_t left = server_->limits().queue_bytes_max / 2;
    server_->counters().messages_dropped += stream_.drop_oldest(left);
    if (stream_.output().bytes() > server_->limits().queue_bytes_max) {
        server_->doom(*this); // what remains is its own answers
    }
}

void Session::relieve() {
    const Member* const member = server_->hub().member(member_);
    const bool plain = member == nullptr || member->dialect.format == Format::plain;
    const std::uint64_t dropped = stream_.drop_oldest(0);
    if (plain || dropped == 0) { // it cannot be told, or what waits is its own answers
        end(CloseReason::slow, "too much was waiting for you to read it");
    } else {
        server_->counters().messages_dropped += dropped;
    }
}

void Session::write_notice(Stream& /*stream*/, const std::vector<Lost>& lost, std::string& out) {
    const Member* const member = server_->hub().member(member_);
    const Dialect dialect = member != nullptr ? member->dialect : Dialect{framing(), Format::event};
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
            stream.resume_reading();
        }
    } else if (framing() == Framing::echo && output.own_bytes() < limits.reply_bytes_max / 2) {
        stream.resume_reading();
    }
    const bool over_soft = output.bytes() > limits.queue_soft_bytes;
    if (over_soft != blocked_) {
        blocked_ = over_soft;
        hub.set_blocked(member_, over_soft);
    }
    if (!output.empty()) {
        arm();
    }
}

void Session::leave() {
    if (member_) {
        server_->tracer().forget(member_);
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
    // At the end of its stream only a program that reads events needs a last word.
    if (member != nullptr &&
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

void Session::on_closed(Stream& /*stream*/, StreamEnd /*end*/) {
    if (!ending_) { // the connection broke, and reason_ says so from the beginning
        ending_ = true;
        server_->on_session_ending(*this);
    }
    leave();
    server_->on_session_closed(*this);
}

std::uint32_t Session::step_ms() const {
    return spec_->flush_ms == 0 ? step_ms_max : std::min(spec_->flush_ms, step_ms_max);
}

void Session::arm() {
    if (!timer_) {
        timer_ = server_->loop().after(std::chrono::milliseconds(step_ms()), *this);
    }
}

// Half a payload waits. Where it is to count as a line after a while, the while begins now.
void Session::arm_for_partial() {
    if (spec_->flush_ms != 0 && !partial_armed_) {
        server_->loop().cancel(timer_);
        timer_ = {};
        partial_armed_ = true;
    }
    arm();
}

void Session::on_timer(TimerKey /*key*/) {
    timer_ = {};
    if (stream_.closed()) {
        return;
    }
    partial_armed_ = false;
    if (spec_->flush_ms != 0 && !ending_ && decoder_.partial(stream_.input().size())) {
        const Step step = decoder_.flush_line(stream_.input().readable());
        if (take_step(step) == Next::go_on) {
            on_input(stream_);
        }
    }
    if (!stream_.closed() && watch_second()) {
        arm();
    }
}

// One step of every patience. True while there is something to be patient about.
bool Session::watch_second() {
    const Limits& limits = server_->limits();
    Counters& counters = server_->counters();
    const bool unsent = !stream_.output().empty();
    const TimePoint now = server_->loop().now();
    if (ending_) {
        // A goodbye is waited for while it makes progress, but not for ever.
        const auto stuck = std::chrono::milliseconds(limits.linger_ms_max);
        const bool over = run_out(leaving_ms_, true,
                                  unsent ? limits.stalled_ms_max : limits.linger_ms_max, step_ms());
        if (over || (unsent && stream_.blocked() && now - stream_.blocked_since() >= stuck)) {
            counters.hit(Limit::linger_ms_max);
            stream_.close_now();
            return false;
        }
        return true;
    }
    if (unsent && stream_.blocked() &&
        now - stream_.blocked_since() >= std::chrono::milliseconds(limits.stalled_ms_max)) {
        counters.hit(Limit::stalled_ms_max);
        end(CloseReason::slow, "you have read nothing for too long");
        return true;
    }
    if (over_soft_limit()) {
        return true;
    }
    const bool partial = decoder_.partial(stream_.input().size()) && !stream_.reading_paused();
    if (run_out(partial_ms_, partial, limits.partial_ms_max, step_ms())) {
        counters.hit(Limit::partial_ms_max);
        end(CloseReason::idle, "what you began to send did not end in time");
        return true;
    }
    const bool silent = strangers_ && !heard_;
    if (run_out(silent_ms_, silent, limits.first_payload_ms_max, step_ms())) {
        counters.hit(Limit::first_payload_ms_max);
        end(CloseReason::idle, "you have said nothing");
        return true;
    }
    return unsent || partial || silent;
}

bool Session::over_soft_limit() {
    const Limits& limits = server_->limits();
    if (!run_out(soft_ms_, stream_.output().bytes() > limits.queue_soft_bytes, limits.queue_soft_ms,
                 step_ms())) {
        return false;
    }
    soft_ms_ = 0;
    server_->counters().hit(Limit::queue_soft_bytes);
    const Member* const member = server_->hub().member(member_);
    if (member == nullptr || member->dialect.format == Format::plain) {
        end(CloseReason::slow, "you read more slowly than your rooms speak");
        return true;
    }
    server_->counters().messages_dropped += stream_.drop_oldest(limits.queue_soft_bytes / 2);
    return false;
}

} // namespace roomd
