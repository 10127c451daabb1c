#include "bench/mixed_script.h"

#include <algorithm>

namespace roomd::bench {

namespace {

// Of a hundred commands; of the others all but whispers are said in rooms.
constexpr std::uint64_t hundred = 100;
constexpr std::uint64_t joins = 5;
constexpr std::uint64_t leaves = 4;
constexpr std::uint64_t names = 4;
constexpr std::uint64_t whispers = 2;

// Who is in so many leaves one where it would join: rooms stay about as full as they began.
constexpr std::size_t rooms_each_max = 2;

} // namespace

// SplitMix64: the same numbers on every machine.
std::uint64_t Script::below(std::uint64_t limit) {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return (mixed ^ (mixed >> 31U)) % limit;
}

Person& Script::act(std::string& out, std::uint64_t message) {
    Person& person = (*people_)[below(people_->size())];
    const std::uint64_t draw = below(hundred);
    if (person.rooms().empty() || draw < joins + leaves) {
        move(out, person, draw < joins);
        return person;
    }
    if (draw < joins + leaves + names && person.may_rename()) {
        person.rename(out);
        return person;
    }
    Person& other = (*people_)[below(people_->size())];
    if (draw >= hundred - whispers && &other != &person && other.may_be_addressed()) {
        person.whisper(out, other, message);
        return person;
    }
    person.say(out, one_of(person.rooms()), message);
    return person;
}

void Script::move(std::string& out, Person& person, bool onward) {
    const std::size_t most = std::min<std::size_t>(rooms_each_max, rooms_);
    if (person.rooms().empty() || (onward && person.rooms().size() < most)) {
        person.join(out, elsewhere(person));
    } else {
        person.leave(out, one_of(person.rooms()));
    }
}

std::uint32_t Script::one_of(const std::vector<std::uint32_t>& rooms) {
    return rooms[below(rooms.size())];
}

std::uint32_t Script::elsewhere(const Person& person) {
    auto room = static_cast<std::uint32_t>(below(rooms_));
    while (std::find(person.rooms().begin(), person.rooms().end(), room) != person.rooms().end()) {
        room = (room + 1) % rooms_;
    }
    return room;
}

} // namespace roomd::bench
