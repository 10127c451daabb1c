#include "test/sim/ear.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace roomd::sim {

std::string_view Words::next() {
    const std::size_t space = rest_.find(' ');
    const std::string_view word = rest_.substr(0, space);
    rest_.remove_prefix(space == std::string_view::npos ? rest_.size() : space + 1);
    return word;
}

std::uint64_t Words::number() {
    const std::string_view word = next();
    std::uint64_t value = UINT64_MAX;
    std::from_chars(word.data(), word.data() + word.size(), value);
    return value;
}

EventEar::EventEar(World& world, Ledger& ledger, Hearer hearer, bool echo,
                   const std::string& default_room)
    : Ear(world, ledger, std::move(hearer)), echo_(echo) {
    if (!default_room
             .empty()) { // entered on connect, before there was a way to say where it begins
        seats_[default_room].in = true;
        order_.push_back(default_room);
    }
}

void EventEar::hear(std::string_view payload) {
    world_->say(hearer_.name + " < " + std::string(payload.substr(0, 120)));
    if (!welcomed_) {
        hear_greeting(payload);
        return;
    }
    if (!goodbye_.empty()) {
        fail("hears something after the goodbye: " + std::string(payload.substr(0, 80)));
        return;
    }
    Words words(payload);
    const std::string_view verb = words.next();
    if (verb == "msg" || verb == "act") {
        hear_said(words, verb == "act");
    } else if (verb == "old" || verb == "oldact") {
        hear_old(words, verb == "oldact");
    } else if (verb == "ok") {
        hear_ok(words);
    } else if (verb == "err") {
        hear_err(words);
    } else if (verb == "gap") {
        hear_gap(words);
    } else if (verb == "bye") {
        hear_bye(words);
    } else if (verb == "dm") {
        hear_direct(words);
    } else {
        hear_presence(verb, words);
    }
}

void EventEar::hear_greeting(std::string_view payload) {
    if (payload.starts_with("welcome 1 ")) {
        welcomed_ = true;
        nick_ = payload.substr(payload.rfind(' ') + 1);
        if (front("hello") != nullptr) {
            pending_.pop_front();
        }
    } else if (payload.starts_with("! ") && payload.ends_with("the room is full")) {
        seats_.clear(); // the listener's room did not take it
        order_.clear();
    } else if (payload.starts_with("! ") || payload.starts_with("bye ")) {
        goodbye_ = "early";
    } else if (payload.starts_with("err ")) {
        fail("its greeting is refused: " + std::string(payload));
    }
}

const Expectation* EventEar::front(std::string_view verb) {
    if (pending_.empty()) {
        fail("a reply to nothing: " + std::string(verb));
        return nullptr;
    }
    const Expectation& first = pending_.front();
    if (first.verb != verb) {
        fail("a reply to " + std::string(verb) + ", but the oldest command without one is " +
             first.verb);
        return nullptr;
    }
    return &first;
}

bool EventEar::replaying(const std::string& room) const {
    return !pending_.empty() && pending_.front().replays &&
           (pending_.front().room.empty() || pending_.front().room == room);
}

void EventEar::advance(const std::string& room, Seat& seat, std::uint64_t id) {
    if (seat.next != 0 && id < seat.next) {
        fail("hears " + room + " " + std::to_string(id) + " again: " + std::to_string(seat.next) +
             " was next");
    }
    if (seat.next != 0 && id > seat.next) {
        fail("misses " + room + " " + std::to_string(seat.next) + " without a gap; hears " +
             std::to_string(id));
    }
    seat.next = id;
}

void EventEar::hear_said(Words words, bool action) {
    const std::string room(words.next());
    const std::uint64_t id = words.number();
    static_cast<void>(words.number());
    const std::string_view nick = words.next();
    Seat& seat = seats_[room];
    if (!seat.in) {
        fail("hears a message of " + room + " without being in it");
        return;
    }
    const std::uint32_t token =
        ledger_->heard(hearer_.name, words.rest(), nick, hearer_.visible, action);
    if (token == nobody) {
        return;
    }
    if (ledger_->at(token).author == hearer_.number && !echo_ &&
        ledger_->at(token).connection == hearer_.connection) {
        fail("hears itself");
    }
    advance(room, seat, id);
    seat.next = id + 1;
    const Place& place = ledger_->at(token).place;
    if (seat.epoch.empty() && place.id != 0) {
        seat.epoch = place.epoch;
    }
    if (!seat.epoch.empty()) {
        ledger_->placed(hearer_.name, token, {room, seat.epoch, id});
    }
}

