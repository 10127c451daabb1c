#include "bench/mixed_minutes.h"
#include "bench/mixed_person.h"
#include "bench/mixed_script.h"
#include "bench/plan.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace roomd::bench;

constexpr std::size_t text_bytes = 32;

std::string text_of(std::uint32_t person, std::uint64_t message) {
    std::string text;
    write_text(text, {person, message}, text_bytes);
    return text;
}

std::string msg(std::string_view room, std::uint64_t id, std::uint32_t person,
                std::uint64_t message) {
    return "msg " + std::string(room) + ' ' + std::to_string(id) + " 1700000000000 m" +
           std::to_string(person) + ' ' + text_of(person, message);
}

/// Three people and two rooms; a test plays the server.
struct Company {
    Company() {
        for (std::uint32_t number = 0; number < 3; ++number) {
            people.emplace_back(number, rooms, text_bytes);
        }
    }

    /// Person `number` enters room 0, and is to hear it from `next` on.
    Person& joined(std::uint32_t number, std::uint64_t next) {
        Person& person = people[number];
        person.join(out, 0);
        hear(person, "ok join bench-0 E1 1 " + std::to_string(next) + " 1");
        return person;
    }

    static Person::News hear(Person& person, std::string_view payload) {
        return person.hear(payload);
    }

    std::vector<Minutes> rooms{2};
    std::deque<Person> people;
    std::string out;
};

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("mixed: others' messages and one's own make one sequence") {
    Company company;
    Person& person = company.joined(0, 5);
    CHECK(Company::hear(person, msg("bench-0", 5, 1, 40)).kind == Person::News::Kind::message);
    person.say(company.out, 0, 41);
    CHECK(Company::hear(person, "ok say bench-0 6").kind == Person::News::Kind::said);
    CHECK(Company::hear(person, msg("bench-0", 7, 2, 42)).stamp.number == 42);
    Company::hear(person, "join bench-0 m2");
    CHECK(person.failure().empty());
    CHECK(person.lacks().empty());
}

TEST_CASE("mixed: a hole, a repeat and a gap are told with person, room and id") {
    SUBCASE("a hole before a message") {
        Company company;
        Person& person = company.joined(2, 5);
        Company::hear(person, msg("bench-0", 6, 1, 40));
        CHECK(person.failure() == "m2 misses bench-0 5: 6 came instead");
    }
    SUBCASE("a hole before one's own") {
        Company company;
        Person& person = company.joined(2, 5);
        person.say(company.out, 0, 41);
        Company::hear(person, "ok say bench-0 6");
        CHECK(person.failure() == "m2 misses bench-0 5: 6 came instead");
    }
    SUBCASE("a repeat") {
        Company company;
        Person& person = company.joined(1, 5);
        Company::hear(person, msg("bench-0", 5, 0, 40));
        Company::hear(person, msg("bench-0", 5, 0, 40));
        CHECK(person.failure() == "m1 hears of bench-0 5 again: 6 was due");
    }
    SUBCASE("honest loss is loss") {
        Company company;
        Person& person = company.joined(1, 5);
        Company::hear(person, "gap bench-0 5 9");
        CHECK(person.failure() == "m1 was not given bench-0 5 to 9");
    }
}

TEST_CASE("mixed: what is heard where one is not, or was said by nobody, is a failure") {
    SUBCASE("never in the room") {
        Company company;
        Person& person = company.joined(0, 5);
        Company::hear(person, msg("bench-1", 1, 1, 40));
        CHECK(says(person.failure(), "m0 hears bench-1 1 without being in that room"));
    }
    SUBCASE("in it no more") {
        Company company;
        Person& person = company.joined(0, 5);
        person.leave(company.out, 0);
        Company::hear(person, msg("bench-0", 5, 1, 40)); // the answer is still to come
        CHECK(person.failure().empty());
        Company::hear(person, "ok leave bench-0");
        Company::hear(person, msg("bench-0", 6, 1, 41));
        CHECK(says(person.failure(), "m0 hears bench-0 6 without"));
    }
    SUBCASE("a stranger's text") {
        Company company;
        Person& person = company.joined(0, 5);
        Company::hear(person, "msg bench-0 5 1700000000000 eve hello there");
        CHECK(says(person.failure(), "bench-0 5, which none of us has said: \"hello there\""));
    }
    SUBCASE("a text that was spoilt") {
        Company company;
        Person& person = company.joined(0, 5);
        std::string spoilt = msg("bench-0", 5, 1, 40);
        spoilt.back() = 'y';
        Company::hear(person, spoilt);
        CHECK(says(person.failure(), "none of us has said"));
    }
    SUBCASE("its own") {
        Company company;
        Person& person = company.joined(0, 5);
        Company::hear(person, msg("bench-0", 5, 0, 40));
        CHECK(says(person.failure(), "bench-0 5, which is its own"));
    }
}

