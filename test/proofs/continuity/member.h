// Member — one connection that lasts: enters its rooms, says what it is told to say, and holds what
// it hears against the books.
//
// Owned by the Crowd, at one address. Knows one framing and one format. In a run in which the
// daemon may crash it comes back after a while and resumes where it was.
//
//   away ──open()──▶ entering ──"ping in" answered──▶ present ──connection lost──▶ away
//
// Invariant: what it says is acknowledged in the order in which it was said, if its format
// acknowledges at all.
#pragma once

#include "protocol/decoder.h"
#include "protocol/event.h"
#include "reactor/stream.h"
#include "test/proofs/continuity/ear.h"
#include "test/proofs/continuity/text.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::continuity {

enum class Duty : std::uint8_t {
    auditor,  // hears ids and does nothing else; one in each room
    listener, // hears
    speaker,  // speaks when its turn comes
    dribbler, // speaks in pieces, with pauses between
    sluggard  // stops reading for a while, again and again
};

struct Part {
    std::uint32_t number = 0;
    Dialect dialect{};
    std::uint32_t door = 0; // which of the endpoints
    Duty duty = Duty::listener;
    bool named = false;
    bool echo = false; // event format: hears itself
    bool ack = true;   // event format
    std::vector<std::uint32_t> rooms;
};

class Crowd;

class Member final : public StreamOwner {
public:
    Member(Crowd& crowd, Part its_part);

    /// Connects. Only while away.
    void open();

    /// Says its next message in its `ear`-th room. The bytes, framed.
    [[nodiscard]] std::string next_message(std::size_t ear, std::uint64_t now_us, bool timely);

    /// Only while present.
    void send(std::string_view bytes) { stream_->send(bytes); }

    /// Asks for what was said before, so much that not all of it fits on the way to a reader that
    /// does not read. Event format only.
    void ask_history();

    [[nodiscard]] bool awaits_history() const { return histories_ > 0; }

    [[nodiscard]] bool present() const { return state_ == State::present; }

    [[nodiscard]] bool away() const { return state_ == State::away; }

    /// Only while not away.
    [[nodiscard]] Stream& stream() { return *stream_; }

    [[nodiscard]] std::size_t ears() const { return ears_.size(); }

    [[nodiscard]] std::uint64_t unacknowledged() const { return unanswered_.size(); }

    /// Nothing was said that it has not heard, and nothing it said is without an answer.
    [[nodiscard]] Verdict finish();

    /// Number, format, framing, door and duty, for a report.
    [[nodiscard]] std::string describe() const;

    void on_input(Stream& stream) override;
    void on_end_of_input(Stream& stream) override;
    void write_notice(Stream& stream, const std::vector<Lost>& lost, std::string& out) override;
    void on_flushed(Stream& stream) override;
    void on_closed(Stream& stream, StreamEnd end) override;

    const Part part; // NOLINT(misc-non-private-member-variables-in-classes): a constant

    // The crowd's own notes about it.
    std::uint32_t window = 0;   // the restart that worst_us belongs to
    std::uint64_t worst_us = 0; // the longest that a message took to reach it
    TimePoint next_try{};       // away: when it tries to come back
    unsigned tries = 0;         // in vain, one behind the other

private:
    enum class State : std::uint8_t { away, entering, present };

    struct Said {
        std::size_t ear;
        std::uint32_t number;
    };

    void put(std::string& out, std::string_view payload) const;
    [[nodiscard]] std::string entrance();
    void entered();
    void hear(std::string_view payload);
    void hear_event(std::string_view payload);
    void hear_message(const ParsedEvent& event, bool old);
    void hear_reply(const ParsedEvent& event, std::string_view payload);
    void hear_gap(const ParsedEvent& event);
    void hear_acknowledgement(const ParsedEvent& event);
    void hear_human(std::string_view payload);
    void hear_text(std::string_view text, std::string_view room, std::string_view nick);
    void judge(Verdict verdict);
    void fault(FaultKind kind, std::string text);
    [[nodiscard]] Ear* ear_in(std::string_view room);

    Crowd* crowd_;
    std::optional<Stream> stream_;
    Decoder decoder_;
    std::vector<Ear> ears_;
    std::deque<Said> unanswered_;
    std::uint32_t histories_ = 0; // asked for and not shown yet
    std::uint32_t entrances_ = 0;
    TimePoint heard_at_{};
    std::string last_words_; // bye, or an error
    State state_ = State::away;
};

} // namespace roomd::continuity
