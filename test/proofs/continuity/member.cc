#include "test/proofs/continuity/member.h"

#include "reactor/sys.h"
#include "test/proofs/continuity/crowd.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>
#include <variant>

#include <sys/socket.h>

namespace roomd::continuity {

namespace {

// The daemon may send longer payloads than it accepts: escapes, fields.
constexpr DecoderLimits heard_limits{frame_bytes_ceiling, 1024 * 1024};
constexpr int small_buffer_bytes = 4096;

Ear::Manner manner_of(const Part& part, bool crashing) {
    if (part.dialect.format == Format::event) {
        return Ear::Manner::ids;
    }
    return crashing ? Ear::Manner::loose : Ear::Manner::texts;
}

/// Whether it hears what it says itself: plain does, event if it wants, human does not.
bool hears_itself(const Part& part) {
    return part.dialect.format == Format::plain ||
           (part.dialect.format == Format::event && part.echo);
}

std::string_view word_of(Format format) {
    return format == Format::event ? "event" : format == Format::human ? "human" : "plain";
}

std::string_view word_of(Duty duty) {
    constexpr std::array<std::string_view, 5> words{"auditor", "listener", "speaker", "dribbler",
                                                    "sluggard"};
    return words.at(static_cast<std::size_t>(duty));
}

bool speaks(Duty duty) {
    return duty == Duty::speaker || duty == Duty::dribbler;
}

} // namespace

Member::Member(Crowd& crowd, Part its_part)
    : part(std::move(its_part)), crowd_(&crowd), decoder_(part.dialect.framing, heard_limits) {
    const bool deaf_to_itself = speaks(part.duty) && !hears_itself(part);
    for (const std::uint32_t room : part.rooms) {
        Room& place = crowd.room(room);
        ears_.emplace_back(place, manner_of(part, crowd.options().crash),
                           deaf_to_itself ? part.number : Entry::nobody);
        if (speaks(part.duty)) {
            place.voices.try_emplace(part.number);
        }
    }
}

void Member::put(std::string& out, std::string_view payload) const {
    if (part.dialect.framing == Framing::line) {
        out.append(payload) += '\n';
        return;
    }
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
        out += static_cast<char>((payload.size() >> shift) & 0xFFU);
    }
    out += payload;
}

/// What it says first. `/hello` or `/join` is the first word, else the listener's room would be
/// entered too.
std::string Member::entrance() {
    std::string out;
    ++entrances_;
    // Who comes again may come before its old name is free.
    const std::string nick = "c" + std::to_string(part.number) +
                             (entrances_ == 1 ? "" : "-" + std::to_string(entrances_));
    const bool event = part.dialect.format == Format::event;
    if (event) {
        put(out, std::string("/hello 1") + (part.named ? " nick=" + nick : "") +
                     (part.echo ? " echo=on" : "") + (part.ack ? "" : " ack=off"));
    }
    for (Ear& ear : ears_) {
        const std::string since = ear.since();
        put(out,
            "/join " + room_name(ear.room().number) + (since.empty() ? "" : " since=" + since));
        ear.enter();
    }
    const bool usual = part.dialect.format ==
                       (part.dialect.framing == Framing::line ? Format::human : Format::plain);
    if (!event && !usual) {
        put(out, part.dialect.format == Format::human ? "/format human" : "/format plain");
    }
    if (!event && part.named) {
        put(out, "/nick " + nick);
    }
    put(out, "/ping in");
    return out;
}

void Member::open() {
    try {
        Fd fd = sys::connect_begin(crowd_->address(part.door));
        sys::tune_stream(fd.get(), {60, 10, 3, 0});
        if (part.duty == Duty::sluggard) {
            // Best effort: with a larger one it is only less of a sluggard.
            static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small_buffer_bytes,
                                           sizeof small_buffer_bytes));
        }
        stream_.reset();
        stream_.emplace(crowd_->host(), std::move(fd), *this);
    } catch (const std::system_error& error) {
        crowd_->not_connected(*this, error.code().value());
        return;
    }
    decoder_ = Decoder(part.dialect.framing, heard_limits);
    unanswered_.clear();
    histories_ = 0;
    last_words_.clear();
    state_ = State::entering;
    if (speaks(part.duty) && entrances_ > 0) { // what it said last is in doubt
        for (Ear& ear : ears_) {
            Voice& voice = ear.room().voices.at(part.number);
            if (voice.begins.back() != voice.said + 1) {
                voice.begins.push_back(voice.said + 1);
            }
        }
    }
    stream_->send(entrance());
}