TEST_CASE("mixed: an id is one message, for who hears it and for who said it") {
    SUBCASE("two members hear different things") {
        Company company;
        Person& one = company.joined(0, 5);
        Person& other = company.joined(1, 5);
        Company::hear(one, msg("bench-0", 5, 2, 40));
        Company::hear(other, msg("bench-0", 5, 2, 41));
        CHECK(one.failure().empty());
        CHECK(says(other.failure(), "bench-0 5, which is message 41 of m2 to one and message 40"));
    }
    SUBCASE("its speaker is told a stranger's id") {
        Company company;
        Person& one = company.joined(0, 5);
        Person& speaker = company.joined(1, 5);
        Company::hear(one, msg("bench-0", 5, 2, 40));
        speaker.say(company.out, 0, 41);
        Company::hear(speaker, "ok say bench-0 5");
        CHECK(says(speaker.failure(), "m1 has said bench-0 5, which is message 41 of m1"));
    }
    SUBCASE("heard and acknowledged to nobody") {
        Company company;
        Person& one = company.joined(0, 5);
        Company::hear(one, msg("bench-0", 5, 2, 40));
        CHECK(company.rooms[0].unclaimed() == 5);
        Person& speaker = company.joined(2, 5);
        speaker.say(company.out, 0, 40);
        Company::hear(speaker, "ok say bench-0 5");
        CHECK(speaker.failure().empty());
        CHECK(company.rooms[0].unclaimed() == 0);
    }
    SUBCASE("an id from nowhere") {
        Minutes minutes;
        minutes.open("E1", 5);
        CHECK_FALSE(minutes.heard(std::uint64_t{1} << 40U, {1, 40}).empty());
    }
}

TEST_CASE("mixed: what was acknowledged before a join is not heard, before a leave it is") {
    Company company;
    Person& speaker = company.joined(0, 5);
    Person& member = company.joined(1, 5);
    speaker.say(company.out, 0, 40);
    Company::hear(speaker, "ok say bench-0 5");
    CHECK(member.lacks() == "m1 misses bench-0 5: 5 was the last");
    SUBCASE("left without it") {
        member.leave(company.out, 0);
        Company::hear(member, "ok leave bench-0");
        CHECK(says(member.failure(), "m1 misses bench-0 5: it leaves"));
    }
    SUBCASE("joined before it") {
        Person& late = company.joined(2, 5);
        CHECK(says(late.failure(), "m2 is to hear bench-0 from 5 on, but 5 was said before"));
    }
    SUBCASE("joined behind it, and the other has heard it") {
        Person& late = company.joined(2, 6);
        CHECK(late.failure().empty());
        Company::hear(member, msg("bench-0", 5, 0, 40));
        CHECK(member.lacks().empty());
    }
}

TEST_CASE("mixed: private messages arrive once each, and in order from each sender") {
    Company company;
    Person& from = company.people[0];
    Person& to = company.people[1];
    from.whisper(company.out, to, 40);
    from.whisper(company.out, to, 41);
    CHECK_FALSE(to.may_rename());
    CHECK(to.lacks() == "m1 misses private message 40 of m0");
    const std::string first = "dm 1700000000000 m0 " + text_of(0, 40);
    const std::string second = "dm 1700000000000 m0 " + text_of(0, 41);
    SUBCASE("as they were sent") {
        CHECK(Company::hear(to, first).kind == Person::News::Kind::whisper);
        CHECK(Company::hear(to, second).kind == Person::News::Kind::whisper);
        Company::hear(from, "ok msg m1");
        Company::hear(from, "ok msg m1");
        CHECK(to.failure().empty());
        CHECK(from.failure().empty());
        CHECK(to.lacks().empty());
        CHECK(to.may_rename());
    }
    SUBCASE("one is lost") {
        Company::hear(to, second);
        CHECK(to.failure() == "m1 hears private message 41 of m0 where 40 was due");
    }
    SUBCASE("one comes twice") {
        Company::hear(to, first);
        Company::hear(to, first);
        CHECK(to.failure() == "m1 hears private message 40 of m0 where 41 was due");
    }
}

