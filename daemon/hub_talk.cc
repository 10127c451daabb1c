#include "daemon/hub.h"
#include "daemon/work.h"

#include <algorithm>
#include <cassert>

// What is said, and what may be asked about rooms and people.
namespace roomd {

void Hub::apply(Key key, const Text& command, bool harmless) {
    Member& member = members_.at(key);
    const Target target = require(member, "say", std::nullopt, true);
    if (target.room != nullptr) {
        say(key, member, target, {command.text, false, harmless});
    }
}

void Hub::apply(Key key, const Say& command, bool harmless) {
    Member& member = members_.at(key);
    const Target target = require(member, "say", command.room, true);
    if (target.room != nullptr) {
        say(key, member, target, {command.text, false, harmless});
    }
}

void Hub::apply(Key key, const Me& command, bool harmless) {
    Member& member = members_.at(key);
    const Target target = require(member, "me", std::nullopt, true);
    if (target.room != nullptr) {
        say(key, member, target, {command.text, true, harmless});
    }
}

void Hub::say(Key key, Member& member, const Target& target, const Speech& speech) {
    Room& room = *target.room;
    member.spoke_s = seconds();
    const std::uint64_t id =
        publish(room, target.key, member.nick.text(), speech, {key.slot, hears_itself(member)});
    if (!hears_itself(member)) {
        room.mark_spoke(member.dialect, member.rooms[target.index].seat, true);
    }
    if (member.ack && member.dialect.format == Format::event) {
        reply_to(member, SayReply{speech.action ? "me" : "say", target.asked, id});
    }
}

std::uint64_t Hub::publish(Room& room, Key room_key, std::string_view nick, const Speech& speech,
                           Source source) {
    const std::uint64_t id = room.history.next();
    SaidEvent said{room.shown(), id, wall_, nick, speech.text};
    said.action = speech.action;
    said.harmless = speech.harmless;
    announce(room, room_key, said, source, id);
    const std::uint64_t before = room.history.bytes_held();
    room.history.add({id, wall_, nick, speech.text, speech.action, speech.harmless});
    if (room.history.bytes_held() != before) { // most messages need no new block
        note_history(room, room_key, before);
    }
    ++counters_->messages_said;
    return id;
}

// Where there are more blocks than there may be, one goes of whoever holds most of them.
void Hub::note_history(const Room& room, Key key, std::uint64_t before) {
    history_bytes_ += room.history.bytes_held() - before; // may be less: that wraps, and is right
    holdings_.set_history(key, room.history.bytes_held());
    while (history_bytes_ > limits_->history_total_bytes_max) {
        const std::optional<Key> largest = holdings_.history_to_cut();
        if (!largest) {
            break;
        }
        RoomHistory& history = rooms_.at(*largest)->history;
        const std::uint64_t held = history.bytes_held();
        history.evict_block();
        if (history.bytes_held() == held) {
            break;
        }
        counters_->hit(Limit::history_total_bytes_max);
        history_bytes_ -= held - history.bytes_held();
        holdings_.set_history(*largest, history.bytes_held());
    }
}

bool Hub::say_as_guest(std::string_view room, std::string_view nick, std::string_view text,
                       bool harmless) {
    work_ += work::command;
    const auto name = parse_name(room, NameKind::room, ScriptPolicy::any);
    if (!std::holds_alternative<Name>(name)) {
        return false;
    }
    Key room_key;
    Room* const target = make_room(std::get<Name>(name), 0, room_key);
    if (target == nullptr) {
        return false;
    }
    if (target->members() == 0) {
        target->empty_since = now_;
        holdings_.emptied(room_key);
    }
    if (target->slow == SlowPolicy::wait && target->blocked_readers > 0) {
        return false; // a datagram cannot wait, and they must not lose what was taken
    }
    publish(*target, room_key, nick, {text, false, harmless}, {});
    return true;
}

void Hub::apply(Key key, const Msg& command) {
    Member& member = members_.at(key);
    work_ += work::command;
    const auto parsed = parse_name(command.nick, NameKind::nick, ScriptPolicy::any);
    const Name* const name = std::get_if<Name>(&parsed);
    const Key found = name == nullptr ? Key{} : find_nick(name->folded());
    if (!found) {
        reply_error(member, "msg", ErrorCode::no_nick,
                    "nobody is called " + std::string(command.nick));
        return;
    }
    Member& target = members_.at(found);
    if (target.recipient->congested()) {
        reply_error(member, "msg", ErrorCode::slow,
                    std::string(target.nick.text()) + " does not read; try again later");
        return;
    }
    if (!ignores(target, key, member)) {
        scratch_.clear();
        encode(scratch_, target.dialect, DirectEvent{wall_, member.nick.text(), command.text});
        work_ += work::encode(scratch_.size());
        catch_up(target);
        target.recipient->deliver_direct(scratch_);
        note_contact(member, found);
        note_contact(target, key);
    }
    if (member.ack) {
        reply_to(member, MsgReply{target.nick.text()});
    }
}

void Hub::apply(Key key, const Topic& command) {
    Member& member = members_.at(key);
    const Target target = require(member, "topic", command.room, command.text.has_value());
    if (target.room == nullptr) {
        return;
    }
    Room& room = *target.room;
    if (!command.text) {
        reply_to(member, TopicReply{target.asked, room.topic, false});
        return;
    }
    if (command.text->size() > topic_bytes_max) {
        reply_error(member, "topic", ErrorCode::too_large,
                    "a topic is one line of at most 1560 bytes");
        return;
    }
    room.topic = *command.text;
    announce(room, target.key, TopicEvent{room.shown(), member.nick.text(), room.topic},
             {key.slot, hears_itself(member)}, 0);
    if (!hears_itself(member)) {
        room.mark_spoke(member.dialect, member.rooms[target.index].seat);
    }
    reply_to(member, TopicReply{target.asked, room.topic, true});
}

void Hub::apply(Key key, const Ping& command) {
    reply_to(members_.at(key), PingReply{command.token});
}

std::size_t Hub::audience(Key key, const Command& command) {
    const Member& member = members_.at(key);
    const Say* const said = std::get_if<Say>(&command);
    const Target target =
        said != nullptr ? find_target(member, said->room) : current_target(member);
    return target.seated ? target.room->members() : 0;
}

bool Hub::is_waited_for(Key key) const {
    const Member* const member = wait_rooms_ == 0 ? nullptr : members_.find(key);
    return member != nullptr &&
           std::any_of(member->rooms.begin(), member->rooms.end(), [this](const auto& membership) {
               return rooms_.at(membership.room)->slow == SlowPolicy::wait;
           });
}

bool Hub::waits_for_readers(Key key, const Command& command) {
    const Member& member = members_.at(key);
    Target target;
    if (const Say* const said = std::get_if<Say>(&command); said != nullptr) {
        target = find_target(member, said->room);
    } else if (std::holds_alternative<Text>(command) || std::holds_alternative<Me>(command)) {
        target = current_target(member);
    }
    if (!target.seated || target.room->blocked_readers == 0 ||
        target.room->slow != SlowPolicy::wait) {
        return false;
    }
    target.room->waiting.push_back(member.recipient);
    return true;
}

} // namespace roomd
