#include "daemon/hub.h"
#include "daemon/work.h"

#include <algorithm>
#include <cassert>

// Answers that go on: what was said before, lists, and what others know. They are sent in portions,
// as fast as the reader takes them, then comes the reply; the next command waits until then.
namespace roomd {

namespace {

// With `last=N`, or nothing, of /history.
constexpr std::uint64_t last_default = 100;

// One portion: some 0.1 ms, so that a round of many who ask for much is short.
constexpr std::uint32_t portion_bytes_max = 32 * 1024;

// A portion while too much memory is pinned already: the answer goes on, and adds next to nothing.
constexpr std::uint32_t scarce_bytes_max = 4096;
} // namespace

void Hub::apply(Key key, const History& command) {
    Member& member = members_.at(key);
    const Target target = require(member, "history", command.room, true);
    if (target.room == nullptr) {
        return;
    }
    const ReplayFrom from = std::holds_alternative<std::monostate>(command.from)
                                ? ReplayFrom(Last{last_default})
                                : command.from;
    const auto first = replay_begins(member, *target.room, from, "history");
    if (first) {
        start_answer(key, Replay{target.key, std::string(target.asked), *first,
                                 target.room->history.next(), *first, "history"});
    }
}

// Nothing, after the refusal, if it cannot begin there.
std::optional<std::uint64_t> Hub::replay_begins(Member& member, const Room& room,
                                                const ReplayFrom& from, std::string_view verb) {
    const std::uint64_t next = room.history.next();
    if (const Since* const since = std::get_if<Since>(&from); since != nullptr) {
        // Ids of another epoch say nothing about this one: then everything is news.
        const bool same_epoch = since->epoch == room.epoch;
        if (same_epoch && since->id >= next) {
            reply_error(member, verb, ErrorCode::bad_command,
                        "since= names an id that has not been said yet");
            return std::nullopt;
        }
        return same_epoch ? since->id + 1 : 1;
    }
    const Last* const last = std::get_if<Last>(&from);
    const std::uint64_t count = last == nullptr ? 0 : last->count;
    return std::max(room.history.first(), next - std::min(count, next));
}

void Hub::answer_at_length(Key key, std::unique_ptr<LongAnswer> answer, bool later) {
    if (later) {
        answers_.insert_or_assign(key.slot, std::move(answer));
    } else {
        start_answer(key, std::move(answer));
    }
}

void Hub::start_answer(Key key, Answer answer) {
    answers_.insert_or_assign(key.slot, std::move(answer));
    static_cast<void>(continue_replay(key, limits_->reply_bytes_max));
}

bool Hub::replaying(Key key) const {
    return !answers_.empty() && members_.find(key) != nullptr && answers_.contains(key.slot);
}

bool Hub::continue_replay(Key key, std::uint32_t bytes_max) {
    if (!replaying(key)) {
        return false;
    }
    if (bytes_max == 0) { // only whether it can go on at all: nothing is added
        const Replay* const replay = std::get_if<Replay>(&answers_.at(key.slot));
        if (replay == nullptr || rooms_.find(replay->room) != nullptr) {
            return true;
        }
        bytes_max = 1;
    }
    bytes_max = std::min(bytes_max, portion_bytes_max);
    if (arena_->bytes_pinned() > limits_->pinned_bytes_max) {
        bytes_max = std::min(bytes_max, scarce_bytes_max);
    }
    Member& member = members_.at(key);
    catch_up(member);
    portion_.clear();
    Answer& answer = answers_.at(key.slot);
    bool more = false;
    if (Replay* const replay = std::get_if<Replay>(&answer); replay != nullptr) {
        more = go_on(key, member, *replay, bytes_max);
    } else if (Listing* const list = std::get_if<Listing>(&answer); list != nullptr) {
        more = go_on(member, *list, bytes_max);
    } else {
        more = std::get<std::unique_ptr<LongAnswer>>(answer)->write_more(portion_, member.dialect,
                                                                         bytes_max, work_);
    }
    if (!portion_.empty()) {
        work_ += work::hand_over(portion_.size());
        member.recipient->deliver(portion_);
    }
    if (!more) {
        finish_replay(key, member);
    }
    return more;
}

bool Hub::go_on(Key /*key*/, Member& member, Replay& replay, std::uint32_t bytes_max) {
    const std::unique_ptr<Room>* const found = rooms_.find(replay.room);
    if (found == nullptr) { // it ended while we were reading from it
        return false;
    }
    Room& room = **found;
    const std::uint64_t end = std::min(replay.end, room.history.next());
    if (replay.next < std::min(room.history.first(), end)) {
        const std::uint64_t held = std::min(room.history.first(), end);
        encode(portion_, member.dialect, GapEvent{room.shown(), replay.next, held - 1});
        replay.next = held;
    }
    while (replay.next < end && portion_.size() < bytes_max) {
        const HistoryEntry entry = room.history.at(replay.next++);
        SaidEvent said{room.shown(), entry.id, entry.time_ms, entry.nick, entry.text};
        said.action = entry.action;
        said.replayed = true;
        said.harmless = entry.harmless;
        const std::size_t before = portion_.size();
        encode(portion_, member.dialect, said);
        work_ += work::entry_read + work::encode(portion_.size() - before);
    }
    return replay.next < end;
}

void Hub::finish_replay(Key key, Member& member) {
    const Answer answer = std::move(answers_.extract(key.slot).mapped());
    const Replay* const replay = std::get_if<Replay>(&answer);
    if (replay == nullptr) {
        return;
    }
    if (replay->verb == "history") {
        reply_to(member, HistoryReply{replay->asked, replay->first, replay->next - 1});
        return;
    }
    const Membership* const membership = membership_of(member, replay->room);
    Room* room = nullptr;
    if (membership != nullptr) {
        room = rooms_.at(replay->room).get();
        room->release(member.dialect, membership->seat);
        if (replay->state_units && *replay->state_units != room->state_units) {
            reply_to(member, StaleEvent{room->shown()});
        }
    } else if (auto name = parse_name(replay->asked, NameKind::room, ScriptPolicy::any);
               std::holds_alternative<Name>(name)) {
        // A version before this one took the seat at the end, and has handed it over like that.
        Key room_key;
        room = enter_room(key, member, std::get<Name>(name), "join", room_key);
    }
    if (room != nullptr) {
        tell_joined(member, *room, replay->asked);
    }
}

} // namespace roomd
