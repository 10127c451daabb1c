#include "daemon/hub.h"
#include "daemon/snapshot.h"

#include <algorithm>
#include <cassert>
#include <charconv>

// The hub's way into another process.
namespace roomd {

namespace {

std::uint64_t milliseconds(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

// What was checked before: the snapshot holds valid names only.
Name name_of(std::string_view text, NameKind kind) {
    auto parsed = Name::parse(text, kind, ScriptPolicy::any);
    assert(std::holds_alternative<Name>(parsed));
    return std::get<Name>(std::move(parsed));
}

} // namespace

std::uint64_t Hub::messages_kept() const {
    std::uint64_t kept = 0;
    for (std::uint32_t slot = 0; slot < rooms_.slot_count(); ++slot) {
        if (const std::unique_ptr<Room>* const room = rooms_.find(rooms_.key_at(slot));
            room != nullptr) {
            kept += (*room)->history.next() - (*room)->history.first();
        }
    }
    return kept;
}

std::vector<std::uint32_t> Hub::save_rooms(Snapshot& snapshot) const {
    assert(dirty_.empty());
    snapshot.last_epoch = last_epoch_;
    snapshot.guests = guests_;
    std::vector<std::uint32_t> numbers(rooms_.slot_count(), UINT32_MAX);
    for (std::uint32_t slot = 0; slot < rooms_.slot_count(); ++slot) {
        const std::unique_ptr<Room>* const found = rooms_.find(rooms_.key_at(slot));
        if (found == nullptr) {
            continue;
        }
        const Room& room = **found;
        numbers[slot] = static_cast<std::uint32_t>(snapshot.rooms.size());
        SavedRoom& saved = snapshot.rooms.emplace_back();
        saved.name = room.name.text();
        saved.epoch = room.epoch;
        saved.topic = room.topic;
        saved.next_id = room.history.next();
        saved.history.reserve(room.history.next() - room.history.first());
        for (std::uint64_t id = room.history.first(); id < room.history.next(); ++id) {
            saved.history.push_back(room.history.at(id));
        }
        saved.empty_ms = room.members() == 0 ? milliseconds(now_ - room.empty_since) : 0;
        saved.crowd_joined = room.crowd_joined;
        saved.crowd_left = room.crowd_left;
        saved.owner = holdings_.owner_of(rooms_.key_at(slot));
    }
    return numbers;
}

SavedMember Hub::save_member(Key key, const std::vector<std::uint32_t>& rooms) const {
    const Member& member = members_.at(key);
    SavedMember saved;
    saved.nick = member.nick.text();
    saved.format = member.dialect.format;
    saved.single_script = member.scripts == ScriptPolicy::single;
    saved.echo = member.echo;
    saved.ack = member.ack;
    saved.owner = member.owner;
    for (const Membership& membership : member.rooms) {
        saved.rooms.push_back(rooms[membership.room.slot]);
    }
    if (member.personal != nullptr) {
        for (const Personal::Ignored& ignored : member.personal->ignored) {
            const Member* const other = members_.find(ignored.member);
            saved.ignored.push_back(other != nullptr ? other->nick.folded()
                                                     : std::string_view(ignored.folded));
        }
    }
    const auto found = answers_.find(key.slot);
    if (found == answers_.end()) {
        return saved;
    }
    if (const Replay* const replay = std::get_if<Replay>(&found->second); replay != nullptr) {
        if (rooms_.find(replay->room) != nullptr) {
            saved.replay = SavedReplay{rooms[replay->room.slot], replay->next, replay->end,
                                       replay->first, replay->verb == "join"};
        }
        return saved;
    }
    // A list begins anew: slots are others over there.
    const Listing* const list = std::get_if<Listing>(&found->second);
    saved.list = list == nullptr ? "conns" : list->verb;
    saved.list_room = list == nullptr ? std::string_view() : std::string_view(list->asked);
    return saved;
}

std::vector<Key> Hub::restore_rooms(const Snapshot& snapshot) {
    assert(rooms_.size() == 0);
    std::vector<Key> keys;
    for (const SavedRoom& saved : snapshot.rooms) {
        Key key;
        Room& room = *add_room(name_of(saved.name, NameKind::room), saved.owner, key);
        keys.push_back(key);
        room.epoch = saved.epoch;
        room.topic = saved.topic;
        room.history.begin_at(saved.next_id - saved.history.size());
        for (const HistoryEntry& said : saved.history) {
            room.history.add(said);
        }
        note_history(room, key, 0);
        room.empty_since =
            now_ - std::chrono::milliseconds(std::min<std::uint64_t>(saved.empty_ms, INT32_MAX));
        room.crowd_joined = saved.crowd_joined;
        room.crowd_left = saved.crowd_left;
        if (room.crowd_joined + room.crowd_left > 0) {
            crowds_.push_back(key);
        }
    }
    guests_ = snapshot.guests;
    last_epoch_ = std::max(last_epoch_, snapshot.last_epoch);
    return keys;
}

Key Hub::restore_member(Recipient& recipient, Framing framing, const SavedMember& saved,
                        const std::vector<Key>& rooms) {
    const Dialect dialect{framing, saved.format};
    const ScriptPolicy scripts = saved.single_script ? ScriptPolicy::single : ScriptPolicy::any;
    const Key key = members_.insert(
        Member{&recipient, name_of(saved.nick, NameKind::nick), {}, dialect, scripts});
    Member& member = members_.at(key);
    member.echo = saved.echo;
    member.ack = saved.ack;
    member.owner = saved.owner;
    nicks_.insert(member.nick.folded(), key, folded_name_of(members_));
    for (const std::uint32_t number : saved.rooms) {
        Room& room = *rooms_.at(rooms[number]);
        member.rooms.add({rooms[number], room.seat(dialect, recipient, key.slot)});
        holdings_.entered(rooms[number]);
    }
    for (const std::string_view folded : saved.ignored) {
        personal_of(member).ignored.push_back({std::string(folded), {}});
    }
    if (saved.replay) {
        const SavedReplay& replay = *saved.replay;
        const Key room = rooms[replay.room];
        Replay restored{
            room,         std::string(rooms_.at(room)->shown()), replay.next, replay.end,
            replay.first, replay.join ? "join" : "history",      {}};
        const Membership* const membership = membership_of(member, room);
        if (replay.join && membership != nullptr) {
            rooms_.at(room)->hold(dialect, membership->seat);
        }
        answers_.insert_or_assign(key.slot, std::move(restored));
    } else if (saved.list == "who" || saved.list == "rooms") {
        const auto parsed = Name::parse(saved.list_room, NameKind::room, ScriptPolicy::any);
        const Name* const name = std::get_if<Name>(&parsed);
        answers_.insert_or_assign(key.slot,
                                  Listing{saved.list == "who" ? "who" : "rooms",
                                          name == nullptr ? Key{} : find_room(name->folded()),
                                          std::string(saved.list_room)});
    }
    return key;
}

} // namespace roomd
