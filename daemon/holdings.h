// Holdings — who holds how much of what all share: rooms, and bytes of history.
//
// Owned by the Hub, told of every room that is made, forgotten, emptied or entered and of every
// change of its history's size. Answers one question: whose is the next to go when a shared limit
// is met? The owner that holds most pays, with its oldest empty room or its largest history; a tie
// goes to the lowest number, so a seed replays it. Knows rooms by key and owners by number; frees
// nothing itself. Every call is O(log n); a message that needs no new block of history makes none.
//
// Invariants (check()): sums are the sums of their rooms; a room that is kept is never offered as
// an empty one.
#pragma once

#include "reactor/slot_map.h"

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace roomd {

class Holdings {
public:
    /// An owner's number: a source, or a member where there is none.
    using Owner = std::uint64_t;

    /// `kept`: it stays when it is empty. It counts for itself and not for its maker.
    void made(Key room, Owner owner, bool kept);
    void forgot(Key room);

    /// It has emptied just now.
    void emptied(Key room);
    void entered(Key room);
    void set_history(Key room, std::uint64_t bytes);

    /// The oldest empty room of the owner that holds most rooms.
    [[nodiscard]] std::optional<Key> room_to_forget() const;
    /// The largest history of the owner whose histories are largest.
    [[nodiscard]] std::optional<Key> history_to_cut() const;

    [[nodiscard]] bool is_kept(Key room) const { return rooms_[room.slot].kept; }

    [[nodiscard]] Owner owner_of(Key room) const { return rooms_[room.slot].owner; }

    void check() const;

private:
    struct Held {
        Key key;
        Owner owner = 0;
        std::uint64_t history = 0;
        std::uint64_t emptied = 0; // the how-manieth to be empty; 0: it is not, or stays
        bool kept = false;
    };

    struct Share {
        std::uint64_t rooms = 0;
        std::uint64_t history = 0;
        std::set<std::pair<std::uint64_t, std::uint32_t>> empty;     // since, slot
        std::set<std::pair<std::uint64_t, std::uint32_t>> histories; // bytes, slot
    };

    /// The largest first, then the lowest number: begin() is who pays.
    struct MostFirst {
        bool operator()(const std::pair<std::uint64_t, Owner>& one,
                        const std::pair<std::uint64_t, Owner>& other) const {
            return one.first != other.first ? one.first > other.first : one.second < other.second;
        }
    };

    using Order = std::set<std::pair<std::uint64_t, Owner>, MostFirst>;

    std::vector<Held> rooms_; // by slot
    std::unordered_map<Owner, Share> shares_;
    Order with_empty_; // (rooms held, owner) of those that have an empty one
    Order with_history_;
    std::uint64_t emptied_ = 0;
};

} // namespace roomd
