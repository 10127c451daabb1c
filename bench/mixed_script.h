// Script — what the people of a mixed load do next: a pseudo-random order of commands, from the
// same seed in every run.
//
// Owned by the load. Chooses only what must succeed: nobody is addressed by a name that is on its
// way to be another.
#pragma once

#include "bench/mixed_person.h"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace roomd::bench {

class Script {
public:
    /// `rooms`: how many there are. `people` must outlive it.
    Script(std::uint32_t rooms, std::deque<Person>& people) : rooms_(rooms), people_(&people) {}

    /// Somebody does something: appends its command to `out` and says who it is. `message`: the
    /// number of what may be said. Needs at least one person and one room.
    Person& act(std::string& out, std::uint64_t message);

private:
    [[nodiscard]] std::uint64_t below(std::uint64_t limit);
    [[nodiscard]] std::uint32_t one_of(const std::vector<std::uint32_t>& rooms);
    [[nodiscard]] std::uint32_t elsewhere(const Person& person);
    void move(std::string& out, Person& person, bool onward);

    std::uint32_t rooms_;
    std::deque<Person>* people_;
    std::uint64_t state_ = 1;
};

} // namespace roomd::bench
