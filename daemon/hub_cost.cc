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

// What a command costs the others who hear it, and what its answer takes. Those that are not named
// here do little, and answer in a line.
struct Hub::CostOf {
    Hub& hub;
    const Member& member;

    [[nodiscard]] Target target(const std::optional<std::string_view>& room) const {
        return room ? hub.find_target(member, *room) : hub.current_target(member);
    }

    [[nodiscard]] static Cost heard(const Target& room, std::string_view text) {
        return {room.seated ? text.size() * room.room->members() : 0, 0};
    }

    [[nodiscard]] static Cost replay(const Target& room, const ReplayFrom& from) {
        return {0, room.room != nullptr ? replayed(*room.room, from) : 0};
    }

    Cost operator()(const Text& said) const { return heard(hub.current_target(member), said.text); }

    Cost operator()(const Me& said) const { return heard(hub.current_target(member), said.text); }

    Cost operator()(const Say& said) const { return heard(target(said.room), said.text); }

    Cost operator()(const Msg& direct) const { return {direct.text.size(), 0}; }

    Cost operator()(const Topic& topic) const {
        return topic.text ? heard(target(topic.room), *topic.text) : Cost{};
    }

    Cost operator()(const Who& who) const {
        const Target room = target(who.room);
        return {0, room.room != nullptr ? item_bytes * room.room->members() : 0};
    }

    Cost operator()(const Rooms& /*unused*/) const { return {0, item_bytes * hub.rooms_.size()}; }

    Cost operator()(const Join& join) const { return replay(target(join.room), join.from); }

    Cost operator()(const History& history) const {
        return replay(target(history.room), history.from);
    }

    Cost operator()(const Stats& /*unused*/) const { return {0, long_answer}; }

    Cost operator()(const Help& /*unused*/) const { return {0, long_answer}; }

    template <typename Other>
    Cost operator()(const Other& /*unused*/) const {
        return {};
    }
};

Hub::Cost Hub::cost(Key key, const Command& command) {
    return std::visit(CostOf{*this, *members_.find(key)}, command);
}

} // namespace roomd
