#include "daemon/hub.h"

#include <cassert>

// What must always be true of a hub: for tests and the simulator.
namespace roomd {

void Hub::check() const {
    members_.check();
    rooms_.check();
    assert(nicks_.size() == members_.size());
    assert(room_names_.size() == rooms_.size());
    std::size_t seats = 0;
    for (std::uint32_t slot = 0; slot < members_.slot_count(); ++slot) {
        const Member* const member = members_.find(members_.key_at(slot));
        if (member == nullptr) {
            continue;
        }
        assert(nicks_.at(member->nick.folded()) == members_.key_at(slot));
        assert(member->rooms.size() <= limits_->rooms_per_member_max);
        seats += member->rooms.size();
        for (const Membership& membership : member->rooms) {
            const Room& room = *rooms_.at(membership.room);
            const Seat& seat = room.seats[member->dialect.index()].at(membership.seat);
            assert(seat.member_slot == slot);
            assert(seat.recipient == member->recipient);
            assert(room.dirty || seat.skip == 0);
        }
    }
    std::uint64_t history = 0;
    std::size_t members = 0;
    for (const auto& [name, key] : room_names_) {
        const Room& room = *rooms_.at(key);
        room.history.check();
        history += room.history.bytes_held();
        members += room.members();
        std::size_t seated = 0;
        for (const std::vector<Seat>& row : room.seats) {
            seated += row.size();
        }
        assert(seated == room.members());
    }
    assert(history == history_bytes_);
    assert(members == seats);
}

} // namespace roomd
