// The replies an event-format client hears: one for each command, in order, and true.
#include "test/sim/ear.h"

#include <algorithm>

namespace roomd::sim {

void EventEar::hear_ok(Words words) {
    const std::string verb(words.next());
    const Expectation* const first = front(verb);
    if (first == nullptr) {
        return;
    }
    const Expectation expectation = *first;
    pending_.pop_front();
    if (expectation.bad) {
        fail("a " + verb + " that had to be refused was not");
    }
    if (verb == "say" || verb == "me") {
        ok_said(expectation, words);
    } else if (verb == "join") {
        ok_join(expectation, words);
    } else if (verb == "leave") {
        ok_leave(expectation, words);
    } else if (verb == "history") {
        ok_history(expectation, words);
    } else if (verb == "nick") {
        nick_ = words.rest();
    } else if (verb == "ping" && words.rest() != expectation.ping) {
        fail("a ping comes back as another");
    }
}

void EventEar::hear_err(Words words) {
    const std::string verb(words.next());
    const std::string code(words.next());
    if (pending_.empty()) {
        fail("a refusal of nothing: " + verb + " " + code);
        return;
    }
    const Expectation expectation = pending_.front();
    pending_.pop_front();
    replay_ = {};
    if (expectation.bad) {
        return;
    }
    if (expectation.verb != verb) {
        fail("a refusal of " + verb + ", but the oldest command without a reply is " +
             expectation.verb);
        return;
    }
    if (hearer_.limited && code == "rate_limited") {
        return;
    }
    const bool away = code == "not_in_room" || code == "no_room";
    const bool spoke = verb == "say" || verb == "me" || verb == "history";
    if (spoke && away) {
        const bool in = expectation.room.empty() ? !order_.empty() : seats_[expectation.room].in;
        if (in) {
            fail(verb + " is refused with " + code + " in a room it is in");
        }
    }
    if (verb == "join" && (code == "bad_command" || away)) {
        fail("a join is refused with " + code);
    }
    if (verb == "ping" || verb == "quit") {
        fail(verb + " is refused with " + code);
    }
}

void EventEar::ok_said(const Expectation& front, Words words) {
    const std::string room(words.next());
    const std::uint64_t id = words.number();
    Seat& seat = seats_[room];
    const std::string& meant = front.room.empty() && !order_.empty() ? order_.back() : front.room;
    if (!seat.in || room != meant) {
        fail("what it said in " + meant + " is acknowledged in " + room);
        return;
    }
    if (!seat.epoch.empty()) {
        ledger_->placed(hearer_.name, front.token, {room, seat.epoch, id});
    }
    // What was said before one's own message is heard before its reply; with echo=on the message
    // too.
    const std::uint64_t heard = echo_ ? id + 1 : id;
    if (seat.next != 0 && seat.next != heard) {
        fail("is told that its own " + room + " " + std::to_string(id) +
             " was said, and hears next " + std::to_string(seat.next));
        return;
    }
    seat.next = id + 1;
}

void EventEar::check_replay_of_join(const Expectation& front, const std::string& epoch,
                                    std::uint64_t next) {
    const bool anew = front.has_since && front.since_epoch != epoch && next == 1;
    if (anew) {
        return; // the room ended and began again: nothing of before counts
    }
    if (replay_.first != 0 && replay_.next != next) {
        fail("the replay ends before " + std::to_string(replay_.next) + ", live begins with " +
             std::to_string(next));
    }
    if (!front.has_since) {
        return;
    }
    const std::uint64_t wanted = front.since_epoch == epoch ? front.since_id + 1 : 1;
    const std::uint64_t begun = replay_.first != 0 ? replay_.first : next;
    if (begun != wanted) {
        fail("since= asked for what follows from " + std::to_string(wanted) +
             " on, it begins with " + std::to_string(begun));
    }
}

void EventEar::place_replayed(const std::string& room, const std::string& epoch) {
    for (const auto& [id, token] : replay_.heard) {
        if (token != nobody && !epoch.empty()) {
            ledger_->placed(hearer_.name, token, {room, epoch, id});
        }
    }
    replay_ = {};
}

void EventEar::ok_join(const Expectation& front, Words words) {
    const std::string room(words.next());
    const std::string epoch(words.next());
    const std::uint64_t first = words.number();
    const std::uint64_t next = words.number();
    if (room != front.room || first > next) {
        fail("a join of " + front.room + " is answered for " + room);
        return;
    }
    Seat& seat = seats_[room];
    if (seat.in) { // only made it the current one
        if (!seat.epoch.empty() && seat.epoch != epoch) {
            fail("the epoch of " + room + " changed under a member");
        }
        seat.epoch = epoch;
        if (front.replays) {
            check_replay_of_join(front, epoch, next);
            if (seat.next != 0 && seat.next < next && replay_.first != 0 &&
                replay_.first <= seat.next) {
                seat.next = next; // what was live meanwhile has come with the replay
            }
        }
        advance(room, seat, next);
        std::erase(order_, room);
    } else {
        if (front.replays) {
            check_replay_of_join(front, epoch, next);
        }
        seat = {true, epoch, next};
    }
    order_.push_back(room);
    place_replayed(room, epoch);
}

void EventEar::ok_leave(const Expectation& front, Words words) {
    const std::string room(words.next());
    Seat& seat = seats_[room];
    const std::string& meant = front.room.empty() && !order_.empty() ? order_.back() : front.room;
    if (!seat.in || room != meant) {
        fail("leaves " + room + ", meant " + meant);
    }
    ledger_->left(room, seat.epoch, nick_, seat.next);
    seat = {};
    std::erase(order_, room);
}

void EventEar::ok_history(const Expectation& front, Words words) {
    const std::string room(words.next());
    const std::uint64_t first = words.number();
    const std::uint64_t last = words.number();
    const bool empty = replay_.first == 0;
    if (!empty && (replay_.first != first || replay_.next != last + 1)) {
        fail("a history of " + room + " from " + std::to_string(first) + " to " +
             std::to_string(last) + " holds " + std::to_string(replay_.first) + " to " +
             std::to_string(replay_.next - 1));
    }
    if (empty && first <= last) {
        fail("a history of " + room + " says it holds something, and holds nothing");
    }
    if (front.has_since && front.since_epoch == seats_[room].epoch && first != front.since_id + 1) {
        fail("a history since " + std::to_string(front.since_id) + " begins with " +
             std::to_string(first));
    }
    place_replayed(room, seats_[room].epoch);
}

} // namespace roomd::sim
