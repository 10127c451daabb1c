#include "daemon/hub.h"
#include "daemon/work.h"

#include <algorithm>
#include <cassert>
#include <chrono>

// Who is where, and under which name.
namespace roomd {

namespace {

// A member without a source owns what it makes by itself; a source's number has not this bit.
constexpr std::uint64_t own_bit = std::uint64_t{1} << 62U;

// Who has said something in this time is known: a crowd is told of its new name.
constexpr std::uint32_t known_for_s = 600;

// So many new names a second are told to a crowd one by one; more are summed up.
constexpr std::uint32_t renames_a_second_max = 10;

} // namespace

Key Hub::enter(Recipient& recipient, Dialect dialect, ScriptPolicy scripts, std::uint64_t owner) {
    std::variant<Name, BadName> name = BadName{};
    do { // somebody may have taken the name of a guest to come
        name = Name::parse("guest-" + std::to_string(++guests_), NameKind::nick, ScriptPolicy::any);
    } while (find_nick(std::get<Name>(name).folded()));
    const Key key =
        members_.insert(Member{&recipient, std::get<Name>(std::move(name)), {}, dialect, scripts});
    Member& member = members_.at(key);
    member.owner = owner != 0 ? owner & (own_bit - 1) : own_bit | (key.packed() & (own_bit - 1));
    nicks_.insert(member.nick.folded(), key, folded_name_of(members_));
    return key;
}

void Hub::leave(Key key, std::string_view reason) {
    Member* const member = members_.find(key);
    if (member == nullptr) {
        return;
    }
    catch_up(*member);
    while (!member->rooms.empty()) {
        leave_room(key, *member, member->rooms.size() - 1, reason);
    }
    nicks_.erase(member->nick.folded(), folded_name_of(members_));
    answers_.erase(key.slot);
    members_.erase(key);
}

void Hub::greet(Key key) {
    if (Member* const member = members_.find(key); member != nullptr) {
        reply_to(*member, GreetingEvent{server_, version_, member->nick.text()});
    }
}

void Hub::join_default(Key key, std::string_view room) {
    Member* const member = members_.find(key);
    const auto name = parse_name(room, NameKind::room, ScriptPolicy::any);
    if (member == nullptr || !std::holds_alternative<Name>(name)) {
        return;
    }
    Key room_key;
    const Room* const entered = enter_room(key, *member, std::get<Name>(name), "join", room_key);
    if (entered != nullptr) {
        tell_joined(*member, *entered, entered->shown());
    }
}

bool Hub::has_room(std::string_view room) const {
    const auto name = Name::parse(room, NameKind::room, ScriptPolicy::any);
    const Name* const valid = std::get_if<Name>(&name);
    return valid != nullptr && (find_room(valid->folded()) || is_kept(valid->folded()));
}

void Hub::apply(Key key, const Join& command) {
    Member& member = members_.at(key);
    const auto parsed = parse_name(command.room, NameKind::room, member.scripts);
    if (const BadName* const bad = std::get_if<BadName>(&parsed); bad != nullptr) {
        reply_error(member, "join", ErrorCode::bad_name, bad->why);
        return;
    }
    const Name& name = std::get<Name>(parsed);
    const Target target = find_target(member, name.text());
    if (target.seated) { // makes it the current room
        member.rooms.make_last(target.index);
    }
    std::optional<std::uint64_t> first;
    if (!std::holds_alternative<std::monostate>(command.from) && target.room != nullptr) {
        first = replay_begins(member, *target.room, command.from, "join");
        if (!first) {
            return;
        }
    }
    Key room_key = target.key;
    Room* const room =
        target.seated ? target.room : enter_room(key, member, name, "join", room_key);
    if (room == nullptr) {
        return;
    }
    if (!first) {
        tell_joined(member, *room, command.room);
        return;
    }
    // The seat is taken first, so nobody hears a replay and is refused then; and it is held until
    // the replay has caught up with what is live, so there is neither a hole nor a repeat, however
    // slowly the reader takes it.
    catch_up(member);
    room->hold(member.dialect, member.rooms[member.rooms.size() - 1].seat);
    Replay replay{room_key, std::string(command.room), *first, UINT64_MAX, *first, "join", {}};
    if (target.seated) {
        replay.state_units = room->state_units;
    }
    start_answer(key, std::move(replay));
}

void Hub::tell_joined(Member& member, const Room& room, std::string_view asked) {
    reply_to(member, JoinReply{asked, room.epoch, room.history.first(), room.history.next(),
                               room.members(), room.topic});
}

Room* Hub::enter_room(Key key, Member& member, const Name& name, std::string_view verb,
                      Key& room_key) {
    if (member.rooms.size() >= limits_->rooms_per_member_max) {
        counters_->hit(Limit::rooms_per_member_max);
        reply_error(member, verb, ErrorCode::too_many_rooms,
                    "you are in as many rooms as you may; /leave one first");
        return nullptr;
    }
    Room* const room = make_room(name, member.owner, room_key);
    if (room == nullptr) {
        reply_error(member, verb, ErrorCode::too_many_rooms,
                    "there are as many rooms as there may be");
        return nullptr;
    }
    if (room->members() >= limits_->members_per_room_max) {
        counters_->hit(Limit::members_per_room_max);
        reply_error(member, verb, ErrorCode::full, "the room is full");
        return nullptr;
    }
    if (room->members() >= limits_->presence_members_max) {
        if (room->crowd_joined++ + room->crowd_left == 0) {
            crowds_.push_back(room_key);
        }
    } else { // told before the newcomer has a seat: they know that they came
        announce(*room, room_key, JoinEvent{room->shown(), member.nick.text()}, {key.slot, true},
                 0);
    }
    holdings_.entered(room_key);
    member.rooms.add({room_key, room->seat(member.dialect, *member.recipient, key.slot)});
    room->blocked_readers += room->slow == SlowPolicy::wait && member.blocked ? 1U : 0U;
    return room;
}

void Hub::apply(Key key, const Leave& command) {
    Member& member = members_.at(key);
    const Target target = require(member, "leave", command.room, true);
    if (target.room == nullptr) {
        return;
    }
    const std::string asked(target.asked); // the room may end with its last member
    catch_up(member);
    leave_room(key, member, target.index, "left");
    reply_to(member, LeaveReply{asked});
}

void Hub::leave_room(Key key, Member& member, std::size_t index, std::string_view reason) {
    const Membership membership = member.rooms[index];
    Room& room = *rooms_.at(membership.room);
    const std::uint32_t moved = room.unseat(member.dialect, membership.seat);
    member.rooms.remove(index);
    if (moved != UINT32_MAX) {
        set_seat(members_.key_at(moved), membership.room, membership.seat);
    }
    if (room.slow == SlowPolicy::wait) {
        std::erase(room.waiting, member.recipient);
        if (member.blocked && --room.blocked_readers == 0) {
            wake_producers(room);
        }
    }
    if (room.members() == 0) {
        room.empty_since = now_;
        holdings_.emptied(membership.room);
    } else if (room.members() >= limits_->presence_members_max) {
        if (room.crowd_joined + room.crowd_left++ == 0) {
            crowds_.push_back(membership.room);
        }
    } else {
        announce(room, membership.room, PartEvent{room.shown(), member.nick.text(), reason},
                 {key.slot, true}, 0);
    }
}

void Hub::set_seat(Key key, Key room, std::uint32_t seat) {
    for (Membership& membership : members_.at(key).rooms) {
        if (membership.room == room) {
            membership.seat = seat;
        }
    }
}

void Hub::set_dialect(Key key, Member& member, Dialect dialect) {
    if (member.dialect == dialect) {
        return;
    }
    catch_up(member);
    for (Membership& membership : member.rooms) {
        Room& room = *rooms_.at(membership.room);
        const std::uint32_t moved = room.unseat(member.dialect, membership.seat);
        if (moved != UINT32_MAX) {
            set_seat(members_.key_at(moved), membership.room, membership.seat);
        }
        membership.seat = room.seat(dialect, *member.recipient, key.slot);
    }
    member.dialect = dialect;
}

void Hub::apply(Key key, const SetFormat& command) {
    Member& member = members_.at(key);
    set_dialect(key, member, {member.dialect.framing, command.format});
    reply_to(member, FormatReply{command.format});
}

void Hub::apply(Key key, const Hello& command) {
    Member& member = members_.at(key);
    const Dialect event{member.dialect.framing, Format::event};
    const Dialect before = member.dialect;
    set_dialect(key, member, event); // whoever says hello reads events, refusals too
    if (command.nick && !rename(key, member, *command.nick, "hello")) {
        set_dialect(key, member, before);
        return;
    }
    member.echo = command.echo.value_or(member.echo);
    member.ack = command.ack.value_or(member.ack);
    reply_to(member, WelcomeReply{server_, version_, member.nick.text()});
}

void Hub::apply(Key key, const SetNick& command) {
    Member& member = members_.at(key);
    if (rename(key, member, command.nick, "nick")) {
        reply_to(member, NickReply{member.nick.text()});
    }
}

bool Hub::rename(Key key, Member& member, std::string_view nick, std::string_view verb) {
    auto parsed = parse_name(nick, NameKind::nick, member.scripts);
    if (const BadName* const bad = std::get_if<BadName>(&parsed); bad != nullptr) {
        reply_error(member, verb, ErrorCode::bad_name, bad->why);
        return false;
    }
    Name& name = std::get<Name>(parsed);
    const Key holder = find_nick(name.folded());
    if (holder && holder != key) {
        reply_error(member, verb, ErrorCode::name_taken,
                    "somebody is called " + std::string(name.text()) + " already");
        return false;
    }
    if (name.text() == member.nick.text()) {
        return true;
    }
    nicks_.erase(member.nick.folded(), folded_name_of(members_));
    const Name old = std::exchange(member.nick, std::move(name));
    nicks_.insert(member.nick.folded(), key, folded_name_of(members_));
    tell_renamed(key, member, old.text());
    return true;
}

// One new name is one event for each member, however many rooms they share: whoever has heard of it
// in one room passes over it in the next.
void Hub::tell_renamed(Key key, Member& member, std::string_view old) {
    ++renames_;
    told_.resize(members_.slot_count(), 0);
    for (const Membership& membership : member.rooms) {
        announce_renamed(key, member, membership, old);
    }
    tell_contacts(member, old);
}

void Hub::announce_renamed(Key key, Member& member, const Membership& membership,
                           std::string_view old) {
    Room& room = *rooms_.at(membership.room);
    if (room.members() > limits_->presence_members_max &&
        !tells_crowd(member, room, membership.room)) {
        return;
    }
    // In a crowd this walks some thousand seats, a few times a second at most.
    std::vector<std::pair<Dialect, std::uint32_t>> passed;
    for (std::size_t index = 0; index < Dialect::count; ++index) {
        std::vector<Seat>& row = room.seats[index];
        work_ += row.size() * work::seat_walked;
        for (std::uint32_t seat = 0; seat < row.size(); ++seat) {
            if ((row[seat].skip & Seat::held) != 0) {
                continue; // it is told elsewhere, or that it has missed something
            }
            std::uint32_t& told = told_[row[seat].member_slot];
            const bool itself = row[seat].member_slot == key.slot && !hears_itself(member);
            if (std::exchange(told, renames_) == renames_ || itself) {
                room.catch_up(Dialect::at(index), seat);
                passed.emplace_back(Dialect::at(index), seat);
            }
        }
    }
    announce(room, membership.room, NickEvent{old, member.nick.text()},
             {key.slot, hears_itself(member)}, 0);
    for (const auto& [dialect, seat] : passed) {
        work_ += work::piece_served;
        room.pass_over(dialect, seat);
    }
}

// A crowd is not told of everybody. Who has been heard lately is known by name: that is worth an
// event, up to so many a second. What is not told is summed up: the names in the room are stale.
bool Hub::tells_crowd(const Member& member, Room& room, Key room_key) {
    if (member.spoke_s == 0 || seconds() - member.spoke_s > known_for_s) {
        return false; // nobody there has read its name but in a list
    }
    if (room.renames_told == 0) {
        crowds_.push_back(room_key); // so that on_second() comes by
    }
    if (room.renames_told < renames_a_second_max) {
        ++room.renames_told;
    } else {
        room.names_changed = true;
    }
    return !room.names_changed;
}

// Those it has talked to in private, wherever they are. Who does not read is not told.
void Hub::tell_contacts(const Member& member, std::string_view old) {
    if (member.personal == nullptr) {
        return;
    }
    for (const Key contact : member.personal->contacts) {
        Member* const other = members_.find(contact);
        if (other == nullptr || other == &member || told_[contact.slot] == renames_ ||
            other->recipient->congested()) {
            continue;
        }
        told_[contact.slot] = renames_;
        scratch_.clear();
        encode(scratch_, other->dialect, NickEvent{old, member.nick.text()});
        work_ += work::encode(scratch_.size());
        if (!scratch_.empty()) {
            catch_up(*other);
            other->recipient->deliver_direct(scratch_);
        }
    }
}

const Membership* Hub::membership_of(const Member& member, Key room) {
    const Membership* const found =
        std::find_if(member.rooms.begin(), member.rooms.end(),
                     [room](const Membership& membership) { return membership.room == room; });
    return found == member.rooms.end() ? nullptr : found;
}

void Hub::set_blocked(Key key, bool blocked) {
    Member* const member = members_.find(key);
    if (member == nullptr || member->blocked == blocked) {
        return;
    }
    member->blocked = blocked;
    for (const Membership& membership : member->rooms) {
        Room& room = *rooms_.at(membership.room);
        if (room.slow != SlowPolicy::wait) {
            continue;
        }
        if (blocked) {
            ++room.blocked_readers;
        } else if (--room.blocked_readers == 0) {
            wake_producers(room);
        }
    }
}

void Hub::wake_producers(Room& room) {
    for (Recipient* const producer : std::exchange(room.waiting, {})) {
        producer->resume();
    }
}

} // namespace roomd
