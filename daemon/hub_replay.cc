#include "daemon/hub.h"
#include "daemon/work.h"

#include <algorithm>
#include <cassert>

// What was said before: sent in portions, then the reply. A join with a replay takes its seat at
// the very moment when the replay has caught up with what is live, so there is neither a hole nor
// a repeat, however slowly the reader takes it.
namespace roomd {

namespace {
constexpr std::uint64_t live_end = UINT64_MAX;

// With `last=N`, or nothing, of /history.
constexpr std::uint64_t last_default = 100;

// A portion while too much memory is pinned already: the replay goes on, and adds next to nothing.
constexpr std::uint32_t scarce_bytes_max = 4096;
} // namespace

void Hub::apply(Key key, const History& command) {
    Member& member = members_.at(key);
    const Target target = require(member, "history", command.room, true);
    if (target.room != nullptr) {
        const ReplayFrom from = std::holds_alternative<std::monostate>(command.from)
                                    ? ReplayFrom(Last{last_default})
                                    : command.from;
        start_replay(key, member, target, from, "history");
    }
}

void Hub::start_replay(Key key, Member& member, const Target& target, const ReplayFrom& from,
                       std::string_view verb) {
    const Room* const room = target.room;
    const bool live =
        verb == "join" && !target.seated; // else there is a seat to keep, or none asked for
    const std::uint64_t next = room->history.next();
    std::uint64_t first = 1;
    if (const Since* const since = std::get_if<Since>(&from); since != nullptr) {
        // Ids of another epoch say nothing about this one: then everything is news.
        const bool same_epoch = since->epoch == room->epoch;
        if (same_epoch && since->id >= next) {
            reply_error(member, verb, ErrorCode::bad_command,
                        "since= names an id that has not been said yet");
            return;
        }
        first = same_epoch ? since->id + 1 : 1;
    } else if (const Last* const last = std::get_if<Last>(&from); last != nullptr) {
        first = std::max(room->history.first(), next - std::min(last->count, next));
    }
    replays_.insert_or_assign(
        key.slot, Replay{target.key, room->name, first, live ? live_end : next, first, verb});
    static_cast<void>(continue_replay(key, limits_->reply_bytes_max));
}

bool Hub::replaying(Key key) const {
    return !replays_.empty() && members_.find(key) != nullptr && replays_.contains(key.slot);
}

bool Hub::continue_replay(Key key, std::uint32_t bytes_max) {
    if (!replaying(key)) {
        return false;
    }
    Member* const member = members_.find(key);
    Replay& replay = replays_.at(key.slot);
    const std::unique_ptr<Room>* const found = rooms_.find(replay.room);
    if (found == nullptr) { // it ended while we were reading from it
        finish_replay(key, *member);
        return false;
    }
    Room& room = **found;
    room.empty_since = now_; // being read from, it is not idle
    catch_up(*member);
    if (arena_->bytes_pinned() > limits_->pinned_bytes_max) {
        bytes_max = std::min(bytes_max, scarce_bytes_max);
    }
    const std::uint64_t end = std::min(replay.end, room.history.next());
    scratch_.clear();
    if (replay.next < std::min(room.history.first(), end)) {
        const std::uint64_t held = std::min(room.history.first(), end);
        encode(scratch_, member->dialect, GapEvent{room.name.text(), replay.next, held - 1});
        replay.next = held;
    }
    while (replay.next < end && scratch_.size() < bytes_max) {
        const HistoryEntry entry = room.history.at(replay.next++);
        SaidEvent said{room.name.text(), entry.id, entry.time_ms, entry.nick, entry.text};
        said.action = entry.action;
        said.replayed = true;
        said.harmless = entry.harmless;
        const std::size_t before = scratch_.size();
        encode(scratch_, member->dialect, said);
        work_ += work::entry_read + work::encode(scratch_.size() - before);
    }
    if (!scratch_.empty()) {
        member->recipient->deliver(scratch_);
    }
    if (replay.next < end) {
        return true;
    }
    finish_replay(key, *member);
    return false;
}

void Hub::finish_replay(Key key, Member& member) {
    const Replay replay = std::move(replays_.extract(key.slot).mapped());
    if (replay.verb == "join") {
        const Room* room = nullptr;
        if (replay.end == live_end) {
            room = enter_room(key, member, replay.name, "join");
        } else {
            room = find_target(member, replay.name.text()).room;
        }
        if (room != nullptr) {
            tell_joined(member, *room);
        }
        return;
    }
    reply_to(member, HistoryReply{replay.name.text(), replay.first, replay.next - 1});
}

} // namespace roomd
