// Ledger — what was said in the simulated world, by whom, and under which id: the oracle's memory.
//
// Every text a client says carries a token, `~N~`, so whoever hears it can look up what it should
// have been. Where in a room's order it stands is learned from whoever is told first (an `ok say`,
// an event-format member), and all others must agree. Fails the world on a lie; never corrects
// anything. One per run, lent to the clients.
#pragma once

#include "test/sim/world.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::sim {

inline constexpr std::uint32_t nobody = UINT32_MAX;

struct Place {
    std::string room;
    std::string epoch;
    std::uint64_t id = 0; // 0: not known
};

struct Saying {
    std::uint32_t author = nobody; // nobody: a datagram, or a vandal
    std::size_t connection = 0;
    std::string room; // empty: the author's current room, whichever that is
    std::string text;
    std::string nick; // as first heard; empty: not heard yet
    bool action = false;
    bool to_one = false;
    bool forbidden = false; // must never be heard: it came where no command may run
    Place place;
};

/// The text as line framing has to show it.
[[nodiscard]] std::string made_visible(std::string_view text);

class Ledger {
public:
    explicit Ledger(World& world) : world_(&world) {}

    /// Completes `saying.text` with its token in front, and keeps it. Returns the token.
    std::uint32_t add(Saying saying);

    [[nodiscard]] const Saying& at(std::uint32_t token) const { return sayings_[token]; }

    [[nodiscard]] std::size_t size() const { return sayings_.size(); }

    /// Somewhere in `text` stands a token: `nobody` if not, or if it was never given out.
    [[nodiscard]] std::uint32_t find(std::string_view text) const;

    /// `text` was heard by `who` as somebody's words. Returns its token, `nobody` after a failure.
    std::uint32_t heard(const std::string& who, std::string_view text, std::string_view nick,
                        bool visible, bool action);
    /// A member of `place.room` was told that `token` stands at `place`.
    void placed(const std::string& who, std::uint32_t token, const Place& place);
    /// The token at a place, `nobody` if no one has told.
    [[nodiscard]] std::uint32_t token_at(const std::string& room, const std::string& epoch,
                                         std::uint64_t id) const;
    /// A guest left a room by itself when `next` was next: as it was told, and as others saw it.
    void left(const std::string& room, const std::string& epoch, const std::string& nick,
              std::uint64_t next);
    void saw_leave(const std::string& room, const std::string& epoch, const std::string& nick,
                   std::uint64_t next);

    /// Nobody knows any more how often this guest left.
    void distrust(const std::string& nick) { distrusted_.insert(nick); }

    /// Who left has heard just what had been said by then.
    void check_leaves();
    [[nodiscard]] std::uint64_t last_id(const std::string& room, const std::string& epoch) const;

private:
    using Sequence = std::vector<std::uint32_t>; // index: id

    struct Departure {
        std::set<std::uint64_t> told;
        std::set<std::uint64_t> seen;
    };

    [[nodiscard]] Departure& departure(const std::string& room, const std::string& epoch,
                                       const std::string& nick);

    std::map<std::string, Departure> departures_; // by room, epoch and nick
    std::set<std::string> distrusted_;
    World* world_;
    std::vector<Saying> sayings_;
    std::map<std::pair<std::string, std::string>, Sequence> rooms_;
};

} // namespace roomd::sim
