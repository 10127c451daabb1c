#include "daemon/hub.h"
#include "daemon/work.h"
#include "protocol/limits.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

// /who and /rooms. They walk tables by slot, which nobody changes who comes, goes or is renamed
// meanwhile, so a list may be as long as it likes and is still right.
namespace roomd {

namespace {

// A portion ends after so many slots, unless it is empty yet: then nothing would ask for the next.
constexpr std::uint32_t slots_max = 4096;

// In smaller rooms members are listed in the order in which they came, all at once: 128 names are
// 16 KiB at most.
constexpr std::size_t small_room_max = 128;

void append_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits{};
    out.append(digits.data(),
               std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

} // namespace

void Hub::apply(Key key, const Who& command) {
    Member& member = members_.at(key);
    const Target target = require(member, "who", command.room, false);
    if (target.room == nullptr) {
        return;
    }
    Listing list{"who", target.key, std::string(target.asked)};
    if (target.room->members() > small_room_max) {
        start_answer(key, std::move(list));
        return;
    }
    portion_.clear();
    for (const std::vector<Seat>& row : target.room->seats) {
        work_ += row.size() * work::list_item;
        for (const Seat& seat : row) {
            list_item(member, list, members_.at_slot(seat.member_slot)->nick.text());
        }
    }
    end_list(member, list);
    catch_up(member);
    if (!portion_.empty()) {
        member.recipient->deliver(portion_);
    }
}

void Hub::apply(Key key, const Rooms& /*command*/) {
    start_answer(key, Listing{"rooms", {}, {}});
}

bool Hub::go_on(Member& member, Listing& list, std::uint32_t bytes_max) {
    const bool who = list.verb == "who";
    // It is asked for when less than half of what may wait does: so all of it stays below that.
    bytes_max = std::min(bytes_max, limits_->reply_bytes_max / 2);
    bytes_max = std::max<std::uint32_t>(bytes_max, page_bytes_max);
    const std::uint32_t end = who ? members_.slot_count() : rooms_.slot_count();
    std::uint32_t walked = 0;
    for (; list.next < end; ++list.next, ++walked) {
        const bool full = portion_.size() + list.page.size() >= bytes_max;
        const bool far = walked >= slots_max && portion_.size() + list.page.size() > 0;
        if (full || far) {
            list_item(member, list, {});
            return true;
        }
        const bool listed = who ? list_member(member, list) : list_room(member, list);
        work_ += listed ? work::list_item : work::slot_walked;
    }
    end_list(member, list);
    return false;
}

bool Hub::list_member(Member& member, Listing& list) {
    const Member* const listed = members_.at_slot(list.next);
    if (listed == nullptr || membership_of(*listed, list.room) == nullptr) {
        return false;
    }
    list_item(member, list, listed->nick.text());
    return true;
}

bool Hub::list_room(Member& member, Listing& list) {
    const std::unique_ptr<Room>* const room = rooms_.at_slot(list.next);
    if (room == nullptr || (*room)->members() == 0) {
        return false;
    }
    scratch_.assign((*room)->shown()).push_back(':');
    append_number(scratch_, (*room)->members());
    list_item(member, list, scratch_);
    return true;
}

// Adds to the page, and before that ends one that is full; an empty item only ends it.
void Hub::list_item(Member& member, Listing& list, std::string_view item) {
    const bool full = list.page.size() + 1 + item.size() > page_bytes_max;
    if (!list.page.empty() && (full || item.empty())) {
        if (list.verb == "who") {
            encode(portion_, member.dialect, WhoReply{list.asked, 0, list.page, false});
        } else {
            encode(portion_, member.dialect, RoomsReply{0, list.page, false});
        }
        list.page.clear();
    }
    if (!item.empty()) {
        list.page += list.page.empty() ? "" : " ";
        list.page += item;
        ++list.listed;
    }
}

void Hub::end_list(Member& member, Listing& list) {
    if (list.verb == "who") {
        encode(portion_, member.dialect, WhoReply{list.asked, list.listed, list.page, true});
    } else {
        encode(portion_, member.dialect, RoomsReply{list.listed, list.page, true});
    }
    work_ += work::encode(portion_.size());
}

} // namespace roomd
