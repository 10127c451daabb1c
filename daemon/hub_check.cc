#include "daemon/hub.h"

#include <algorithm>
#include <cassert>

// What must always be true of a hub: for tests and the simulator.
namespace roomd {

void Hub::check() const {
    members_.check();
    rooms_.check();
    assert(nicks_.size() == members_.size());
    assert(room_names_.size() == rooms_.size());
    holdings_.check();
    assert(std::all_of(answers_.begin(), answers_.end(), [this](const auto& answer) {
        return members_.find(members_.key_at(answer.first)) != nullptr;
    }));
    std::size_t seats = 0;
    for (std::uint32_t slot = 0; slot < members_.slot_count(); ++slot) {
        seats += check_member(slot);
    }
    std::uint64_t history = 0;
    for (std::uint32_t slot = 0; slot < rooms_.slot_count(); ++slot) {
        const Key key = rooms_.key_at(slot);
        if (const std::unique_ptr<Room>* const room = rooms_.find(key); room != nullptr) {
            assert(find_room((*room)->name.folded()) == key);
            seats -= check_room(**room);
            history += (*room)->history.bytes_held();
        }
    }
    assert(history == history_bytes_);
    assert(seats == 0);
}

// Returns how many seats the member holds.
std::size_t Hub::check_member(std::uint32_t slot) const {
    const Member* const member = members_.find(members_.key_at(slot));
    if (member == nullptr) {
        return 0;
    }
    assert(find_nick(member->nick.folded()) == members_.key_at(slot));
    assert(member->rooms.size() <= limits_->rooms_per_member_max);
    for (const Membership& membership : member->rooms) {
        const Room& room = *rooms_.at(membership.room);
        const Seat& seat = room.seats[member->dialect.index()].at(membership.seat);
        assert(seat.member_slot == slot);
        assert(seat.recipient == member->recipient);
        assert(room.dirty || seat.skip == 0 || room.is_held(member->dialect, membership.seat));
        assert(!room.is_held(member->dialect, membership.seat) || answers_.contains(slot));
    }
    return member->rooms.size();
}

// Returns how many seats the room has.
std::size_t Hub::check_room(const Room& room) const {
    room.history.check();
    room.check();
    std::size_t seated = 0;
    for (const std::vector<Seat>& row : room.seats) {
        seated += row.size();
    }
    assert(seated == room.members());
    assert(seated <= limits_->members_per_room_max);
    return seated;
}

} // namespace roomd