TEST_CASE("mixed: answers come in the order of the commands, and none is a refusal") {
    Company company;
    Person& person = company.joined(0, 5);
    person.rename(company.out);
    person.rename(company.out);
    SUBCASE("the names that were asked for") {
        Company::hear(person, "ok nick m0-1");
        Company::hear(person, "ok nick m0-2");
        CHECK(person.failure().empty());
        CHECK(person.may_be_addressed());
    }
    SUBCASE("another name") {
        Company::hear(person, "ok nick m0-2");
        CHECK(says(person.failure(), "m0 is told \"ok nick m0-2\", which answers something else"));
    }
    SUBCASE("another command") {
        Company::hear(person, "ok leave bench-0");
        CHECK(says(person.failure(), "answers something else"));
    }
    SUBCASE("a refusal") {
        Company::hear(person, "err nick name_taken somebody is called m0-1 already");
        CHECK(says(person.failure(), "is told \"err nick name_taken"));
    }
    SUBCASE("an answer to nothing") {
        Company::hear(company.people[1], "ok ping");
        CHECK(says(company.people[1].failure(), "has asked nothing"));
    }
}

TEST_CASE("mixed: a room that begins anew has new ids") {
    Company company;
    Person& person = company.joined(0, 5);
    person.leave(company.out, 0);
    Company::hear(person, "ok leave bench-0");
    person.join(company.out, 0);
    Company::hear(person, "ok join bench-0 E2 1 1 1");
    Company::hear(person, msg("bench-0", 1, 1, 40));
    CHECK(person.failure().empty());
    CHECK(company.rooms[0].epochs() == 2);
}

TEST_CASE("mixed: the script is the same each time and does something of everything") {
    const auto played = [] {
        std::vector<Minutes> rooms{2};
        std::deque<Person> people; // so many that some are addressed before they take other names
        for (std::uint32_t number = 0; number < 100; ++number) {
            people.emplace_back(number, rooms, text_bytes);
        }
        Script script(2, people);
        std::string all;
        for (std::uint64_t number = 0; number < 400; ++number) {
            std::string out;
            const Person& person = script.act(out, number);
            CHECK(person.rooms().size() <= 2);
            all += out;
        }
        return all;
    };
    const std::string all = played();
    CHECK(all == played());
    for (const std::string_view verb : {"/join ", "/leave ", "/say ", "/nick ", "/msg "}) {
        CAPTURE(verb);
        CHECK(says(all, verb));
    }
}

TEST_CASE("plan: points of a series with too many connections are left out, and it is said") {
    Options options;
    options.task = Task::sweep;
    options.series = {"rooms", "size"};
    options.others = {"floor"};
    std::vector<Block> blocks = plan(options); // 100 members in each room
    const std::size_t sizes = blocks[1].contenders.size();
    const std::vector<std::string> sentences = leave_out(blocks, 2000);
    REQUIRE(sentences.size() == 1);
    CHECK(says(sentences[0], "rooms from 100 on is left out: it takes 10,100 connections"));
    REQUIRE(blocks.size() == 2);
    CHECK(blocks[0].contenders.size() == 4); // 1 and 10 rooms, each with its floor
    CHECK(blocks[0].contenders[3].sized_like == 2U);
    CHECK(blocks[1].contenders.size() == sizes);
    CHECK(leave_out(blocks, 50).size() == 2);
    CHECK(blocks.empty());
}

TEST_CASE("plan: a point that goes takes no other's place in the order") {
    Options options;
    options.task = Task::sweep;
    options.series = {"members"};
    options.others = {"floor"};
    std::vector<Block> blocks = plan(options);
    auto& contenders = blocks[0].contenders;
    contenders[0].scenario.members = 1'000'000; // the first point, with its floor
    contenders[1].scenario.members = 1'000'000;
    CHECK(leave_out(blocks, 20'000).size() == 1);
    CHECK(contenders[0].at == 100);
    CHECK(contenders[1].sized_like == 0U);
    CHECK(contenders[3].sized_like == 2U);
}
