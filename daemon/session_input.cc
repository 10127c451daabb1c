#include "daemon/server.h"
#include "daemon/session.h"
#include "daemon/source_hash.h"
#include "daemon/work.h"
#include "protocol/text.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

// From bytes to commands: what a session hears from its peer.
namespace roomd {

namespace {

constexpr std::string_view http_refusal = "HTTP/1.1 400 Bad Request\r\n"
                                          "Content-Type: text/plain\r\n"
                                          "Content-Length: 32\r\n"
                                          "Connection: close\r\n"
                                          "\r\n"
                                          "roomd does not speak HTTP here.\n";

// One look at the input: a decoder is asked, text checked, a command parsed.
constexpr std::uint64_t step_units = 40;

std::variant<Command, BadCommand> command_of(std::string_view text, bool valid) {
    if (!valid) {
        return BadCommand{"say", ErrorCode::bad_utf8, "not valid UTF-8"};
    }
    return parse_command(text);
}

bool moves(const std::variant<Command, BadCommand>& parsed) {
    const Command* const command = std::get_if<Command>(&parsed);
    return command != nullptr &&
           (std::holds_alternative<Hello>(*command) || std::holds_alternative<Join>(*command));
}

} // namespace

void Session::on_input(Stream& stream) {
    server_->tell_time();
    if (const std::size_t bytes = server_->host().bytes_just_read; bytes > 0) {
        server_->scheduler().spend(share_, work::read(bytes));
    }
    if (decoder_.framing() == Framing::echo) {
        echo();
        return;
    }
    if (patience_ != nullptr && stream.input().size() > unparsed_) {
        patience_->fed = true;
    }
    if (server_->tracer().on()) {
        const std::size_t size = stream.input().size();
        const std::size_t waiting = std::min<std::size_t>(unparsed_, size);
        server_->tracer().arrived(key_.slot, member_, size - waiting, waiting);
    }
    if (extra_ != nullptr && extra_->parked) {
        take_parked();
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
    while (!ending_) {
        hold_ = next_hold();
        if (hold_ != Hold::none) {
            hold_for(hold_);
            return Next::held;
        }
        const std::string_view bytes = stream_.input().readable();
        Step step = decoder_.next(bytes);
        if (std::holds_alternative<NeedMore>(step) && stream_.input_ended()) {
            step = decoder_.finish(bytes);
        }
        const Next next = take_step(step);
        charge(step_units);
        if (next != Next::go_on) {
            return next;
        }
    }
    return Next::held;
}

// Whether another payload may be looked at now.
Hold Session::next_hold() {
    if (stream_.reading_paused()) {
        return hold_ == Hold::none ? Hold::own_replies : hold_;
    }
    if (stream_.output().own_bytes() > server_->reply_bytes_max()) {
        return Hold::own_replies;
    }
    if (server_->hub().replaying(member_)) {
        return Hold::replay;
    }
    if (limited_ && held_by_meter()) {
        return Hold::meter;
    }
    return server_->scheduler().admits(share_, server_->tick()) ? Hold::none : Hold::turn;
}

// Sees to it that the input is looked at again when the reason has passed.
void Session::hold_for(Hold hold) {
    switch (hold) {
    case Hold::none:
        return;
    case Hold::own_replies:
        server_->counters().hit(Limit::reply_bytes_max);
        stream_.pause_reading(); // until it has read its answers: on_flushed
        return;
    case Hold::replay:
    case Hold::room:
        stream_.pause_reading(); // until on_flushed, or resume
        return;
    case Hold::meter:
        stream_.hold_input(); // until go_on_after_hold
        return;
    case Hold::turn:
        stream_.hold_input();
        server_->scheduler().wait_turn(key_, share_);
        return;
    case Hold::throttle:
        if (server_->hub().bytes_said() > server_->limits().said_bytes_per_tick_max) {
            server_->counters().hit(Limit::said_bytes_per_tick_max);
        }
        stream_.hold_input();
        server_->scheduler().wait_to_speak(key_, share_);
        return;
    }
}

// What the session has just done is its own to pay for.
void Session::charge(std::uint64_t units) {
    server_->scheduler().spend(share_, units + server_->hub().take_work());
}

void Session::run_turn() {
    if (server_->hub().replaying(member_)) {
        continue_answer();
    } else {
        stream_.on_ready(Ready::readable);
    }
}

// An answer that comes in portions: the next one, and what it costs.
void Session::continue_answer() {
    Hub& hub = server_->hub();
    const bool more = hub.continue_replay(member_, server_->reply_bytes_max());
    charge(step_units);
    if (more) {
        return; // when the reader has taken this one: on_flushed
    }
    if (stream_.reading_paused() && hold_ != Hold::room) {
        go_on();
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
    hold_ = next_hold();
    if (hold_ != Hold::none) {
        hold_for(hold_);
        return;
    }
    RingBuffer& input = stream_.input();
    const std::string_view bytes = input.readable();
    stream_.send(bytes);
    charge(step_units + bytes.size() / 16);
    input.consume(bytes.size());
    if (stream_.output().own_bytes() > server_->reply_bytes_max()) {
        server_->counters().hit(Limit::reply_bytes_max);
        stream_.pause_reading();
    }
}

Session::Next Session::take_step(const Step& step) {
    if (const Payload* const payload = std::get_if<Payload>(&step); payload != nullptr) {
        return take_payload(*payload);
    }
    if (const Skipped* const skipped = std::get_if<Skipped>(&step); skipped != nullptr) {
        stream_.input().consume(skipped->consumed);
        if (skipped->consumed <= frame_header_bytes) { // an empty line or frame
            charge_for_gone();
        }
        return Next::go_on;
    }
    if (const Violation* const violation = std::get_if<Violation>(&step); violation != nullptr) {
        stream_.input().consume(violation->consumed);
        on_violation(*violation);
        return Next::go_on;
    }
    if (const Cut* const cut = std::get_if<Cut>(&step); cut != nullptr) {
        stream_.input().cut(cut->at, cut->size);
        answer_telnet(*cut);
        return Next::go_on;
    }
    if (stream_.input_ended()) {
        end(CloseReason::end, {});
    }
    return Next::done;
}

// It is an own answer like every other: a client that does not read them is not heard any more. A
// program that reads events is told nothing in words, which would be no event.
void Session::answer_telnet(const Cut& cut) {
    stream_.send(cut.answer());
    const Member* const member = server_->hub().member(member_);
    if (cut.are_you_there && (member == nullptr || member->dialect.format == Format::human)) {
        stream_.send("* roomd is here\n");
    }
}

// Consumes the payload unless it has to wait.
Session::Next Session::take_payload(const Payload& payload) {
    // While more is said than can be sent on, what others would hear waits; what they would not is
    // answered all the same.
    if (!is_aside(payload.text) && !server_->may_say(share_)) {
        hold_ = Hold::throttle;
        hold_for(hold_);
        return Next::held;
    }
    const TextCheck check = check_text(payload.text);
    const std::variant<Command, BadCommand> parsed = command_of(payload.text, check.valid);
    begin(moves(parsed));
    const Command* const command = std::get_if<Command>(&parsed);
    if (command != nullptr && server_->hub().must_wait(member_, *command)) {
        hold_ = Hold::room;
        hold_for(hold_);
        return Next::held;
    }
    const Meter::Verdict verdict = limited_ ? meter(command) : Meter::Verdict{};
    if (verdict.answer == Meter::Answer::later) {
        hold_ = Hold::meter;
        hold_input(verdict.wait);
        return Next::held;
    }
    count_payload(payload);
    Next next = Next::go_on;
    if (command == nullptr || verdict.answer == Meter::Answer::refuse) {
        const BadCommand refusal =
            verdict.answer == Meter::Answer::allowed
                ? std::get<BadCommand>(parsed)
                : BadCommand{command != nullptr ? verb_of(*command)
                                                : std::get<BadCommand>(parsed).verb,
                             ErrorCode::rate_limited, "not so fast"};
        refuse(refusal.verb, refusal.code, refusal.why);
    } else {
        next = run(*command, check.harmless);
    }
    if (!stream_.closed()) {
        stream_.input().consume(payload.consumed);
    }
    return next;
}

void Session::count_payload(const Payload& payload) {
    heard_ = true;
    if (server_->tracer().on()) {
        const std::string_view raw = stream_.input().readable().substr(0, payload.consumed);
        server_->tracer().received(key_.slot, member_, framing(), raw);
    }
    if (patience_ != nullptr) {
        patience_->partial_since = {};
        patience_->partial_ms = 0;
        patience_->flush_at = {};
    }
    ++server_->counters().payloads;
}

void Session::resume() {
    if (!ending_) {
        go_on(); // next tick, when nothing else is going on in the hub
    }
}

// Reading again. The input is looked at even if there is none: if the stream has ended no event
// would ever lead here again.
void Session::go_on() {
    hold_ = Hold::none;
    stream_.resume_reading();
    stream_.requeue_input();
}

// A version before this one has set a payload aside for a room of policy `wait`. It goes first, and
// does not wait again: one message a session, once.
void Session::take_parked() {
    if (ending_) {
        return;
    }
    const std::string payload = *std::exchange(extra_->parked, std::nullopt);
    const std::variant<Command, BadCommand> parsed = parse_command(payload);
    if (const Command* const command = std::get_if<Command>(&parsed); command != nullptr) {
        static_cast<void>(run(*command, check_text(payload).harmless));
    }
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
    member_ = hub.enter(*this, dialect, strangers_ ? ScriptPolicy::single : ScriptPolicy::any,
                        limited_ ? owner_of(extra_->source) : 0);
    if (!first_payload_moves) {
        hub.greet(member_);
        if (!spec_->room.empty()) {
            hub.join_default(member_, spec_->room);
        }
    }
}

void Session::on_violation(const Violation& violation) {
    const Limits& limits = server_->limits();
    switch (violation.kind) {
    case ViolationKind::too_large: {
        heard_ = true;
        begin(false);
        charge_for_gone();
        const bool line = framing() == Framing::line;
        server_->counters().hit(line ? Limit::line_bytes_max : Limit::frame_bytes_max);
        const std::uint32_t bytes_max =
            line ? limits.wire.line_bytes_max : limits.wire.frame_bytes_max;
        const std::string text = "at most " + std::to_string(bytes_max) + " bytes; it was skipped";
        refuse("say", ErrorCode::too_large, text);
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
    case ViolationKind::proxy:
        stream_.send("! unknown_protocol: a PROXY header is not expected here; take send-proxy out "
                     "of the proxy's configuration\n");
        end(CloseReason::unknown_protocol, {});
        return;
    case ViolationKind::unknown_protocol:
        stream_.send(
            "! unknown_protocol: send lines of UTF-8 text, or frames with a 4-byte length\n");
        end(CloseReason::unknown_protocol, {});
        return;
    }
}

} // namespace roomd
