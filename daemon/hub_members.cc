#include "daemon/hub.h"

#include <algorithm>
#include <cassert>

// Who is where, and under which name.
namespace roomd {

Key Hub::enter(Recipient& recipient, Dialect dialect, ScriptPolicy scripts) {
    std::variant<Name, BadName> name = BadName{};
    do { // somebody may have taken the name of a guest to come
        name = Name::parse("guest-" + std::to_string(++guests_), NameKind::nick, ScriptPolicy::any);
    } while (find_nick(std::get<Name>(name).folded()));
    const Key key =
        members_.insert(Member{&recipient, std::get<Name>(std::move(name)), {}, dialect, scripts});
    nicks_.insert(members_.at(key).nick.folded(), key, folded_name_of(members_));
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
    replays_.erase(key.slot);
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
    const Room* const entered = enter_room(key, *member, std::get<Name>(name), "join");
    if (entered != nullptr) {
        tell_joined(*member, *entered);
    }
}

bool Hub::has_room(std::string_view room) const {
    const auto name = Name::parse(room, NameKind::room, ScriptPolicy::any);
    const Name* const valid = std::get_if<Name>(&name);
    return valid != nullptr && find_room(valid->folded());
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
    if (!std::holds_alternative<std::monostate>(command.from) && target.room != nullptr) {
        start_replay(key, member, target, command.from, "join");
        return;
    }
    const Room* const room = target.seated ? target.room : enter_room(key, member, name, "join");
    if (room != nullptr) {
        tell_joined(member, *room);
    }
}

void Hub::tell_joined(Member& member, const Room& room) {
    reply_to(member, JoinReply{room.name.text(), room.epoch, room.history.first(),
                               room.history.next(), room.members(), room.topic});
}

Room* Hub::enter_room(Key key, Member& member, const Name& name, std::string_view verb) {
    if (member.rooms.size() >= limits_->rooms_per_member_max) {
        counters_->hit(Limit::rooms_per_member_max);
        reply_error(member, verb, ErrorCode::too_many_rooms,
                    "you are in as many rooms as you may; /leave one first");
        return nullptr;
    }
    Key room_key;
    Room* const room = make_room(name, room_key);
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
        announce(*room, room_key, JoinEvent{room->name.text(), member.nick.text()},
                 {key.slot, true}, 0);
    }
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
    const std::string name(target.room->name.text()); // the room may end with its last member
    catch_up(member);
    leave_room(key, member, target.index, "left");
    reply_to(member, LeaveReply{name});
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
    } else if (room.members() >= limits_->presence_members_max) {
        if (room.crowd_joined + room.crowd_left++ == 0) {
            crowds_.push_back(membership.room);
        }
    } else {
        announce(room, membership.room, PartEvent{room.name.text(), member.nick.text(), reason},
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
    if (command.version != protocol_version) {
        reply_error(member, "hello", ErrorCode::bad_command, "this server speaks version 1");
        set_dialect(key, member, before);
        return;
    }
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
    for (const Membership& membership : member.rooms) {
        Room& room = *rooms_.at(membership.room);
        if (room.members() > limits_->presence_members_max) {
            continue;
        }
        announce(room, membership.room, NickEvent{old.text(), member.nick.text()},
                 {key.slot, hears_itself(member)}, 0);
        if (!hears_itself(member)) {
            room.mark_spoke(member.dialect, membership.seat);
        }
    }
    return true;
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
