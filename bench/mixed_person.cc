#include "bench/mixed_person.h"

#include "bench/swarm.h"

#include <algorithm>

namespace roomd::bench {

std::string first_nick(std::uint32_t number) {
    return "m" + std::to_string(number);
}

Person::Person(std::uint32_t number, std::span<Minutes> rooms, std::size_t text_bytes)
    : number_(number), rooms_(rooms), text_bytes_(std::max(text_bytes, stamp_bytes)) {}

std::string Person::name_after(std::uint64_t names) const {
    return first_nick(number_) + (names == 0 ? "" : "-" + std::to_string(names));
}

void Person::ask(std::string& out, std::string_view command, const Asked& asked) {
    encode_payload(out, Framing::frame, command);
    asked_.push_back(asked);
}

void Person::join(std::string& out, std::uint32_t room) {
    rooms_wanted_.push_back(room);
    ask(out, "/join " + Swarm::room_name(room),
        {Verb::join, room, 0, rooms_[room].last(), rooms_[room].epochs()});
}

void Person::leave(std::string& out, std::uint32_t room) {
    std::erase(rooms_wanted_, room);
    ask(out, "/leave " + Swarm::room_name(room),
        {Verb::leave, room, 0, rooms_[room].last(), rooms_[room].epochs()});
}

void Person::say(std::string& out, std::uint32_t room, std::uint64_t message) {
    std::string command = "/say " + Swarm::room_name(room) + ' ';
    write_text(command, {number_, message}, text_bytes_);
    ask(out, command, {Verb::say, room, message});
}

void Person::whisper(std::string& out, Person& to, std::uint64_t message) {
    std::string command = "/msg " + to.nick() + ' ';
    write_text(command, {number_, message}, text_bytes_);
    ask(out, command, {Verb::msg, 0, message, 0, 0, &to});
    to.awaited_.push_back({number_, message});
    ++to.addressed_;
}

void Person::rename(std::string& out) {
    ++names_;
    ++renaming_;
    ask(out, "/nick " + nick(), {Verb::nick, 0, names_});
}

void Person::ping(std::string& out) {
    ask(out, "/ping", {Verb::ping});
}

std::string Person::lacks() const {
    for (const Stay& stay : stays_) {
        if (stay.next <= rooms_[stay.room].last()) {
            return sentence("misses " + Swarm::room_name(stay.room) + ' ' +
                            std::to_string(stay.next) + ": " +
                            std::to_string(rooms_[stay.room].last()) + " was the last");
        }
    }
    if (!awaited_.empty()) {
        return sentence("misses private message " + std::to_string(awaited_.front().number) +
                        " of " + first_nick(awaited_.front().publisher));
    }
    return {};
}

std::string Person::sentence(const std::string& what) const {
    return first_nick(number_) + ' ' + what;
}

void Person::fail(const std::string& what) {
    if (failure_.empty()) {
        failure_ = sentence(what);
    }
}

} // namespace roomd::bench
