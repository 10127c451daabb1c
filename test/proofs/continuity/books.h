// Books — what was said in each room, as its members' ids tell it; what everybody hears is held
// against it.
//
// One Room for each room of the run, with Minutes for each of its epochs (a daemon that crashed
// begins new ones). Who hears ids writes the minutes: each id once, and everybody who hears it
// later must hear the same. A speaker's numbers must follow each other in them. Knows no sockets
// and no time.
//
// Invariants: an id never changes its meaning; every speaker's numbers rise by one, but for the
// numbers at which it began anew because its connection was lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace roomd::continuity {

enum class FaultKind : std::uint8_t {
    lost,       // a connection that should have lasted
    refused,    // a connect that nobody took
    unanswered, // a connect that was taken and never answered, or broken
    hole,
    repeat,
    disorder,       // two hear different things in one place
    unacknowledged, // said, and never or wrongly acknowledged
    gap,            // a loss, honestly told, where nothing may be lost
    identity,       // somebody is not who they were: another name, or said to have left
    foreign,        // what nobody has said, or what should not be told
    pause,          // longer than promised
    command         // the restart itself failed
};

inline constexpr std::size_t fault_kinds = 12;
[[nodiscard]] const char* word(FaultKind kind);

struct Fault {
    FaultKind kind;
    std::string text;
};

using Verdict = std::optional<Fault>; // nothing: all is well

struct Entry {
    static constexpr std::uint32_t nobody = UINT32_MAX;
    std::uint32_t speaker = nobody;
    std::uint32_t number = 0;
    friend bool operator==(const Entry&, const Entry&) = default;
};

[[nodiscard]] std::string to_string(const Entry& entry);

/// One speaker in one room.
struct Voice {
    std::uint32_t said = 0;
    std::vector<std::uint32_t> begins = {1}; // numbers at which it began, or began anew
    std::string nick;                        // as members hear it; empty: not heard yet

    [[nodiscard]] bool may_follow(std::uint32_t before, std::uint32_t number) const;
};

using Voices = std::unordered_map<std::uint32_t, Voice>;

class Minutes {
public:
    Minutes(std::string its_epoch, std::uint64_t its_first)
        : epoch(std::move(its_epoch)), first_(its_first), checked_(its_first) {}

    /// Somebody hears that `id` is this. O(1).
    [[nodiscard]] Verdict note(std::uint64_t id, const Entry& entry, const Voices& voices);

    /// `nobody` speaks where nothing is known. O(1).
    [[nodiscard]] Entry at(std::uint64_t id) const;

    /// Every id before it is known.
    [[nodiscard]] std::uint64_t checked() const { return checked_; }

    /// Behind the last id that is known.
    [[nodiscard]] std::uint64_t end() const { return first_ + entries_.size(); }

    [[nodiscard]] std::uint64_t first() const { return first_; }

    /// The last number that `speaker` has said; 0: none.
    [[nodiscard]] std::uint32_t last_of(std::uint32_t speaker) const;

    std::string epoch;

private:
    std::uint64_t first_;
    std::uint64_t checked_; // so far the speakers' numbers are in order
    std::vector<Entry> entries_;
    std::unordered_map<std::uint32_t, std::uint32_t> last_;
};

struct Room {
    std::uint32_t number = 0;
    std::vector<Minutes> minutes; // the last one is now
    Voices voices;

    /// The minutes of this epoch, begun if there are none. An index, as minutes may move.
    [[nodiscard]] std::size_t epoch(const std::string& name, std::uint64_t first);

    /// `speaker` is heard under this name.
    [[nodiscard]] Verdict known_as(std::uint32_t speaker, std::string_view nick);

    /// At the end of a run in which nothing may be lost: everything that was said is in them.
    [[nodiscard]] Verdict complete() const;
};

} // namespace roomd::continuity
