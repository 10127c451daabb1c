// Transcript — what a room says, held against what each of its members hears.
//
// All members of a room hear the same messages in the same order, so they hear the same bytes. Who
// is ahead of the others has its bytes taken apart, message by message, each of which must be the
// next of its publisher; what the others hear is compared with that, at the speed of memcmp. So
// every message is checked at every member, exactly once and in order, for less than a nanosecond a
// byte.
//
// Owned by the run, one for each room; knows no sockets. What every member has heard is forgotten.
//
// Invariants: begin <= every member's position <= end, and each of them is where a message ends.
#pragma once

#include "bench/wire.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd::bench {

/// What a message says about itself: who published it, and its number, from 0.
struct Stamp {
    std::uint32_t publisher;
    std::uint64_t number;
};

/// Bytes that a stamp takes; a message's text has at least so many.
inline constexpr std::size_t stamp_bytes = 24;

/// Writes a text of `size` bytes that begins with the stamp.
void write_text(std::string& out, Stamp stamp, std::size_t size);
/// False: this is no text of ours.
[[nodiscard]] bool read_text(std::string_view text, Stamp& stamp);

class Transcript {
public:
    struct Message {
        std::uint64_t end; // position behind its last byte
        Stamp stamp;
    };

    explicit Transcript(const Wire& wire) : wire_(&wire) {}

    /// A publisher of this room begins to count at 0. Returns its index here.
    std::uint32_t add_publisher(std::uint32_t number);

    /// What a member at `position` has heard next. Takes whole units, advances `position` by those
    /// that are messages, returns how many bytes were taken. `answer`: to be sent back. If what
    /// is heard is not what was said, failure() says so from then on.
    std::size_t hear(std::string_view bytes, std::uint64_t& position, std::string_view& answer);

    /// All members have heard everything up to `position`: tells each message to `heard(Message)`
    /// once, in order, and forgets them. Amortised O(1) a message.
    template <typename Heard>
    void settle(std::uint64_t position, Heard heard) {
        while (settled_ < messages_.size() && messages_[settled_].end <= position) {
            heard(messages_[settled_++]);
        }
        forget(position);
    }

    /// Messages that end within (from, to], oldest first. Valid until the next call.
    [[nodiscard]] std::pair<const Message*, const Message*> between(std::uint64_t from,
                                                                    std::uint64_t to) const;

    /// How many messages end at or before `position`, since the beginning.
    [[nodiscard]] std::uint64_t count(std::uint64_t position) const;

    [[nodiscard]] std::uint64_t end() const { return begin_ + bytes_.size(); }

    [[nodiscard]] const std::string& failure() const { return failure_; }

private:
    struct Publisher {
        std::uint32_t number;
        std::uint64_t next;
    };

    [[nodiscard]] std::size_t compare(std::string_view bytes, std::uint64_t& position,
                                      std::string_view& answer);
    [[nodiscard]] std::size_t extend(std::string_view bytes, std::string_view& answer);
    [[nodiscard]] bool take(const Heard& heard, std::string_view unit);
    [[nodiscard]] bool known(std::string_view bytes, std::uint64_t position) const;
    [[nodiscard]] std::uint64_t border_before(std::uint64_t position) const;
    void forget(std::uint64_t position);
    void fail(std::string why);

    const Wire* wire_;
    std::vector<Publisher> publishers_;
    std::string bytes_;
    std::uint64_t begin_ = 0; // position of bytes_[0]
    std::vector<Message> messages_;
    std::uint64_t forgotten_ = 0; // messages before messages_[0]
    std::size_t settled_ = 0;
    std::string failure_;
};

} // namespace roomd::bench
