#include "daemon/hub.h"

#include <algorithm>

// What commands cost, before they are run: how much others will hear of them, and how long the
// answer will be. Estimates: they are compared with rates, not with memory.
namespace roomd {

namespace {

constexpr std::uint64_t item_bytes = 16;     // a name in a list, and what stands beside it
constexpr std::uint64_t long_answer = 4096;  // /help, /stats
constexpr std::uint64_t said_bytes_min = 64; // of a message that is replayed, about

std::uint64_t replayed(const Room& room, const ReplayFrom& from) {
    const std::uint64_t held = room.history.next() - room.history.first();
    std::uint64_t count = 0;
    if (const Last* const last = std::get_if<Last>(&from); last != nullptr) {
        count = std::min(last->count, held);
    } else if (const Since* const since = std::get_if<Since>(&from); since != nullptr) {
        const bool same = since->epoch == room.epoch && since->id < room.history.next();
        count = same ? std::min(held, room.history.next() - 1 - since->id) : held;
    }
    const std::uint64_t each =
        std::max(said_bytes_min, held == 0 ? 0 : room.history.bytes_held() / held);
    return count * each;
}

} // namespace

std::size_t Hub::members_of(std::string_view room) {
    const auto name = Name::parse(room, NameKind::room, ScriptPolicy::any);
    const Name* const valid = std::get_if<Name>(&name);
    const Key key = valid != nullptr ? find_room(valid->folded()) : Key{};
    return key ? rooms_.at(key)->members() : 0;
}

Hub::Cost Hub::cost(Key key, const Command& command) {
    const Member& member = *members_.find(key);
    const auto target = [&](const std::optional<std::string_view>& room) {
        return room ? find_target(member, *room) : current_target(member);
    };
    const auto heard = [&](const Target& room, std::string_view text) {
        return Cost{room.seated ? text.size() * room.room->members() : 0, 0};
    };
    if (const Text* const text = std::get_if<Text>(&command); text != nullptr) {
        return heard(current_target(member), text->text);
    }
    if (const Me* const action = std::get_if<Me>(&command); action != nullptr) {
        return heard(current_target(member), action->text);
    }
    if (const Say* const said = std::get_if<Say>(&command); said != nullptr) {
        return heard(find_target(member, said->room), said->text);
    }
    if (const Msg* const direct = std::get_if<Msg>(&command); direct != nullptr) {
        return {direct->text.size(), 0};
    }
    if (const Topic* const topic = std::get_if<Topic>(&command); topic != nullptr) {
        return topic->text ? heard(target(topic->room), *topic->text) : Cost{};
    }
    if (const Who* const who = std::get_if<Who>(&command); who != nullptr) {
        const Target room = target(who->room);
        return {0, room.room != nullptr ? item_bytes * room.room->members() : 0};
    }
    if (std::holds_alternative<Rooms>(command)) {
        return {0, item_bytes * rooms_.size()};
    }
    if (const Join* const join = std::get_if<Join>(&command); join != nullptr) {
        const Target room = find_target(member, join->room);
        return {0, room.room != nullptr ? replayed(*room.room, join->from) : 0};
    }
    if (const History* const history = std::get_if<History>(&command); history != nullptr) {
        const Target room = target(history->room);
        return {0, room.room != nullptr ? replayed(*room.room, history->from) : 0};
    }
    if (std::holds_alternative<Stats>(command) || std::holds_alternative<Help>(command)) {
        return {0, long_answer};
    }
    return {};
}

} // namespace roomd
