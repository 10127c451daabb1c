#include "daemon/holdings.h"

#include <cassert>

namespace roomd {

namespace {
// A room that is kept counts for itself: no two of them share, and no source has such a number.
constexpr Holdings::Owner kept_bit = Holdings::Owner{1} << 63U;
} // namespace

void Holdings::made(Key room, Owner owner, bool kept) {
    if (room.slot >= rooms_.size()) {
        rooms_.resize(room.slot + std::size_t{1});
    }
    owner = kept ? kept_bit | room.slot : owner & ~kept_bit;
    rooms_[room.slot] = {room, owner, 0, 0, kept};
    Share& share = shares_[owner];
    if (!share.empty.empty()) {
        with_empty_.erase({share.rooms, owner});
        with_empty_.insert({share.rooms + 1, owner});
    }
    ++share.rooms;
}

void Holdings::forgot(Key room) {
    entered(room);
    set_history(room, 0);
    const Owner owner = rooms_[room.slot].owner;
    rooms_[room.slot] = {};
    const auto found = shares_.find(owner);
    Share& share = found->second;
    if (!share.empty.empty()) {
        with_empty_.erase({share.rooms, owner});
        with_empty_.insert({share.rooms - 1, owner});
    }
    if (--share.rooms == 0) {
        shares_.erase(found);
    }
}

void Holdings::emptied(Key room) {
    entered(room);
    Held& held = rooms_[room.slot];
    if (held.kept) {
        return;
    }
    Share& share = shares_.at(held.owner);
    held.emptied = ++emptied_;
    share.empty.insert({held.emptied, room.slot});
    with_empty_.insert({share.rooms, held.owner});
}

void Holdings::entered(Key room) {
    Held& held = rooms_[room.slot];
    if (held.emptied == 0) {
        return;
    }
    Share& share = shares_.at(held.owner);
    share.empty.erase({std::exchange(held.emptied, 0), room.slot});
    if (share.empty.empty()) {
        with_empty_.erase({share.rooms, held.owner});
    }
}

void Holdings::set_history(Key room, std::uint64_t bytes) {
    Held& held = rooms_[room.slot];
    if (held.history == bytes) {
        return;
    }
    Share& share = shares_.at(held.owner);
    with_history_.erase({share.history, held.owner});
    share.histories.erase({held.history, room.slot});
    share.history = share.history - held.history + bytes;
    held.history = bytes;
    if (bytes > 0) {
        share.histories.insert({bytes, room.slot});
    }
    if (share.history > 0) {
        with_history_.insert({share.history, held.owner});
    }
}

std::optional<Key> Holdings::room_to_forget() const {
    if (with_empty_.empty()) {
        return std::nullopt;
    }
    const Share& share = shares_.at(with_empty_.begin()->second);
    return rooms_[share.empty.begin()->second].key;
}

std::optional<Key> Holdings::history_to_cut() const {
    if (with_history_.empty()) {
        return std::nullopt;
    }
    const Share& share = shares_.at(with_history_.begin()->second);
    return rooms_[share.histories.rbegin()->second].key;
}

void Holdings::check() const {
    std::unordered_map<Owner, std::pair<std::uint64_t, std::uint64_t>> sums;
    std::size_t empty = 0;
    for (const Held& held : rooms_) {
        if (held.key) {
            ++sums[held.owner].first;
            sums[held.owner].second += held.history;
            empty += held.emptied != 0 ? 1U : 0U;
            assert(held.emptied == 0 || !held.kept);
        }
    }
    assert(sums.size() == shares_.size());
    std::size_t offered = 0;
    for (const auto& [owner, share] : shares_) {
        assert(sums.at(owner).first == share.rooms);
        assert(sums.at(owner).second == share.history);
        assert(share.empty.empty() != with_empty_.contains({share.rooms, owner}));
        assert((share.history == 0) != with_history_.contains({share.history, owner}));
        offered += share.empty.size();
    }
    assert(offered == empty);
    static_cast<void>(offered);
    static_cast<void>(empty);
}

} // namespace roomd
