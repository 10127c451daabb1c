#include "daemon/server.h"
#include "daemon/session.h"
#include "protocol/text.h"

#include <algorithm>
#include <cassert>
#include <string>

// From bytes to commands: what a session hears from its peer.
namespace roomd {

namespace {

constexpr std::string_view http_refusal = "HTTP/1.1 400 Bad Request\r\n"
                                          "Content-Type: text/plain\r\n"
                                          "Content-Length: 32\r\n"
                                          "Connection: close\r\n"
                                          "\r\n"
                                          "roomd does not speak HTTP here.\n";

bool moves(const std::variant<Command, BadCommand>& parsed) {
    const Command* const command = std::get_if<Command>(&parsed);
    return command != nullptr &&
           (std::holds_alternative<Hello>(*command) || std::holds_alternative<Join>(*command));
}

} // namespace

void Session::on_input(Stream& stream) {
    server_->tell_time();
    if (decoder_.framing() == Framing::echo) {
        echo();
        return;
    }
    if (server_->tracer().on()) {
        const std::size_t size = stream.input().size();
        const std::size_t waiting = std::min<std::size_t>(unparsed_, size);
        server_->tracer().arrived(key_.slot, member_, size - waiting, waiting);
    }
    if (extra_ != nullptr && extra_->has_parked && !ending_ && !server_->may_speak(turn_)) {
        speak_later();
        return;
    }
    if (!take_parked()) {
        return;
    }
    if (take_all() == Next::done && flush_due()) {
        flush_line();
    }
    unparsed_ = static_cast<std::uint32_t>(stream.input().size());
    if (!ending_ && decoder_.partial(unparsed_)) {
        arm_for_partial();
    }
}

// Whatever is whole. `done`: what is left, if anything, has not ended yet.
Session::Next Session::take_all() {
    while (may_go_on()) {
        const std::string_view bytes = stream_.input().readable();
        Step step = decoder_.next(bytes);
        if (std::holds_alternative<NeedMore>(step) && stream_.input_ended()) {
            step = decoder_.finish(bytes);
        }
        if (const Next next = take_step(step); next != Next::go_on) {
            return next;
        }
    }
    return Next::wait;
}

// What is left stays unread until the server says that somebody may speak again.
void Session::speak_later() {
    stream_.hold_input();
    if (!waits_) {
        waits_ = true;
        server_->speak_later(*this);
    }
}

void Session::speak_again() {
    waits_ = false;
    if (stream_.open()) {
        stream_.requeue_input();
    }
}

void Session::on_end_of_input(Stream& stream) {
    if (ending_) {
        return;
    }
    if (decoder_.framing() == Framing::echo) {
        end(CloseReason::end, {});
        return;
    }
    on_input(stream); // the last line needs no line end; then everything has been answered
}

void Session::echo() {
    RingBuffer& input = stream_.input();
    const std::string_view bytes = input.readable();
    stream_.send(bytes);
    input.consume(bytes.size());
    if (stream_.output().own_bytes() > server_->limits().reply_bytes_max) {
        server_->counters().hit(Limit::reply_bytes_max);
        stream_.pause_reading();
    }
}

// Whether another payload may be looked at now. If not, whoever is waited for resumes or requeues
// the stream.
bool Session::may_go_on() {
    if (ending_ || stream_.reading_paused()) {
        return false;
    }
    if (stream_.output().own_bytes() > server_->limits().reply_bytes_max) {
        server_->counters().hit(Limit::reply_bytes_max);
        stream_.pause_reading(); // until it has read its answers: on_flushed
        return false;
    }
    if (server_->hub().replaying(member_)) {
        stream_.pause_reading(); // until the replay is through: on_flushed
        return false;
    }
    return true;
}

// Whether there is time for this payload now. While more is said than can be sent on, what others
// would hear waits; what they would not is answered all the same.
bool Session::may_take(std::string_view payload) {
    if (is_aside(payload) || server_->may_speak(turn_)) {
        return true;
    }
    speak_later();
    return false;
}

Session::Next Session::take_step(const Step& step) {
    if (const Payload* const payload = std::get_if<Payload>(&step); payload != nullptr) {
        if (!may_take(payload->text)) {
            return Next::later; // the decoder will show it again
        }
        if (server_->tracer().on()) {
            const std::string_view raw = stream_.input().readable().substr(0, payload->consumed);
            server_->tracer().received(key_.slot, member_, framing(), raw);
        }
        heard_ = true;
        if (patience_ != nullptr) {
            patience_->partial_ms = 0;
            patience_->flush_at = {};
        }
        ++server_->counters().payloads;
        const Next next = take_payload(payload->text);
        if (!stream_.closed()) {
            stream_.input().consume(payload->consumed);
        }
        return next;
    }
    if (const Skipped* const skipped = std::get_if<Skipped>(&step); skipped != nullptr) {
        stream_.input().consume(skipped->consumed);
        return Next::go_on;
    }
    if (const Violation* const violation = std::get_if<Violation>(&step); violation != nullptr) {
        stream_.input().consume(violation->consumed);
        on_violation(*violation);
        return Next::go_on;
    }
    if (stream_.input_ended()) {
        end(CloseReason::end, {});
    }
    return Next::done;
}

Session::Next Session::take_payload(std::string_view payload) {
    const TextCheck check = check_text(payload);
    if (!check.valid) {
        begin(false);
        server_->hub().reply(member_, ErrorReply{"say", ErrorCode::bad_utf8, "not valid UTF-8"});
        return Next::go_on;
    }
    const std::variant<Command, BadCommand> parsed = parse_command(payload);
    begin(moves(parsed));
    if (const BadCommand* const bad = std::get_if<BadCommand>(&parsed); bad != nullptr) {
        ++server_->counters().commands_refused;
        server_->hub().reply(member_, ErrorReply{bad->verb, bad->code, bad->why});
        return Next::go_on;
    }
    const auto& command = std::get<Command>(parsed);
    if (server_->hub().must_wait(member_, command)) {
        park(payload);
        return Next::wait;
    }
    return run(command, check.harmless);
}

void Session::park(std::string_view payload) {
    if (extra_ == nullptr) {
        extra_ = std::make_unique<Extra>();
    }
    extra_->parked = payload;
    extra_->has_parked = true;
    stream_.pause_reading();
}

void Session::resume() {
    if (!ending_) {
        go_on(); // next tick, when nothing else is going on in the hub
    }
}

// Reading again. The input is looked at even if there is none: a payload may be parked, and if the
// stream has ended no event would ever lead here again.
void Session::go_on() {
    stream_.resume_reading();
    stream_.requeue_input();
}

// The payload that had to wait goes first. False: it has to wait again.
bool Session::take_parked() {
    if (extra_ == nullptr || !extra_->has_parked || ending_) {
        return true;
    }
    extra_->has_parked = false;
    const std::string payload = std::move(extra_->parked);
    return take_payload(payload) != Next::wait;
}

// The first payload of a connection makes it a member; and, unless it goes elsewhere by itself,
// brings it into the listener's room.
void Session::begin(bool first_payload_moves) {
    if (begun_) {
        return;
    }
    begun_ = true;
    const Dialect dialect{framing(), framing() == Framing::line ? Format::human : Format::plain};
    Hub& hub = server_->hub();
    member_ = hub.enter(*this, dialect, strangers_ ? ScriptPolicy::single : ScriptPolicy::any);
    if (!first_payload_moves) {
        hub.greet(member_);
        if (!spec_->room.empty()) {
            hub.join_default(member_, spec_->room);
        }
    }
}

void Session::on_violation(const Violation& violation) {
    Hub& hub = server_->hub();
    const Limits& limits = server_->limits();
    switch (violation.kind) {
    case ViolationKind::too_large: {
        heard_ = true;
        begin(false);
        const bool line = framing() == Framing::line;
        server_->counters().hit(line ? Limit::line_bytes_max : Limit::frame_bytes_max);
        const std::uint32_t bytes_max =
            line ? limits.wire.line_bytes_max : limits.wire.frame_bytes_max;
        const std::string text = "at most " + std::to_string(bytes_max) + " bytes; it was skipped";
        hub.reply(member_, ErrorReply{"say", ErrorCode::too_large, text});
        return;
    }
    case ViolationKind::bad_frame:
        begin(true);
        end(CloseReason::bad_frame, "a frame of 2^24 bytes or more cannot be");
        return;
    case ViolationKind::http:
        stream_.send(http_refusal);
        end(CloseReason::http, {});
        return;
    case ViolationKind::tls:
        stream_.send("! tls: roomd does not speak TLS yet; connect in the clear\n");
        end(CloseReason::tls, {});
        return;
    case ViolationKind::unknown_protocol:
        stream_.send(
            "! unknown_protocol: send lines of UTF-8 text, or frames with a 4-byte length\n");
        end(CloseReason::unknown_protocol, {});
        return;
    }
}

} // namespace roomd
