#include "daemon/hub.h"

#include "daemon/work.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <iterator>

namespace roomd {

namespace {

// Epochs are shown in base 36: short, and without a meaning to lean on.
std::string epoch_text(std::uint64_t number) {
    std::array<char, 16> digits{};
    const auto* const end =
        std::to_chars(digits.data(), digits.data() + digits.size(), number, 36).ptr;
    return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

// Rooms are found by that, however their name is written. What is no name finds none.
std::string folded_room(const std::string& text) {
    const auto parsed = Name::parse(text, NameKind::room, ScriptPolicy::any);
    const Name* const name = std::get_if<Name>(&parsed);
    return name != nullptr ? std::string(name->folded()) : text;
}

} // namespace

Hub::Hub(const Limits& limits, Counters& counters, Arena& arena, HashKey hash_key)
    : limits_(&limits), counters_(&counters), arena_(&arena), hash_key_(hash_key), nicks_(hash_key),
      room_names_(hash_key) {}

Hub::~Hub() = default;

void Hub::set_time(TimePoint now, WallTime wall) {
    now_ = now;
    now_s_ = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
    wall_ = wall;
}

void Hub::configure(std::string server, std::string version, const std::vector<RoomSpec>& rooms,
                    const std::vector<std::string>& always) {
    server_ = std::move(server);
    version_ = std::move(version);
    room_specs_ = rooms;
    for (RoomSpec& spec : room_specs_) {
        spec.name = folded_room(spec.name);
    }
    always_.clear();
    std::transform(always.begin(), always.end(), std::back_inserter(always_), folded_room);
    wait_rooms_ = 0;
    rooms_.for_each([this](Key key, std::unique_ptr<Room>& room) {
        const std::uint64_t before = room->history.bytes_held();
        room->history.set_limits(history_limits(room->name));
        note_history(*room, key, before);
        if (const bool kept = is_kept(room->name.folded()); kept != holdings_.is_kept(key)) {
            hold_again(key, *room, kept);
        }
        room->slow = slow_policy(room->name.folded());
        wait_rooms_ += room->slow == SlowPolicy::wait ? 1U : 0U;
        room->blocked_readers = 0;
    });
    count_blocked();
    rooms_.for_each([](Key /*key*/, std::unique_ptr<Room>& room) {
        if (room->blocked_readers == 0) {
            wake_producers(*room);
        }
    });
}

SlowPolicy Hub::slow_policy(std::string_view folded) const {
    SlowPolicy policy = SlowPolicy::by_format;
    for (const RoomSpec& spec : room_specs_) {
        policy = spec.name == folded ? spec.slow : policy;
    }
    return policy;
}

// Blocked readers are only counted where somebody waits for them, and that may just have changed.
void Hub::count_blocked() {
    members_.for_each([this](Key /*key*/, const Member& member) {
        for (const Membership& membership : member.rooms) {
            Room& room = *rooms_.at(membership.room);
            room.blocked_readers += member.blocked && room.slow == SlowPolicy::wait ? 1U : 0U;
        }
    });
}

// It has become one of those that stay, or one of those that pressure may end.
void Hub::hold_again(Key key, const Room& room, bool kept) {
    const Holdings::Owner owner = holdings_.owner_of(key);
    holdings_.forgot(key);
    holdings_.made(key, owner, kept);
    holdings_.set_history(key, room.history.bytes_held());
    if (room.members() == 0) {
        holdings_.emptied(key);
    }
}

// Of the configuration or of a listener: it can always be made, and no pressure ends it.
bool Hub::is_kept(std::string_view folded) const {
    return std::find(always_.begin(), always_.end(), folded) != always_.end() ||
           std::any_of(room_specs_.begin(), room_specs_.end(),
                       [folded](const RoomSpec& spec) { return spec.name == folded; });
}

HistoryLimits Hub::history_limits(const Name& name) const {
    HistoryLimits limits{limits_->history_messages_max, limits_->history_bytes_max};
    for (const RoomSpec& spec : room_specs_) {
        if (spec.name == name.folded()) {
            limits.messages_max =
                spec.history_messages_max != 0 ? spec.history_messages_max : limits.messages_max;
            limits.bytes_max =
                spec.history_bytes_max != 0 ? spec.history_bytes_max : limits.bytes_max;
        }
    }
    return limits;
}

Key Hub::find_nick(std::string_view folded) const {
    return nicks_.find(folded, folded_name_of(members_));
}

Key Hub::find_room(std::string_view folded) const {
    return room_names_.find(folded, folded_name_of(rooms_));
}

void Hub::reply(Key key, const Event& event) {
    if (Member* const member = members_.find(key); member != nullptr) {
        reply_to(*member, event);
    }
}

void Hub::reply_to(Member& member, const Event& event) {
    scratch_.clear();
    encode(scratch_, member.dialect, event);
    work_ += work::encode(scratch_.size());
    if (!scratch_.empty()) {
        catch_up(member);
        member.recipient->deliver(scratch_);
    }
}

void Hub::reply_error(Member& member, std::string_view verb, ErrorCode code,
                      std::string_view text) {
    ++counters_->commands_refused;
    reply_to(member, ErrorReply{verb, code, text});
}

void Hub::catch_up(Member& member) {
    for (const Membership& membership : member.rooms) {
        Room& room = *rooms_.at(membership.room);
        work_ += work::room_walked;
        if (room.dirty && room.catch_up(member.dialect, membership.seat)) {
            work_ += work::piece_served;
        }
    }
}

void Hub::mark_dirty(Room& room, Key room_key) {
    if (!room.dirty) {
        room.dirty = true;
        dirty_.push_back(room_key);
        work_ += room.members() * work::seat_walked; // by hand_out()
    }
}

void Hub::announce(Room& room, Key room_key, const Event& event, Source source,
                   std::uint64_t number) {
    room.state_units += number == 0 ? 1U : 0U;
    for (std::size_t index = 0; index < Dialect::count; ++index) {
        const std::vector<Seat>& row = room.seats[index];
        const bool alone = row.size() == 1 && row.front().member_slot == source.slot;
        if (row.empty() || (alone && !source.hears)) {
            continue; // nobody would hear it in this dialect: a publisher among plain readers
        }
        const Dialect dialect = Dialect::at(index);
        scratch_.clear();
        encode(scratch_, dialect, event);
        work_ += work::encode(scratch_.size());
        if (!scratch_.empty()) {
            room.append(*arena_, dialect, scratch_, source.slot, number);
            bytes_said_ += scratch_.size();
            mark_dirty(room, room_key);
        }
    }
}

// Names are normalised where they come in, and that is counted.
std::variant<Name, BadName> Hub::parse_name(std::string_view text, NameKind kind,
                                            ScriptPolicy scripts) {
    work_ += work::name(text);
    return Name::parse(text, kind, scripts);
}

Hub::Target Hub::find_target(const Member& member, std::string_view room) {
    Target target;
    target.asked = room;
    work_ += work::command;
    const auto name = parse_name(room, NameKind::room, ScriptPolicy::any);
    if (const Name* const valid = std::get_if<Name>(&name); valid != nullptr) {
        target.key = find_room(valid->folded());
        target.room = target.key ? rooms_.at(target.key).get() : nullptr;
    }
    for (std::size_t index = 0; index < member.rooms.size(); ++index) {
        if (target.room != nullptr && member.rooms[index].room == target.key) {
            target.index = index;
            target.seated = true;
        }
    }
    return target;
}

Hub::Target Hub::current_target(const Member& member) {
    work_ += work::command;
    if (member.rooms.empty()) {
        return {};
    }
    const std::size_t index = member.rooms.size() - 1;
    const Key key = member.rooms[index].room;
    Room* const room = rooms_.at(key).get();
    return {room, key, index, true, room->shown()};
}

Hub::Target Hub::require(Member& member, std::string_view verb,
                         const std::optional<std::string_view>& room, bool seated) {
    if (!room) {
        const Target current = current_target(member);
        if (current.room == nullptr) {
            reply_error(member, verb, ErrorCode::not_in_room,
                        "you are in no room; /join one first");
        }
        return current;
    }
    const Target target = find_target(member, *room);
    if (target.room == nullptr) {
        const auto name = parse_name(*room, NameKind::room, ScriptPolicy::any);
        if (const BadName* const bad = std::get_if<BadName>(&name); bad != nullptr) {
            reply_error(member, verb, ErrorCode::bad_name, bad->why);
        } else {
            reply_error(member, verb, ErrorCode::no_room, "no such room: " + std::string(*room));
        }
        return {};
    }
    if (seated && !target.seated) {
        reply_error(member, verb, ErrorCode::not_in_room, "you are not in " + std::string(*room));
        return {};
    }
    return target;
}

// Where there are as many as there may be, an empty one makes room: of whoever holds most of them.
Room* Hub::make_room(const Name& name, std::uint64_t owner, Key& key) {
    key = find_room(name.folded());
    if (key) {
        return rooms_.at(key).get();
    }
    if (rooms_.size() >= limits_->rooms_max) {
        counters_->hit(Limit::rooms_max);
        const std::optional<Key> ended = holdings_.room_to_forget();
        if (ended) {
            forget_room(*ended);
        } else if (!is_kept(name.folded())) {
            return nullptr;
        }
    }
    return add_room(name, owner, key);
}

Room* Hub::add_room(const Name& name, std::uint64_t owner, Key& key) {
    last_epoch_ = std::max(last_epoch_ + 1, wall_); // never twice, whatever the clock does
    SlowPolicy slow = SlowPolicy::by_format;
    std::string topic;
    for (const RoomSpec& spec : room_specs_) {
        if (spec.name == name.folded()) {
            slow = spec.slow;
            topic = spec.topic;
        }
    }
    wait_rooms_ += slow == SlowPolicy::wait ? 1U : 0U;
    work_ += work::room_made;
    key = rooms_.insert(
        std::make_unique<Room>(name, epoch_text(last_epoch_), history_limits(name), slow));
    Room* const room = rooms_.at(key).get();
    room->topic = std::move(topic);
    room->empty_since = now_;
    holdings_.made(key, owner, is_kept(name.folded()));
    holdings_.emptied(key);
    room_names_.insert(room->name.folded(), key, folded_name_of(rooms_));
    return room;
}

void Hub::forget_room(Key key) {
    const Room& room = *rooms_.at(key);
    assert(room.members() == 0);
    wait_rooms_ -= room.slow == SlowPolicy::wait ? 1U : 0U;
    counters_->messages_delivered += rooms_.at(key)->take_delivered(); // to those who have left
    history_bytes_ -= room.history.bytes_held();
    holdings_.forgot(key);
    room_names_.erase(room.name.folded(), folded_name_of(rooms_));
    rooms_.erase(key);
}

void Hub::hand_out() {
    for (const Key key : dirty_) {
        const std::unique_ptr<Room>* const room = rooms_.find(key);
        if (room != nullptr) {
            (*room)->dirty = false;
            (*room)->hand_out();
            counters_->messages_delivered += (*room)->take_delivered();
            if (!(*room)->releasing) {
                (*room)->releasing = true;
                handed_out_.push_back(key);
            }
        }
    }
    dirty_.clear();
}

void Hub::after_flush() {
    // A room stays in the list while a slow reader holds its runs: a quiet room must not keep them
    // for ever, or the ceiling on pinned bytes would be met by memory that nobody waits for.
    std::erase_if(handed_out_, [this](Key key) {
        const std::unique_ptr<Room>* const room = rooms_.find(key);
        if (room == nullptr) {
            return true;
        }
        (*room)->releasing = !(*room)->release_runs();
        return !(*room)->releasing;
    });
}

void Hub::on_second() {
    for (const Key key : std::exchange(crowds_, {})) {
        const std::unique_ptr<Room>* const found = rooms_.find(key);
        if (found == nullptr) {
            continue;
        }
        Room& room = **found;
        const CrowdEvent crowd{room.shown(), room.crowd_joined, room.crowd_left, room.members()};
        if (std::exchange(room.crowd_joined, 0) + std::exchange(room.crowd_left, 0) > 0) {
            announce(room, key, crowd, {}, 0);
        }
        room.renames_told = 0;
        if (std::exchange(room.names_changed, false)) {
            announce(room, key, StaleEvent{room.shown()}, {}, 0);
        }
    }
    const Duration idle = std::chrono::milliseconds(limits_->room_idle_ms);
    rooms_.for_each([&](Key key, std::unique_ptr<Room>& room) {
        if (room->members() == 0 && !room->dirty && now_ - room->empty_since >= idle) {
            forget_room(key);
        }
    });
}

std::string Hub::room_names(Key key) const {
    std::string names;
    if (const Member* const member = members_.find(key); member != nullptr) {
        for (const Membership& membership : member->rooms) {
            names += names.empty() ? "" : ",";
            names += rooms_.at(membership.room)->shown();
        }
    }
    return names;
}

} // namespace roomd