void Member::entered() {
    state_ = State::present;
    tries = 0;
    crowd_->entered(*this);
}

std::string Member::next_message(std::size_t ear, std::uint64_t now_us, bool timely) {
    const std::uint32_t room = ears_[ear].room().number;
    const std::uint32_t number = ++ears_[ear].room().voices.at(part.number).said;
    std::string text;
    // Where there is only one room it is the current one, and needs not be named each time.
    if (ears_.size() > 1 || number % 2 == 0) {
        text = "/say " + room_name(room) + " ";
    }
    write_text(text, {room, part.number, number, now_us, timely});
    if (part.dialect.format == Format::event && part.ack) {
        unanswered_.push_back({ear, number});
    }
    std::string out;
    put(out, text);
    return out;
}

void Member::ask_history() {
    std::string out;
    for (const std::string_view last : {" last=1000", " last=50"}) {
        put(out, "/history " + room_name(ears_.front().room().number) + std::string(last));
        ++histories_;
    }
    stream_->send(out);
}

Verdict Member::finish() {
    if (away()) {
        return {}; // told when it was lost
    }
    for (Ear& ear : ears_) {
        if (Verdict wrong = ear.finish(); wrong) {
            return wrong;
        }
    }
    if (!unanswered_.empty()) {
        const Said& said = unanswered_.front();
        return Fault{FaultKind::unacknowledged, "message " + std::to_string(said.number) + " in " +
                                                    room_name(ears_[said.ear].room().number) +
                                                    " was never acknowledged"};
    }
    if (histories_ != 0) {
        return Fault{FaultKind::hole, "a history that it asked for never came"};
    }
    return {};
}

std::string Member::describe() const {
    return "connection " + std::to_string(part.number) + " (" +
           (part.dialect.framing == Framing::line ? "line" : "frame") + ", " +
           std::string(word_of(part.dialect.format)) + ", " + crowd_->door_name(part.door) + ", " +
           std::string(word_of(part.duty)) + ")";
}

void Member::on_input(Stream& stream) {
    heard_at_ = sys::monotonic_now();
    const std::string_view bytes = stream.input().readable();
    std::size_t taken = 0;
    while (stream.open()) {
        const Step step = decoder_.next(bytes.substr(taken));
        if (const auto* const payload = std::get_if<Payload>(&step); payload != nullptr) {
            taken += payload->consumed;
            hear(payload->text);
        } else if (const auto* const skipped = std::get_if<Skipped>(&step); skipped != nullptr) {
            taken += skipped->consumed;
        } else {
            if (std::holds_alternative<Violation>(step)) {
                fault(FaultKind::foreign,
                      "bytes that are no payload: " + quoted(bytes.substr(taken)));
                stream.close_now();
                return;
            }
            break;
        }
    }
    if (stream.open()) {
        stream.input().consume(taken);
    }
}

void Member::on_end_of_input(Stream& stream) {
    if (stream.input().size() > 0) {
        last_words_ = "half a payload, " + quoted(stream.input().readable());
    }
    stream.close_now(StreamEnd::finished);
}

void Member::write_notice(Stream& /*stream*/, const std::vector<Lost>& /*lost*/,
                          std::string& /*out*/) {}

void Member::on_flushed(Stream& /*stream*/) {}

void Member::on_closed(Stream& /*stream*/, StreamEnd end) {
    const bool was_present = std::exchange(state_, State::away) == State::present;
    crowd_->left(*this, was_present,
                 (end == StreamEnd::finished ? "ended" : "reset") +
                     (last_words_.empty() ? "" : " after " + last_words_));
}

} // namespace roomd::continuity
