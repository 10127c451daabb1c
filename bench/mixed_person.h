// Person — one of the people of a mixed load: what it has asked, where it is, and whether what it
// hears is what it must hear.
//
// In each of its stays in a room, from the `next` of its `ok join` to its `ok leave`, every id
// comes exactly once and in order: as a `msg`, or, its own, as an `ok say`. Whatever else comes is
// a failure that names person, room and id. Knows frames, not sockets; owned by the load, at one
// address for its life.
//
// Invariants: replies are expected in the order of the commands; rooms() is where it will be once
// all of them are answered.
#pragma once

#include "bench/mixed_minutes.h"
#include "protocol/event.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::bench {

class Person {
public:
    /// `rooms`: of the load, by number. `text_bytes`: of every text that is said.
    Person(std::uint32_t number, std::span<Minutes> rooms, std::size_t text_bytes);

    // What it does. Each appends one command, framed, and remembers what is to come of it.
    void join(std::string& out, std::uint32_t room);
    void leave(std::string& out, std::uint32_t room);
    void say(std::string& out, std::uint32_t room, std::uint64_t message);
    void whisper(std::string& out, Person& to, std::uint64_t message);
    void rename(std::string& out);
    void ping(std::string& out);

    struct News {
        enum class Kind : std::uint8_t { nothing, message, whisper, said, answered };
        Kind kind = Kind::nothing;
        Stamp stamp{}; // of a message
    };

    /// Takes one payload.
    [[nodiscard]] News hear(std::string_view payload);

    /// Why it is not as it must be: whole sentence; empty if it is.
    [[nodiscard]] const std::string& failure() const { return failure_; }

    /// What it should have heard by now and has not, when all commands of everybody are answered.
    /// As failure().
    [[nodiscard]] std::string lacks() const;

    [[nodiscard]] std::uint32_t number() const { return number_; }

    [[nodiscard]] const std::vector<std::uint32_t>& rooms() const { return rooms_wanted_; }

    /// Nothing that was said to it is under way, so nothing can miss it.
    [[nodiscard]] bool may_rename() const { return addressed_ == 0; }

    /// Its name is what others think.
    [[nodiscard]] bool may_be_addressed() const { return renaming_ == 0; }

private:
    enum class Verb : std::uint8_t { join, leave, say, msg, nick, ping };

    struct Asked {
        Verb verb;
        std::uint32_t room = 0;
        std::uint64_t message = 0; // nick: its number
        std::uint64_t last = 0;    // join, leave: what had been said in the room, as far as known
        std::uint64_t epochs = 0;
        Person* to = nullptr; // msg
    };

    struct Stay {
        std::uint32_t room;
        std::uint64_t next;
    };

    [[nodiscard]] News hear_message(const ParsedEvent& event);
    [[nodiscard]] News hear_whisper(const ParsedEvent& event);
    [[nodiscard]] News hear_reply(const ParsedEvent& event, std::string_view payload);
    void hear_joined(const Asked& asked, const ParsedEvent& event);
    void hear_left(const Asked& asked);
    void hear_said(const Asked& asked, const ParsedEvent& event);
    [[nodiscard]] bool is_reply_to(const Asked& asked, const ParsedEvent& event) const;
    [[nodiscard]] Stay* stay_in(std::string_view room);
    [[nodiscard]] bool advance(Stay& stay, std::uint64_t id);
    [[nodiscard]] std::string our_text(std::string_view text, Stamp& stamp) const;
    [[nodiscard]] std::string name_after(std::uint64_t names) const;

    [[nodiscard]] std::string nick() const { return name_after(names_); }

    void ask(std::string& out, std::string_view command, const Asked& asked);
    [[nodiscard]] std::string sentence(const std::string& what) const;
    void fail(const std::string& what);

    std::uint32_t number_;
    std::span<Minutes> rooms_;
    std::size_t text_bytes_;
    std::uint64_t names_ = 0;                 // how many it has taken, beside its first
    std::vector<std::uint32_t> rooms_wanted_; // where it is once all is answered
    std::vector<Stay> stays_;                 // where it is, as far as it has been told
    std::deque<Asked> asked_;
    std::vector<Stamp> awaited_; // private messages on their way to it
    std::uint32_t addressed_ = 0;
    std::uint32_t renaming_ = 0;
    std::string failure_;
};

/// The name that a person has at first.
[[nodiscard]] std::string first_nick(std::uint32_t number);

} // namespace roomd::bench
