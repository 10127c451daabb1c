#include "bench/mixed_person.h"
#include "bench/swarm.h"

#include <algorithm>
#include <array>
#include <charconv>

// What a person of a mixed load hears, held against what it must hear.
namespace roomd::bench {

namespace {

constexpr std::size_t quoted_max = 80;

/// 0, which is no id, if it is no number.
std::uint64_t number_in(std::string_view word) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    return error == std::errc() && end == word.data() + word.size() ? value : 0;
}

std::string quoted(std::string_view text) {
    return '"' + std::string(text.substr(0, quoted_max)) + '"';
}

std::string place(std::string_view room, std::uint64_t id) {
    return std::string(room) + ' ' + std::to_string(id);
}

} // namespace

Person::News Person::hear(std::string_view payload) {
    const ParsedEvent event = parse_event(payload);
    if (event.verb == "msg") {
        return hear_message(event);
    }
    if (event.verb == "ok") {
        return hear_reply(event, payload);
    }
    if (event.verb == "dm") {
        return hear_whisper(event);
    }
    if (event.verb == "gap") {
        fail("was not given " + std::string(event.fields[0]) + ' ' + std::string(event.fields[1]) +
             " to " + std::string(event.fields[2]));
    } else if (event.verb == "err" || event.verb == "bye" || !event.known) {
        fail("is told " + quoted(payload));
    }
    return {}; // who comes, goes and takes another name
}

Person::News Person::hear_message(const ParsedEvent& event) {
    const std::uint64_t id = number_in(event.fields[1]);
    Stay* const stay = stay_in(event.fields[0]);
    if (stay == nullptr) {
        fail("hears " + place(event.fields[0], id) + " without being in that room");
        return {};
    }
    if (!advance(*stay, id)) {
        return {};
    }
    News news{News::Kind::message, {}};
    std::string wrong = our_text(event.text, news.stamp);
    if (wrong.empty() && news.stamp.publisher == number_) {
        wrong = "is its own";
    }
    if (wrong.empty()) {
        wrong = rooms_[stay->room].heard(id, news.stamp);
    }
    if (!wrong.empty()) {
        fail("hears " + place(event.fields[0], id) + ", which " + wrong);
    }
    return news;
}

Person::News Person::hear_whisper(const ParsedEvent& event) {
    News news{News::Kind::whisper, {}};
    if (const std::string wrong = our_text(event.text, news.stamp); !wrong.empty()) {
        fail("hears in private what " + wrong);
        return {};
    }
    const auto due = std::find_if(awaited_.begin(), awaited_.end(), [&](const Stamp& stamp) {
        return stamp.publisher == news.stamp.publisher;
    });
    if (due == awaited_.end() || due->number != news.stamp.number) {
        fail("hears private message " + std::to_string(news.stamp.number) + " of " +
             first_nick(news.stamp.publisher) + " where " +
             (due == awaited_.end() ? "none" : std::to_string(due->number)) + " was due");
        return {};
    }
    awaited_.erase(due);
    return news;
}

Person::News Person::hear_reply(const ParsedEvent& event, std::string_view payload) {
    if (asked_.empty() || !is_reply_to(asked_.front(), event)) {
        fail("is told " + quoted(payload) +
             (asked_.empty() ? ", but has asked nothing" : ", which answers something else"));
        return {};
    }
    const Asked asked = asked_.front();
    asked_.pop_front();
    switch (asked.verb) {
    case Verb::join:
        hear_joined(asked, event);
        break;
    case Verb::leave:
        hear_left(asked);
        break;
    case Verb::say:
        hear_said(asked, event);
        return {News::Kind::said, {number_, asked.message}};
    case Verb::msg:
        --asked.to->addressed_;
        break;
    case Verb::nick:
        --renaming_;
        break;
    case Verb::ping:
        break;
    }
    return {News::Kind::answered, {}};
}

bool Person::is_reply_to(const Asked& asked, const ParsedEvent& event) const {
    constexpr std::array<std::string_view, 6> words{"join", "leave", "say", "msg", "nick", "ping"};
    if (!event.known || event.fields[0] != words.at(static_cast<std::size_t>(asked.verb))) {
        return false;
    }
    switch (asked.verb) {
    case Verb::join:
    case Verb::leave:
    case Verb::say:
        return event.fields[1] == Swarm::room_name(asked.room);
    case Verb::msg:
        return event.fields[1] == asked.to->nick();
    case Verb::nick:
        return event.fields[1] == name_after(asked.message);
    case Verb::ping:
        break;
    }
    return true;
}

// What was acknowledged before it asked is no news; from `next` on everything is.
void Person::hear_joined(const Asked& asked, const ParsedEvent& event) {
    const std::uint64_t next = number_in(event.fields[4]);
    Minutes& minutes = rooms_[asked.room];
    minutes.open(event.fields[2], next);
    if (minutes.epochs() == asked.epochs && next <= asked.last) {
        fail("is to hear " + Swarm::room_name(asked.room) + " from " + std::to_string(next) +
             " on, but " + std::to_string(asked.last) + " was said before it joined");
    }
    stays_.push_back({asked.room, next});
}

// What was acknowledged before it asked to leave it must have heard.
void Person::hear_left(const Asked& asked) {
    const std::string room = Swarm::room_name(asked.room);
    const Stay* const stay = stay_in(room);
    if (stay == nullptr) {
        fail("leaves " + room + " without being in it");
        return;
    }
    if (rooms_[asked.room].epochs() == asked.epochs && stay->next <= asked.last) {
        fail("misses " + place(room, stay->next) + ": it leaves, and " +
             std::to_string(asked.last) + " was said before");
    }
    std::erase_if(stays_, [&](const Stay& entry) { return entry.room == asked.room; });
}

void Person::hear_said(const Asked& asked, const ParsedEvent& event) {
    const std::uint64_t id = number_in(event.fields[2]);
    Stay* const stay = stay_in(event.fields[1]);
    if (stay == nullptr) {
        fail("has said " + place(event.fields[1], id) + " without being in that room");
        return;
    }
    if (!advance(*stay, id)) {
        return;
    }
    const std::string wrong = rooms_[asked.room].claimed(id, {number_, asked.message});
    if (!wrong.empty()) {
        fail("has said " + place(event.fields[1], id) + ", which " + wrong);
    }
}

Person::Stay* Person::stay_in(std::string_view room) {
    const auto stay = std::find_if(stays_.begin(), stays_.end(), [room](const Stay& entry) {
        return Swarm::room_name(entry.room) == room;
    });
    return stay == stays_.end() ? nullptr : &*stay;
}

bool Person::advance(Stay& stay, std::uint64_t id) {
    if (id < stay.next) {
        fail("hears of " + place(Swarm::room_name(stay.room), id) +
             " again: " + std::to_string(stay.next) + " was due");
        return false;
    }
    if (id > stay.next) {
        fail("misses " + place(Swarm::room_name(stay.room), stay.next) + ": " + std::to_string(id) +
             " came instead");
        return false;
    }
    ++stay.next;
    return true;
}

/// What is wrong with it; empty if nothing is.
std::string Person::our_text(std::string_view text, Stamp& stamp) const {
    if (text.size() != text_bytes_ || !read_text(text, stamp) ||
        text.find_first_not_of('x', stamp_bytes) != std::string_view::npos) {
        return "none of us has said: " + quoted(text);
    }
    return {};
}

} // namespace roomd::bench
