#include "daemon/hub.h"
#include "test/daemon/hub_world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace roomd {

namespace {

/// A room in which ann has said `count` messages, "1", "2" and so on.
struct Talk {
    explicit Talk(int count, std::uint32_t kept = 1000) {
        world.limits.history_messages_max = kept;
        world.limits.reply_bytes_max = 200;
        ann = world.program("ann");
        world.hub.apply(ann.key, Join{"r", {}});
        const ParsedEvent joined = parse_event(reply = ann.take().back());
        epoch = joined.fields[2];
        say(count);
    }

    void say(int count) {
        for (; count > 0; --count) {
            world.say(ann, std::to_string(++said));
        }
        world.tick();
    }

    Person newcomer() { return world.enter(Framing::frame, Format::event); }

    /// All portions. Returns how many there were beside the first.
    int read_on(const Person& person) {
        int portions = 0;
        while (world.hub.replaying(person.key)) {
            static_cast<void>(world.hub.continue_replay(person.key, 200));
            world.hub.check();
            ++portions;
        }
        return portions;
    }

    HubWorld world;
    Person ann{};
    std::string reply;
    std::string epoch;
    int said = 0;
};

/// "1", "2-5 gap", "6 live" ... for every message, old message and gap.
Payloads numbers(const Payloads& heard) {
    Payloads numbers;
    for (const std::string& payload : heard) {
        const ParsedEvent event = parse_event(payload);
        if (event.verb == "gap") {
            numbers.push_back(std::string(event.fields[1]) + "-" + std::string(event.fields[2]) +
                              " gap");
        } else if (event.verb == "msg" || event.verb == "old") {
            CHECK(event.text == event.fields[1]); // ann says what its id is
            numbers.push_back(std::string(event.fields[1]) + (event.verb == "msg" ? " live" : ""));
        }
    }
    return numbers;
}

Payloads range(int first, int last, const std::string& suffix = "") {
    Payloads numbers;
    for (; first <= last; ++first) {
        numbers.push_back(std::to_string(first) + suffix);
    }
    return numbers;
}

Payloads operator+(Payloads left, const Payloads& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

} // namespace

TEST_CASE("Hub: last=N replays the last N, at most what is kept, and then comes the reply") {
    Talk talk(20, 10);

    struct Row {
        std::uint64_t count;
        int first;
    };

    for (const Row row :
         {Row{0, 21}, Row{1, 20}, Row{9, 12}, Row{10, 11}, Row{11, 11}, Row{UINT64_MAX, 11}}) {
        CAPTURE(row.count);
        const Person bob = talk.newcomer();
        talk.world.hub.apply(bob.key, Join{"r", Last{row.count}});
        talk.read_on(bob);
        const Payloads heard = bob.take();
        CHECK(numbers(heard) == range(row.first, 20));
        CHECK(heard.back() == "ok join r " + talk.epoch + " 11 21 2");
        talk.world.hub.leave(bob.key, "quit");
    }
}

TEST_CASE("Hub: since=EPOCH:ID replays what came after, a gap where that is not kept") {
    Talk talk(20, 10);

    struct Row {
        std::uint64_t id;
        Payloads expected;
    };

    const std::vector<Row> rows{{0, Payloads{"1-10 gap"} + range(11, 20)},
                                {8, Payloads{"9-10 gap"} + range(11, 20)},
                                {9, Payloads{"10-10 gap"} + range(11, 20)},
                                {10, range(11, 20)},
                                {11, range(12, 20)},
                                {19, range(20, 20)},
                                {20, {}}};
    for (const Row& row : rows) {
        CAPTURE(row.id);
        const Person bob = talk.newcomer();
        talk.world.hub.apply(bob.key, Join{"r", Since{talk.epoch, row.id}});
        talk.read_on(bob);
        const Payloads heard = bob.take();
        CHECK(numbers(heard) == row.expected);
        CHECK(heard.back() == "ok join r " + talk.epoch + " 11 21 2");
        talk.world.hub.leave(bob.key, "quit");
    }
}

TEST_CASE("Hub: an id that has not been said is refused, one of another epoch means all of it") {
    Talk talk(5);
    const Person bob = talk.newcomer();
    for (const std::uint64_t id : {std::uint64_t{6}, UINT64_MAX}) {
        talk.world.hub.apply(bob.key, Join{"r", Since{talk.epoch, id}});
        CHECK(bob.take().back().starts_with("err join bad_command "));
        CHECK(talk.world.hub.room_names(bob.key).empty());
    }
    talk.world.hub.apply(bob.key, Join{"r", Since{"elsewhere", UINT64_MAX}});
    talk.read_on(bob);
    CHECK(numbers(bob.take()) == range(1, 5));
}

TEST_CASE("Hub: history says what range it was, and that there was nothing") {
    Talk talk(20, 10);
    const Person& ann = talk.ann;
    static_cast<void>(ann.take());
    const auto ask = [&](const ReplayFrom& from) {
        talk.world.hub.apply(ann.key, History{{}, from});
        talk.read_on(ann);
        return ann.take();
    };
    CHECK(numbers(ask({})) == range(11, 20));
    CHECK(ask(Last{3}).back() == "ok history r 18 20");
    CHECK(ask(Since{talk.epoch, 5}).back() == "ok history r 6 20");
    CHECK(ask(Since{talk.epoch, 20}) == Payloads{"ok history r 21 20"});
    CHECK(ask(Last{0}) == Payloads{"ok history r 21 20"});
    CHECK(ask(Since{talk.epoch, 21}).back().starts_with("err history bad_command"));
}

TEST_CASE("Hub: the history of a room is for who is in it") {
    Talk talk(5);
    const Person bob = talk.newcomer();
    talk.world.hub.apply(bob.key, History{"r", {}});
    CHECK(bob.take().back().starts_with("err history not_in_room"));
    talk.world.hub.apply(bob.key, History{"nowhere", {}});
    CHECK(bob.take().back().starts_with("err history no_room"));
    talk.world.hub.apply(bob.key, History{{}, {}});
    CHECK(bob.take().back().starts_with("err history not_in_room"));
}

TEST_CASE(
    "Hub: a long replay comes in portions as large as asked for, and is done when it says so") {
    Talk talk(500);
    const Person bob = talk.newcomer();
    talk.world.hub.apply(bob.key, Join{"r", Last{500}});
    CHECK(talk.world.hub.replaying(bob.key));
    std::size_t portions = 0;
    Payloads all;
    do {
        const std::string& bytes = bob.ear->heard;
        CHECK(bytes.size() <= 200 + 60);
        CHECK(talk.world.hub.room_names(bob.key) == "r"); // its seat is held until it has caught up
        all = all + numbers(bob.take());
        ++portions;
    } while (talk.world.hub.continue_replay(bob.key, 200));
    const Payloads rest = bob.take();
    CHECK(rest.back() == "ok join r " + talk.epoch + " 1 501 2");
    CHECK(all + numbers(rest) == range(1, 500));
    CHECK(portions > 50);
    CHECK_FALSE(talk.world.hub.continue_replay(bob.key, 200));
    CHECK(bob.take().empty());
}

TEST_CASE("Hub: while a newcomer reads, others talk; it catches up with neither hole nor repeat") {
    for (int pace = 0; pace <= 3; ++pace) { // messages said between two portions of some four
        CAPTURE(pace);
        Talk talk(60);
        const Person bob = talk.newcomer();
        talk.world.hub.apply(bob.key, Join{"r", Since{talk.epoch, 0}});
        while (talk.world.hub.replaying(bob.key)) {
            for (int count = 0; count < pace; ++count) {
                talk.world.say(talk.ann, std::to_string(++talk.said));
            }
            static_cast<void>(talk.world.hub.continue_replay(bob.key, 200));
        }
        const int live = talk.said + 1;
        talk.world.hub.check();
        talk.say(10);
        const Payloads heard = bob.take();
        CHECK(numbers(heard) == range(1, live - 1) + range(live, talk.said, " live"));
        const std::string reply = "ok join r " + talk.epoch + " 1 " + std::to_string(live) + " 2";
        CHECK(std::count(heard.begin(), heard.end(), reply) == 1);
    }
}

TEST_CASE("Hub: what is evicted while somebody reads it comes as a gap") {
    Talk talk(50, 50);
    const Person bob = talk.newcomer();
    talk.world.hub.apply(bob.key, Join{"r", Since{talk.epoch, 0}});
    Payloads heard = numbers(bob.take());
    const int reached = static_cast<int>(heard.size());
    CHECK(heard == range(1, reached));
    talk.say(40); // the first forty are gone
    talk.read_on(bob);
    heard = numbers(bob.take());
    CHECK(heard == Payloads{std::to_string(reached + 1) + "-40 gap"} + range(41, 90));
}

TEST_CASE("Hub: when everything asked for has been evicted, the replay ends with the gap") {
    Talk talk(50, 50);
    static_cast<void>(talk.ann.take());
    talk.world.hub.apply(talk.ann.key, History{{}, Since{talk.epoch, 0}});
    const int reached = static_cast<int>(numbers(talk.ann.take()).size());
    CHECK(reached < 50);
    const Person bob = talk.world.program("bob", {"r"});
    for (int count = 0; count < 200; ++count) {
        talk.world.say(bob, std::to_string(51 + count));
    }
    CHECK_FALSE(talk.world.hub.continue_replay(talk.ann.key, 200));
    const Payloads heard = talk.ann.take();
    CHECK(numbers(heard) ==
          range(51, 250, " live") + Payloads{std::to_string(reached + 1) + "-50 gap"});
    CHECK(heard.back() == "ok history r 1 50");
}

TEST_CASE("Hub: who is joining is in the room, so it does not end while it is read from") {
    Talk talk(50);
    const Person bob = talk.newcomer();
    talk.world.hub.apply(bob.key, Join{"r", Last{50}});
    talk.world.hub.leave(talk.ann.key, "quit");
    talk.world.second(std::chrono::seconds(100));
    CHECK(talk.world.hub.room_count() == 1);
    talk.read_on(bob);
    CHECK(bob.take().back() == "ok join r " + talk.epoch + " 1 51 1");
}

TEST_CASE("Hub: a join with a replay is refused before it replays anything, or not at all") {
    Talk talk(50);
    talk.world.limits.members_per_room_max = 2;
    const Person bob = talk.newcomer();
    talk.world.hub.apply(bob.key, Join{"r", Last{50}});
    const Person eve = talk.newcomer();
    talk.world.hub.apply(eve.key, Join{"r", Last{50}});
    const Payloads refused = eve.take();
    REQUIRE(refused.size() == 1);
    CHECK(refused.front().starts_with("err join full"));
    talk.read_on(bob);
    CHECK(bob.take().back() == "ok join r " + talk.epoch + " 1 51 2");
    talk.world.limits.rooms_per_member_max = 1;
    talk.world.hub.apply(eve.key, Join{"other", {}});
    static_cast<void>(eve.take());
    talk.world.hub.apply(eve.key, Join{"r", Last{50}});
    REQUIRE(eve.take().size() == 1);
    talk.world.hub.check();
}

TEST_CASE("Hub: a member who joins again hears the past, then the reply, then the present") {
    Talk talk(50);
    const Person bob = talk.world.program("bob", {"r"});
    talk.world.hub.apply(bob.key, Join{"R", Since{talk.epoch, 0}});
    talk.say(3);
    talk.read_on(bob);
    talk.say(2);
    const Payloads heard = bob.take();
    CHECK(numbers(heard) == range(1, 53) + range(54, 55, " live"));
    CHECK(heard.at(53) == "ok join R " + talk.epoch + " 1 54 2"); // as it was asked for
    CHECK(talk.world.hub.room_names(bob.key) == "r");
}

TEST_CASE("Hub: who joins again is told that it has missed who came meanwhile") {
    Talk talk(50);
    const Person bob = talk.world.program("bob", {"r"});
    talk.world.hub.apply(bob.key, Join{"r", Since{talk.epoch, 0}});
    const Person eve = talk.world.program("eve", {"r"});
    talk.read_on(bob);
    const Payloads heard = bob.take();
    CHECK(heard.at(heard.size() - 2) == "stale r");
    CHECK(std::count(heard.begin(), heard.end(), "join r eve") == 0);
}

TEST_CASE("Hub: while memory is scarce a replay goes on in small portions") {
    Talk talk(1000);
    talk.world.limits.reply_bytes_max = 1 << 20;
    talk.world.limits.pinned_bytes_max = 0;
    const Person reader = talk.world.program("reader", {"r"});
    reader.ear->slow = true; // pins what is said
    talk.say(1);
    REQUIRE(talk.world.arena.bytes_pinned() > 0);
    const Person bob = talk.newcomer();
    talk.world.hub.apply(bob.key, Join{"r", Last{1000}});
    std::size_t heard = 0;
    while (talk.world.hub.replaying(bob.key)) {
        const std::size_t bytes = bob.ear->heard.size();
        CHECK(bytes < 4096 + 100); // a portion ends with the message that fills it
        heard += numbers(bob.take()).size();
        static_cast<void>(talk.world.hub.continue_replay(bob.key, 1 << 20));
    }
    CHECK(heard + numbers(bob.take()).size() == 1000);
    reader.ear->let_go();
}

TEST_CASE("Hub: who dies while reading the past leaves nothing behind") {
    Talk talk(50);
    {
        const Person bob = talk.newcomer();
        talk.world.hub.apply(bob.key, Join{"r", Last{50}});
        talk.world.hub.leave(bob.key, "reset");
        CHECK_FALSE(talk.world.hub.replaying(bob.key));
        CHECK_FALSE(talk.world.hub.continue_replay(bob.key, 200));
    }
    talk.world.tick();
    CHECK(talk.ann.take().back().ends_with(" reset")); // its seat went with it
    talk.world.hub.check();
}

TEST_CASE("Hub: the past is shown in each format as that format shows it") {
    Talk talk(0);
    talk.world.hub.apply(talk.ann.key, Me{"waves"}, true);
    talk.world.say(talk.ann, "hello");
    const auto join = [&](Framing framing, Format format) {
        const Person person = talk.world.enter(framing, format);
        talk.world.hub.apply(person.key, Join{"r", Last{10}});
        talk.read_on(person);
        Payloads heard = person.take();
        talk.world.hub.leave(person.key, "quit");
        return heard;
    };
    CHECK(join(Framing::frame, Format::plain) == Payloads{"waves", "hello"});
    const Payloads people = join(Framing::line, Format::human);
    REQUIRE(people.size() == 3);
    CHECK(people[0].ends_with(") * ann waves"));
    CHECK(people[1].ends_with(") ann: hello"));
    CHECK(people[2] == "* you are in r (2 here)");
    const Payloads programs = join(Framing::line, Format::event);
    REQUIRE(programs.size() == 3);
    CHECK(programs[0].starts_with("oldact r 1 "));
    CHECK(programs[1].starts_with("old r 2 "));
}

} // namespace roomd
