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
        extra_ = std::make_unique<Extra>(*this);
        extra_->source = guest.source;
    }
}

Session::~Session() {
    if (patience_ != nullptr) {
        server_->loop().cancel(patience_->timer);
    }
    if (extra_ != nullptr) {
        server_->loop().cancel(extra_->hold.key);
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
        server_->tracer().sent_to_all({key_.slot, member_, framing()}, chunk, from, to);
    }
    stream_.send(chunk, from, to);
    suspect(policy);
}

void Session::deliver(std::string_view bytes) {
    if (server_->tracer().on()) {
        server_->tracer().sent(key_.slot, member_, framing(), bytes);
    }
    stream_.send(bytes);
    suspect(SlowPolicy::by_format);
}

void Session::deliver_direct(std::string_view bytes) {
    if (server_->tracer().on()) {
        server_->tracer().sent_privately(key_.slot, member_, framing(), bytes);
    }
    stream_.send_direct(bytes);
    suspect(SlowPolicy::by_format);
}

std::size_t Session::unsent_bytes() const {
    return stream_.output().bytes();
}

Outbox Session::outbox() {
    return {stream_, server_->limits(), server_->counters()};
}

Reader Session::reader() const {
    const Member* const member = server_->hub().member(member_);
    return {member != nullptr && member->dialect.format != Format::plain,
            server_->hub().is_waited_for(member_), filled_by_};
}

// Its queue is judged at the tick's end, not here: the flush comes first. A stream that the kernel
// has blocked is not flushed and so not told of (on_flushed): then the producers of a room that
// waits for it would never hear that they have to wait.
void Session::suspect(SlowPolicy policy) {
    const Limits& limits = server_->limits();
    const OutQueue& output = stream_.output();
    if (output.bytes() <= std::min(limits.queue_soft_bytes, limits.queue_bytes_max) &&
        output.entries() <= limits.queue_entries_max) {
        return;
    }
    const bool too_much = outbox().over_hard_limit();
    if (too_much && (filled_by_ == SlowPolicy::by_format || policy == SlowPolicy::disconnect)) {
        filled_by_ = policy;
    }
    if (!suspected_ && (too_much || (!blocked_ && output.bytes() > limits.queue_soft_bytes))) {
        suspected_ = true;
        server_->enforce_later(*this);
    }
}

bool Session::enforce_limits() {
    suspected_ = false;
    if (ending_) {
        return false;
    }
    tell_blocked();
    const Outbox::Verdict verdict = outbox().enforce(reader());
    if (verdict == Outbox::Verdict::not_yet) {
        suspected_ = true;
        return true;
    }
    filled_by_ = SlowPolicy::by_format;
    if (verdict == Outbox::Verdict::close) {
        end(CloseReason::slow, "you read more slowly than your rooms speak");
    }
    return false;
}

void Session::tell_blocked() {
    const bool over_soft = stream_.output().bytes() > server_->limits().queue_soft_bytes;
    const bool told = blocked_;
    if (over_soft != told) {
        blocked_ = over_soft;
        server_->hub().set_blocked(member_, over_soft);
    }
}

// Pieces count as well as bytes: whoever sends private messages may not fill a reader's queue with
// them. While memory is short nothing is added to a queue that is not read at once.
bool Session::congested() const {
    const Limits& limits = server_->limits();
    const OutQueue& output = stream_.output();
    const std::uint32_t bytes_max =
        server_->output_scarce() ? scarce_reply_bytes : limits.queue_soft_bytes;
    return !stream_.open() || output.bytes() > bytes_max ||
           output.entries() > limits.queue_entries_max / 2;
}

void Session::shed() {
    if (outbox().shed(reader()) == Outbox::Verdict::close) {
        end(CloseReason::slow, "too much was waiting for you to read it");
    }
}

std::optional<TimePoint> Session::partial_since() {
    if (patience_ == nullptr || patience_->partial_since == TimePoint{} ||
        !decoder_.partial(stream_.input().size())) {
        return std::nullopt;
    }
    return patience_->partial_since;
}

void Session::write_notice(Stream& /*stream*/, const std::vector<Lost>& lost, std::string& out) {
    const Member* const member = server_->hub().member(member_);
    const Dialect dialect{framing(), member != nullptr ? member->dialect.format : last_format_};
    for (const Lost& range : lost) {
        const std::string_view room = range.label.get()->text();
        if (range.count > 0) {
            ++server_->counters().gaps;
            encode(out, dialect, GapEvent{room, range.first, range.last});
        }
        if (range.state > 0) {
            encode(out, dialect, StaleEvent{room});
        }
    }
}

void Session::on_flushed(Stream& stream) {
    const OutQueue& output = stream.output();
    const bool answers_read = output.own_bytes() < server_->reply_bytes_max() / 2;
    if (member_ && answers_read) {
        if (server_->hub().replaying(member_)) {
            server_->scheduler().wait_turn(key_, share_, true); // the next portion is work, too
        } else if (stream.reading_paused() && hold_ != Hold::room) {
            go_on();
        }
    } else if (framing() == Framing::echo && answers_read) {
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
    server_->on_session_closed(*this); // which lets it leave its rooms when there is time
}

} // namespace roomd