void EventEar::hear_old(Words words, bool action) {
    const std::string room(words.next());
    const std::uint64_t id = words.number();
    static_cast<void>(words.number());
    const std::string_view nick = words.next();
    if (!replaying(room)) {
        fail("hears of old in " + room + " without having asked");
        return;
    }
    const std::uint32_t token =
        ledger_->heard(hearer_.name, words.rest(), nick, hearer_.visible, action);
    if (replay_.first == 0 || (replay_.heard.empty() && id < replay_.next)) {
        replay_.first = id; // a gap before it was of what is live
        replay_.next = id;
    }
    if (id != replay_.next) {
        fail("a replay of " + room + " jumps to " + std::to_string(id) + ", " +
             std::to_string(replay_.next) + " was next");
    }
    replay_.next = id + 1;
    replay_.heard.emplace_back(id, token);
}

bool EventEar::gap_of_replay(const Seat& seat, std::uint64_t first, std::uint64_t last) const {
    if (!seat.in) {
        return true;
    }
    if (seat.next != 0) { // what a member has heard live is behind it
        return last < seat.next || (replay_.first != 0 && first == replay_.next);
    }
    const Expectation& asked = pending_.front();
    return replay_.first != 0 ? first == replay_.next
                              : asked.has_since && first == asked.since_id + 1;
}

void EventEar::hear_gap(Words words) {
    const std::string room(words.next());
    const std::uint64_t first = words.number();
    const std::uint64_t last = words.number();
    Seat& seat = seats_[room];
    if (last < first || last == UINT64_MAX) {
        fail("a gap without a meaning");
        return;
    }
    if (replaying(room) && gap_of_replay(seat, first, last)) {
        if (replay_.first == 0) {
            replay_.first = first;
            replay_.next = first;
        }
        if (first != replay_.next) {
            fail("a gap in a replay of " + room + " begins at " + std::to_string(first) + ", " +
                 std::to_string(replay_.next) + " was next");
        }
        replay_.next = last + 1;
        return;
    }
    if (!seat.in) {
        fail("a gap of " + room + " without being in it");
        return;
    }
    advance(room, seat, first);
    seat.next = last + 1;
}

void EventEar::hear_direct(Words words) {
    static_cast<void>(words.number());
    const std::string_view nick = words.next();
    const std::uint32_t token =
        ledger_->heard(hearer_.name, words.rest(), nick, hearer_.visible, false);
    if (token != nobody && !ledger_->at(token).to_one) {
        fail("hears in private what was said in a room");
    }
}

void EventEar::hear_presence(std::string_view verb, Words words) {
    static constexpr std::array<std::string_view, 4> of_rooms{"join", "part", "topic", "crowd"};
    if (std::find(of_rooms.begin(), of_rooms.end(), verb) != of_rooms.end()) {
        const std::string room(words.next());
        const Seat& seat = seats_[room];
        const std::string nick(words.next());
        if (verb == "part" && words.rest() == "left" && !seat.epoch.empty() && seat.next != 0) {
            ledger_->saw_leave(room, seat.epoch, nick, seat.next);
        }
        if (!seat.in) {
            fail("hears " + std::string(verb) + " of " + room + " without being in it");
        }
    } else if (verb == "stale") {
        const std::string room(words.next());
        if (!seats_[room].in && !replaying(room)) {
            fail("hears stale of " + room + " without being in it");
        }
    } else if (verb != "nick" && verb != "who" && verb != "rooms") {
        fail("hears a verb that does not exist: " + std::string(verb));
    }
}

void EventEar::hear_bye(Words words) {
    goodbye_ = words.next();
    if (goodbye_ == "quit" && front("quit") != nullptr) {
        pending_.pop_front();
    }
}

void EventEar::abandon() {
    for (const Expectation& expectation : pending_) {
        if (expectation.verb == "leave") {
            ledger_->distrust(nick_);
        }
    }
}

void EventEar::check_settled() {
    if (!goodbye_.empty() || !welcomed_) {
        return;
    }
    if (!pending_.empty()) {
        fail("has no reply to " + pending_.front().verb + " and " +
             std::to_string(pending_.size() - 1) + " later commands");
    }
    for (const auto& [room, seat] : seats_) {
        if (!seat.in || seat.next == 0 || seat.epoch.empty()) {
            continue;
        }
        const std::uint64_t last = ledger_->last_id(room, seat.epoch);
        if (seat.next <= last) {
            fail("has heard " + room + " up to " + std::to_string(seat.next - 1) + ", but " +
                 std::to_string(last) + " messages were said");
        }
    }
}

} // namespace roomd::sim
