#include "daemon/hub.h"

#include "reactor/out_queue.h"
#include "test/daemon/hub_world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace roomd {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string last(const Person& person) {
    const Payloads heard = person.take();
    return heard.empty() ? "" : heard.back();
}

/// The last of what was heard, without anything behind the first `words` words.
std::string beginning(const std::string& text, int words) {
    std::size_t end = 0;
    for (; words > 0 && end != std::string::npos; --words) {
        end = text.find(' ', end == 0 ? 0 : end + 1);
    }
    return text.substr(0, end);
}

RoomSpec spec(std::string name, SlowPolicy slow) {
    RoomSpec spec;
    spec.name = std::move(name);
    spec.slow = slow;
    return spec;
}

/// A reader with the queue that a stream has, and nobody who empties it unless asked.
class Reader final : public Recipient {
public:
    explicit Reader(Arena& arena) : arena_(&arena) {}

    void deliver(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to,
                 SlowPolicy /*policy*/) override {
        queue.push(chunk, from, to);
        if (queue.bytes() > bytes_max) {
            dropped += queue.drop_oldest(*arena_, bytes_max / 2).messages;
        }
        queue.check();
    }

    void deliver(std::string_view bytes) override { queue.append(*arena_, bytes); }

    [[nodiscard]] bool congested() const override { return false; }

    void resume() override {}

    /// Everything that waits, gaps in their places.
    std::vector<std::string> read() {
        std::string heard;
        while (!queue.empty()) {
            if (const std::vector<Lost>* const lost = queue.notice(); lost != nullptr) {
                std::string words;
                for (const Lost& range : *lost) {
                    const std::string_view room = range.label.get()->text();
                    if (range.count > 0) {
                        encode(words, {Framing::frame, Format::event},
                               GapEvent{room, range.first, range.last});
                    }
                    if (range.state > 0) {
                        encode(words, {Framing::frame, Format::event}, StaleEvent{room});
                    }
                }
                queue.resolve_notice(*arena_, words);
            }
            std::array<iovec, 8> pieces{};
            const std::size_t count = queue.gather(pieces, SIZE_MAX);
            std::size_t bytes = 0;
            for (const iovec& piece : std::span(pieces).first(count)) {
                heard.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
                bytes += piece.iov_len;
            }
            queue.consume(bytes);
        }
        return payloads_of(Framing::frame, heard);
    }

    OutQueue queue;
    std::uint32_t bytes_max = 3'000;
    std::uint64_t dropped = 0;

private:
    Arena* arena_;
};

} // namespace

// --- work ---

TEST_CASE("Hub: work is counted where it is done, and taken once") {
    HubWorld world;
    const Person ann = world.program("ann", {"lobby"});
    std::vector<Person> crowd;
    for (int number = 0; number < 50; ++number) {
        crowd.push_back(world.program("p" + std::to_string(number), {"lobby"}));
    }
    static_cast<void>(world.hub.take_work());
    const auto work_of = [&world](const auto& act) {
        world.tick();
        static_cast<void>(world.hub.take_work());
        act();
        const std::uint64_t work = world.hub.take_work();
        CHECK(world.hub.take_work() == 0);
        return work;
    };
    const std::uint64_t ping = work_of([&] { world.hub.apply(ann.key, Ping{"x"}); });
    const std::uint64_t said = work_of([&] { world.say(ann, "hello"); });
    const std::uint64_t twice = work_of([&] {
        world.say(ann, "hello");
        world.say(ann, "hello");
    });
    const std::uint64_t list = work_of([&] { world.hub.apply(ann.key, Who{"lobby"}); });
    const std::string marks = "a" + std::string("\xcc\x81\xcc\x81\xcc\x81\xcc\x81");
    const std::uint64_t costly = work_of([&] { world.hub.apply(ann.key, SetNick{marks}); });
    const std::uint64_t cheap = work_of([&] { world.hub.apply(ann.key, SetNick{"abcdefghi"}); });
    CHECK(ping > 0);
    CHECK(said > ping + crowd.size()); // a seat is handed its window
    CHECK(twice < 2 * said);           // once in a tick
    CHECK(list > 2 * crowd.size());
    CHECK(costly > cheap + 30);
}

// --- who pays for what all share ---

TEST_CASE("Hub: who fills the table of rooms loses the oldest of its own, and nobody is refused") {
    HubWorld world;
    world.limits.rooms_max = 10;
    const Person ann = world.program("ann");
    world.hub.apply(ann.key, Join{"quiet", {}});
    world.hub.apply(ann.key, Leave{"quiet"});
    const Person mal = world.program("mal");
    for (int number = 0; number < 100; ++number) {
        const std::string room = "r" + std::to_string(number);
        world.hub.apply(mal.key, Join{room, {}});
        world.hub.apply(mal.key, Leave{room});
    }
    CHECK(world.hub.room_count() == 10);
    CHECK(world.hub.has_room("quiet")); // older, but of somebody who holds less
    CHECK(world.hub.has_room("r99"));
    CHECK_FALSE(world.hub.has_room("r90"));
    world.hub.apply(ann.key, Join{"ops", {}});
    CHECK(beginning(last(ann), 3) == "ok join ops");
    world.hub.check();
}

TEST_CASE("Hub: rooms of the configuration and of listeners can always be made") {
    HubWorld world;
    world.limits.rooms_max = 2;
    world.hub.configure("roomd", "1.0", {spec("ops", SlowPolicy::by_format)}, {"Lobby"});
    const Person mal = world.program("mal", {"a", "b"});
    const Person ann = world.program("ann");
    world.hub.apply(ann.key, Join{"c", {}});
    CHECK(beginning(last(ann), 3) == "err join too_many_rooms");
    for (const std::string room : {"ops", "lobby"}) {
        CHECK(world.hub.has_room(room));
        world.hub.apply(ann.key, Join{room, {}});
        CHECK(beginning(last(ann), 3) == "ok join " + room);
        world.hub.apply(ann.key, Leave{room});
    }
    world.hub.apply(mal.key, Leave{"a"});
    world.hub.apply(mal.key, Join{"d", {}}); // over the limit by the two: one makes room
    CHECK(world.hub.has_room("ops"));
    CHECK(world.hub.has_room("lobby"));
    world.hub.check();
}

TEST_CASE("Hub: who fills the histories of all rooms loses its own") {
    HubWorld world;
    world.limits.history_total_bytes_max = 512 * 1024;
    const Person ann = world.program("ann", {"team"});
    for (int number = 0; number < 50; ++number) {
        world.say(ann, "team", "important " + std::to_string(number));
    }
    const Person mal = world.program("mal", {"junk1", "junk2", "junk3"});
    for (int number = 0; number < 600; ++number) {
        world.say(mal, "junk" + std::to_string(number % 3 + 1), std::string(4000, 'z'));
        world.say(ann, "team", "more");
    }
    world.tick();
    CHECK(world.hub.history_bytes() <= world.limits.history_total_bytes_max);
    static_cast<void>(ann.take());
    world.hub.apply(ann.key, History{"team", Last{650}});
    while (world.hub.continue_replay(ann.key, 100'000)) {
    }
    CHECK(ann.take().size() == 651);
}

// --- one event for one thing ---

TEST_CASE("Hub: one new name is one event for each member, however many rooms they share") {
    HubWorld world;
    const Person ann = world.program("ann", {"a", "b", "c"});
    const Person bob = world.program("bob", {"b", "a", "c"});
    const Person eve = world.program("eve", {"c"});
    world.tick();
    static_cast<void>(ann.take());
    static_cast<void>(bob.take());
    static_cast<void>(eve.take());
    world.hub.apply(ann.key, SetNick{"anna"});
    world.say(ann, "b", "hello");
    world.tick();
    const Payloads heard = bob.take();
    REQUIRE(heard.size() == 2);
    CHECK(heard.at(0) == "nick ann anna");
    CHECK(heard.at(1).starts_with("msg b 1 "));
    CHECK(eve.take() == Payloads{"nick ann anna"});
    CHECK(ann.take() == Payloads{"ok nick anna", "ok say b 1"});
}

TEST_CASE("Hub: a crowd is told the new names of those it has heard, up to a number, then stale") {
    HubWorld world;
    world.limits.presence_members_max = 2;
    const Person ann = world.program("ann", {"hall"});
    const Person bob = world.program("bob", {"hall"});
    const Person eve = world.program("eve", {"hall"});
    world.second();
    static_cast<void>(bob.take());
    world.hub.apply(eve.key, SetNick{"eva"}); // has never said a word
    world.tick();
    CHECK(bob.take().empty());
    world.hub.apply(eve.key, Msg{"bob", "psst"}); // but bob knows it from here on
    world.hub.apply(eve.key, SetNick{"evi"});
    CHECK(bob.take().back() == "nick eva evi");
    world.say(ann, "hall", "hello");
    for (int number = 0; number < 30; ++number) {
        world.hub.apply(ann.key, SetNick{"ann" + std::to_string(number)});
    }
    world.tick();
    CHECK(bob.take().size() == 11);
    world.second();
    CHECK(bob.take() == Payloads{"stale hall"});
}

// --- whom one does not want to hear ---

TEST_CASE("Hub: who is ignored is not heard in private, whatever it calls itself") {
    HubWorld world;
    const Person ann = world.program("ann");
    const Person mal = world.program("mal");
    world.hub.apply(ann.key, Ignore{"MAL", true});
    CHECK(last(ann) == "ok ignore MAL on");
    world.hub.apply(mal.key, Msg{"ann", "one"});
    CHECK(last(mal) == "ok msg ann"); // it does not learn of it
    world.hub.apply(mal.key, SetNick{"other"});
    world.hub.apply(mal.key, Msg{"ann", "two"});
    CHECK(ann.take().empty());
    world.hub.apply(ann.key, Ignores{});
    CHECK(last(ann) == "ok ignores 1 other");
    world.hub.apply(ann.key, Ignore{"other", false});
    world.hub.apply(mal.key, Msg{"ann", "three"});
    CHECK(last(ann).ends_with(" other three"));
    for (int number = 0; number < 100; ++number) {
        world.hub.apply(ann.key, Ignore{"n" + std::to_string(number), true});
    }
    static_cast<void>(ann.take());
    world.hub.apply(ann.key, Ignore{"onemore", true});
    CHECK(beginning(last(ann), 3) == "err ignore full");
}

// --- lists ---

TEST_CASE("Hub: a long list comes in portions, each member once, whoever comes and goes") {
    HubWorld world;
    world.limits.members_per_room_max = 5000;
    world.limits.reply_bytes_max = 8000;
    std::vector<Person> crowd;
    for (int number = 0; number < 2000; ++number) {
        Person person = world.enter(Framing::frame, Format::plain);
        world.hub.apply(person.key, Join{"hall", {}});
        crowd.push_back(std::move(person));
    }
    const Person ann = world.program("ann");
    world.hub.apply(ann.key, Who{"hall"});
    std::set<std::string> names;
    std::size_t listed = 0;
    std::size_t gone = 0;
    std::string reply;
    bool more = true;
    while (more) {
        CHECK(ann.ear->heard.size() < 9000);
        for (const std::string& payload : ann.take()) {
            const ParsedEvent event = parse_event(payload);
            reply = payload;
            std::string_view rest = event.text;
            while (!rest.empty()) {
                const std::size_t end = std::min(rest.find(' '), rest.size());
                names.emplace(rest.substr(0, end));
                ++listed;
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
        }
        world.hub.leave(crowd.at(gone).key, "quit"); // the last seat moves to its place
        ++gone;
        more = world.hub.replaying(ann.key);
        static_cast<void>(world.hub.continue_replay(ann.key, 8000));
        world.tick();
    }
    CHECK(listed == names.size());
    CHECK(names.size() >= 2000 - gone);
    CHECK(reply.starts_with("ok who hall " + std::to_string(listed) + " "));
}

// --- names ---

TEST_CASE("Hub: newcomers are guests, numbered, and a name somebody took before is passed over") {
    HubWorld world;
    const Person ann = world.enter(Framing::frame, Format::event);
    world.hub.apply(ann.key, SetNick{"Guest-3"});
    CHECK(last(ann) == "ok nick Guest-3");
    const Person two = world.enter(Framing::frame, Format::event);
    const Person four = world.enter(Framing::frame, Format::event);
    CHECK(world.hub.member(two.key)->nick.text() == "guest-2");
    CHECK(world.hub.member(four.key)->nick.text() == "guest-4");
    world.hub.check();
}

TEST_CASE("Hub: a name is one person's, in any case, until that one is gone") {
    HubWorld world;
    const Person ann = world.program("ann");
    const Person bob = world.program("bob");
    world.hub.apply(bob.key, SetNick{"ANN"});
    CHECK(beginning(last(bob), 3) == "err nick name_taken");
    world.hub.apply(bob.key, SetNick{"\xef\xbc\xa1nn"}); // full-width A
    CHECK(beginning(last(bob), 3) == "err nick name_taken");
    world.hub.apply(ann.key, SetNick{"Ann"}); // one's own, written otherwise
    CHECK(last(ann) == "ok nick Ann");
    world.hub.leave(ann.key, "quit");
    world.hub.check();
    world.hub.apply(bob.key, SetNick{"ANN"});
    CHECK(last(bob) == "ok nick ANN");
    world.hub.check();
}

TEST_CASE("Hub: names that nobody may have are refused, and the old one stays") {
    HubWorld world;
    const Person ann = world.program("ann");
    for (const std::string_view name : {"server", "ROOMD", "a b", "", "a\u200b", "-\x1b"}) {
        world.hub.apply(ann.key, SetNick{name});
        CHECK(beginning(last(ann), 3) == "err nick bad_name");
        CHECK(world.hub.member(ann.key)->nick.text() == "ann");
    }
}

TEST_CASE("Hub: people who meet strangers do not mix scripts in names of people or rooms") {
    HubWorld world;
    const std::string mixed = "p\xd0\xb0ypal"; // Cyrillic a
    const Person stranger = world.enter(Framing::frame, Format::event, ScriptPolicy::single);
    world.hub.apply(stranger.key, SetNick{mixed});
    CHECK(beginning(last(stranger), 3) == "err nick bad_name");
    world.hub.apply(stranger.key, Join{mixed, {}});
    CHECK(beginning(last(stranger), 3) == "err join bad_name");
    const Person local = world.enter(Framing::frame, Format::event);
    world.hub.apply(local.key, Join{mixed, {}});
    CHECK(beginning(last(local), 2) == "ok join");
}

TEST_CASE("Hub: a hello with a name that is taken changes nothing, and is refused in events") {
    HubWorld world;
    const Person ann = world.program("ann");
    const Person bob = world.enter(Framing::line, Format::human);
    world.hub.apply(bob.key, Hello{1, "ann", true, {}});
    CHECK(beginning(last(bob), 3) == "err hello name_taken");
    CHECK(world.hub.member(bob.key)->dialect.format == Format::human);
    CHECK_FALSE(world.hub.member(bob.key)->echo);
}

// --- limits ---

TEST_CASE("Hub: a member is in so many rooms and no more") {
    HubWorld world;
    world.limits.rooms_per_member_max = 3;
    const Person ann = world.program("ann", {"a", "b", "c"});
    CHECK(world.hub.room_names(ann.key) == "a,b,c");
    world.hub.apply(ann.key, Join{"d", {}});
    CHECK(beginning(last(ann), 3) == "err join too_many_rooms");
    CHECK(world.hub.room_count() == 3); // nor is the room made
    world.hub.apply(ann.key, Join{"a", {}});
    CHECK(beginning(last(ann), 3) == "ok join a");
    CHECK(world.hub.room_names(ann.key) == "b,c,a");
    world.hub.apply(ann.key, Leave{"b"});
    world.hub.apply(ann.key, Join{"d", {}});
    CHECK(beginning(last(ann), 3) == "ok join d");
    CHECK(world.counters.hits[static_cast<std::size_t>(Limit::rooms_per_member_max)] == 1);
    world.hub.check();
}

TEST_CASE("Hub: there are so many rooms and no more, until an empty one has been forgotten") {
    HubWorld world;
    world.limits.rooms_max = 2;
    const Person ann = world.program("ann", {"a", "b"});
    world.hub.apply(ann.key, Join{"c", {}});
    CHECK(beginning(last(ann), 3) == "err join too_many_rooms");
    CHECK_FALSE(world.hub.say_as_guest("c", "127.0.0.1:5", "hello", true));
    world.hub.apply(ann.key, Leave{"a"});
    world.second(seconds(59));
    CHECK(world.hub.room_count() == 2);
    world.second(seconds(2));
    CHECK(world.hub.room_count() == 1);
    world.hub.apply(ann.key, Join{"c", {}});
    CHECK(beginning(last(ann), 3) == "ok join c");
}

TEST_CASE("Hub: a room has so many members and no more") {
    HubWorld world;
    world.limits.members_per_room_max = 2;
    const Person ann = world.program("ann", {"r"});
    const Person bob = world.program("bob", {"r"});
    const Person eve = world.program("eve");
    world.hub.apply(eve.key, Join{"r", {}});
    CHECK(beginning(last(eve), 3) == "err join full");
    static_cast<void>(ann.take());
    world.say(bob, "hello");
    world.tick();
    CHECK(ann.take().size() == 1);
    CHECK(eve.take().empty());
    world.hub.leave(bob.key, "quit");
    world.hub.apply(eve.key, Join{"r", {}});
    CHECK(beginning(last(eve), 3) == "ok join r");
}

TEST_CASE("Hub: in a large room presence is summed up, at most once a second") {
    HubWorld world;
    world.limits.presence_members_max = 3;
    const Person ann = world.program("ann", {"r"});
    std::vector<Person> people;
    for (const char* nick : {"bob", "eve"}) {
        people.push_back(world.program(nick, {"r"}));
    }
    CHECK(ann.take() == Payloads{"join r bob", "join r eve"});
    people.push_back(world.program("dan", {"r"}));
    people.push_back(world.program("kim", {"r"}));
    CHECK(ann.take().empty());
    world.hub.leave(people.back().key, "quit");
    people.pop_back();
    world.tick();
    CHECK(ann.take().empty());
    world.second();
    CHECK(ann.take() == Payloads{"crowd r 2 1 4"});
    world.second();
    CHECK(ann.take().empty());
    world.hub.leave(people.back().key,
                    "quit"); // four become three: no crowd any more, but counted so
    people.pop_back();
    world.hub.leave(people.back().key, "quit");
    people.pop_back();
    world.tick();
    CHECK(ann.take() == Payloads{"part r eve quit"});
    world.second();
    CHECK(ann.take() == Payloads{"crowd r 0 1 2"});
}

TEST_CASE("Hub: a crowd whose room has ended is told to nobody") {
    HubWorld world;
    world.limits.presence_members_max = 0;
    {
        const Person ann = world.program("ann", {"r"});
        world.hub.leave(ann.key, "quit");
    }
    world.tick(seconds(100));
    world.hub.on_second(); // the crowd is due, and the room is forgotten
    world.hub.on_second();
    CHECK(world.hub.room_count() == 0);
    world.tick();
    world.hub.check();
}

// --- talk ---

TEST_CASE(
    "Hub: a reply comes behind everything that happened before, and before what comes after") {
    HubWorld world;
    const Person ann = world.program("ann", {"a", "b"});
    const Person bob = world.program("bob", {"a", "b"});
    static_cast<void>(ann.take());
    world.say(bob, "a", "one");
    world.say(bob, "b", "two");
    world.hub.apply(ann.key, Ping{"x"});
    world.say(bob, "a", "three");
    world.tick();
    const Payloads heard = ann.take();
    REQUIRE(heard.size() == 4);
    CHECK(heard[0].starts_with("msg a 1 "));
    CHECK(heard[1].starts_with("msg b 1 "));
    CHECK(heard[2] == "ok ping x");
    CHECK(heard[3].starts_with("msg a 2 "));
}

TEST_CASE("Hub: a private message reaches one person, in order, and tells who does not read") {
    HubWorld world;
    const Person ann = world.program("ann", {"r"});
    const Person bob = world.program("bob", {"r"});
    static_cast<void>(ann.take());
    world.say(bob, "before");
    world.hub.apply(bob.key, Msg{"ANN", "psst"});
    world.tick();
    const Payloads heard = ann.take();
    REQUIRE(heard.size() == 2);
    CHECK(heard[1].ends_with(" bob psst"));
    CHECK(last(bob) == "ok msg ann");
    ann.ear->is_congested = true;
    world.hub.apply(bob.key, Msg{"ann", "psst"});
    CHECK(beginning(last(bob), 3) == "err msg slow");
    CHECK(ann.take().empty());
    world.hub.apply(bob.key, Msg{"bob", "note to self"});
    const Payloads own = bob.take();
    REQUIRE(own.size() == 2);
    CHECK(own[0].starts_with("dm "));
    CHECK(own[1] == "ok msg bob");
}

TEST_CASE("Hub: the names of thousands come in pages that each fit a line") {
    HubWorld world;
    std::vector<Person> people;
    for (int number = 0; number < 3000; ++number) {
        people.push_back(world.enter(Framing::frame, Format::plain));
        world.hub.apply(people.back().key, Join{"r", {}});
    }
    const Person ann = world.program("ann");
    world.hub.apply(ann.key, Who{"r"});
    const Payloads pages = ann.take();
    CHECK(pages.size() > 5);
    std::size_t names = 0;
    for (std::size_t index = 0; index < pages.size(); ++index) {
        CHECK(pages[index].size() <= page_bytes_max + 100);
        const bool reply = index + 1 == pages.size();
        CHECK(pages[index].starts_with(reply ? "ok who r 3000 " : "who r "));
        names +=
            static_cast<std::size_t>(std::count(pages[index].begin(), pages[index].end(), ' ')) -
            (reply ? 3 : 1);
    }
    CHECK(names == 3000);
}

TEST_CASE("Hub: who would hear a text is asked for by the room's name in any case") {
    HubWorld world;
    const Person ann = world.program("ann", {"Room"});
    const Person bob = world.program("bob", {"Room", "other"});
    CHECK(world.hub.audience(ann.key, Text{"x"}) == 2);
    CHECK(world.hub.audience(ann.key, Say{"Room", "x"}) == 2);
    CHECK(world.hub.audience(ann.key, Say{"rOOM", "x"}) == 2);
    CHECK(world.hub.audience(bob.key, Text{"x"}) == 1);
    CHECK(world.hub.audience(ann.key, Say{"other", "x"}) == 0);
    CHECK(world.hub.audience(ann.key, Say{"no such", "x"}) == 0);
}

TEST_CASE("Hub: what is said by datagram has an id like any other, and makes its room") {
    HubWorld world;
    CHECK(world.hub.say_as_guest("r", "127.0.0.1:5", "unheard", true));
    const Person ann = world.program("ann", {"r"});
    CHECK(world.hub.say_as_guest("R", "127.0.0.1:5", "heard", true));
    world.tick();
    CHECK(beginning(last(ann), 3) == "msg r 2");
    CHECK_FALSE(world.hub.say_as_guest("no room", "127.0.0.1:5", "x", true));
}

TEST_CASE("Hub: a room forgotten and made again is a new epoch, even within a millisecond") {
    HubWorld world;
    world.limits.room_idle_ms = 0;
    std::vector<std::string> epochs;
    for (int time = 0; time < 5; ++time) {
        const Person ann = world.enter(Framing::frame, Format::event);
        world.hub.apply(ann.key, Join{"r", {}});
        const std::string joined = last(ann);
        CHECK(joined.ends_with(" 1 1 1"));
        epochs.push_back(beginning(joined, 4));
        world.say(ann, "hello");
        world.hub.hand_out();
        world.hub.after_flush();
        world.hub.leave(ann.key, "quit");
        world.hub.on_second();
        CHECK(world.hub.room_count() == 0);
    }
    std::sort(epochs.begin(), epochs.end());
    CHECK(std::unique(epochs.begin(), epochs.end()) == epochs.end());
}

// --- memory ---

TEST_CASE("Hub: all histories together have a bound, whichever rooms talk") {
    HubWorld world;
    world.limits.history_total_bytes_max = 100'000;
    const Person ann = world.program("ann", {"a", "b", "c"});
    for (int count = 0; count < 3000; ++count) {
        const std::string room(1, static_cast<char>('a' + count % 3));
        world.say(ann, room, std::string(static_cast<std::size_t>(count % 997), 'x') + ".");
        CHECK(world.hub.history_bytes() <= 100'000);
        if (count % 10 == 0) {
            world.tick();
        }
    }
    CHECK(world.hub.history_bytes() > 50'000);
    CHECK(world.counters.hits[static_cast<std::size_t>(Limit::history_total_bytes_max)] > 0);
    world.tick();
}

TEST_CASE(
    "Hub: when a room falls silent while a reader is slow, its memory comes back all the same") {
    HubWorld world;
    std::vector<Person> people;
    for (int number = 0; number < 50; ++number) {
        const std::string room = "r" + std::to_string(number);
        people.push_back(world.program("p" + std::to_string(number), {room}));
        people.back().ear->slow = true;
        CHECK(world.hub.say_as_guest(room, "127.0.0.1:5", std::string(60'000, 'x'), true));
    }
    world.tick();
    CHECK(world.arena.bytes_pinned() > 50 * 60'000);
    for (const Person& person : people) {
        person.ear->let_go();
    }
    world.tick(); // nobody says anything any more
    CHECK(world.arena.bytes_pinned() == 0);
}

TEST_CASE("Hub: a reader that does not read gets the rest and a gap with the exact ids") {
    HubWorld world;
    world.all_are_ears = false;
    Reader reader(world.arena);
    const Key key = world.hub.enter(reader, {Framing::frame, Format::event}, ScriptPolicy::any);
    world.hub.apply(key, Join{"a", {}});
    world.hub.apply(key, Join{"b", {}});
    static_cast<void>(reader.read());
    const Person ann = world.program("ann", {"a", "b"});
    static_cast<void>(reader.read());
    std::array<std::uint64_t, 2> next{1, 1};
    std::uint64_t gaps = 0;
    std::uint64_t missed = 0;
    for (int round = 0; round < 40; ++round) {
        for (unsigned count = 0; count < 97; ++count) {
            world.say(ann, count % 3 == 0 ? "a" : "b", std::string(count, 'x') + ".");
            if (count % 10 == 0) {
                world.hub.apply(key, Ping{"p"}); // its own answers are never dropped
            }
            if (count % 4 == 0) {
                world.tick();
            }
        }
        world.tick();
        std::size_t pongs = 0;
        for (const std::string& heard : reader.read()) {
            const ParsedEvent event = parse_event(heard);
            pongs += heard == "ok ping p" ? 1U : 0U;
            if (event.verb != "msg" && event.verb != "gap") {
                continue;
            }
            std::uint64_t& expected = next.at(event.fields[0] == "a" ? 0U : 1U);
            const std::uint64_t first = std::stoull(std::string(event.fields[1]));
            REQUIRE(first == expected);
            expected =
                event.verb == "msg" ? first + 1 : std::stoull(std::string(event.fields[2])) + 1;
            gaps += event.verb == "gap" ? 1U : 0U;
            missed += event.verb == "gap" ? expected - first : 0U;
        }
        CHECK(pongs == 10);
    }
    CHECK(gaps > 0);
    CHECK(missed == reader.dropped);
    CHECK(next[0] + next[1] == 2 + 40 * 97);
    world.hub.leave(key, "quit");
}

TEST_CASE("Hub: the slow policy of a room is what its readers are told") {
    HubWorld world;
    world.reconfigure({spec("d", SlowPolicy::disconnect), spec("g", SlowPolicy::gap)});
    const Person ann = world.program("ann", {"d"});
    const Person bob = world.program("bob", {"d"});
    world.say(bob, "hello");
    world.tick();
    CHECK(ann.ear->last_policy == SlowPolicy::disconnect);
    world.reconfigure({spec("d", SlowPolicy::gap)});
    world.say(bob, "hello");
    world.tick();
    CHECK(ann.ear->last_policy == SlowPolicy::gap);
    world.reconfigure({});
    world.say(bob, "hello");
    world.tick();
    CHECK(ann.ear->last_policy == SlowPolicy::by_format);
}

// --- slow policy `wait` ---

TEST_CASE("Hub: in a waiting room messages wait while a reader is blocked, elsewhere they do not") {
    HubWorld world;
    world.reconfigure({spec("pipe", SlowPolicy::wait)});
    const Person ann = world.program("ann", {"lobby", "pipe"});
    const Person bob = world.program("bob", {"lobby", "pipe"});
    CHECK_FALSE(world.hub.must_wait(ann.key, Text{"x"}));
    world.hub.set_blocked(bob.key, true);
    CHECK(world.hub.is_waited_for(bob.key));
    CHECK(world.hub.must_wait(ann.key, Text{"x"}));
    CHECK(world.hub.must_wait(ann.key, Me{"x"}));
    CHECK(world.hub.must_wait(ann.key, Say{"PIPE", "x"}));
    CHECK_FALSE(world.hub.must_wait(ann.key, Say{"lobby", "x"}));
    CHECK_FALSE(world.hub.must_wait(ann.key, Ping{}));
    CHECK(ann.ear->resumed == 0);
    world.hub.set_blocked(bob.key, true); // told twice is told once
    world.hub.set_blocked(bob.key, false);
    CHECK(ann.ear->resumed == 3);
    CHECK_FALSE(world.hub.must_wait(ann.key, Text{"x"}));
}

TEST_CASE("Hub: a datagram cannot wait, so a waiting room does not take it") {
    HubWorld world;
    world.reconfigure({spec("pipe", SlowPolicy::wait)});
    const Person bob = world.program("bob", {"lobby", "pipe"});
    world.hub.set_blocked(bob.key, true);
    CHECK_FALSE(world.hub.say_as_guest("pipe", "127.0.0.1:5", "lost", true));
    CHECK(world.hub.say_as_guest("lobby", "127.0.0.1:5", "heard", true));
    world.hub.set_blocked(bob.key, false);
    CHECK(world.hub.say_as_guest("pipe", "127.0.0.1:5", "heard too", true));
    world.tick();
    CHECK(beginning(last(bob), 3) == "msg pipe 1"); // the id of what was not taken is not missing
}

TEST_CASE("Hub: nobody waits for a blocked reader that leaves, dies, or is waited for no longer") {
    HubWorld world;
    world.reconfigure({spec("pipe", SlowPolicy::wait)});
    const Person ann = world.program("ann", {"pipe"});
    const Person bob = world.program("bob", {"pipe"});
    const Person eve = world.program("eve", {"pipe"});
    world.hub.set_blocked(bob.key, true);
    world.hub.set_blocked(eve.key, true);
    CHECK(world.hub.must_wait(ann.key, Text{"x"}));
    SUBCASE("leaves and dies") {
        world.hub.apply(bob.key, Leave{});
        CHECK(ann.ear->resumed == 0);
        world.hub.leave(eve.key, "slow");
        CHECK(ann.ear->resumed == 1);
        world.hub.apply(bob.key, Join{"pipe", {}}); // still blocked
        CHECK(world.hub.must_wait(ann.key, Text{"x"}));
    }
    SUBCASE("the policy changes") {
        world.reconfigure({});
        CHECK(ann.ear->resumed == 1);
        CHECK_FALSE(world.hub.must_wait(ann.key, Text{"x"}));
        CHECK_FALSE(world.hub.is_waited_for(bob.key));
    }
}

TEST_CASE("Hub: a room that begins to wait knows who is blocked already, and forgets nobody") {
    HubWorld world;
    const Person ann = world.program("ann", {"pipe"});
    const Person bob = world.program("bob", {"pipe"});
    world.hub.set_blocked(bob.key, true);
    world.reconfigure({spec("pipe", SlowPolicy::wait)});
    CHECK(world.hub.must_wait(ann.key, Text{"x"}));
    world.reconfigure({});
    world.reconfigure({spec("pipe", SlowPolicy::wait)}); // to and fro counts nobody twice
    CHECK(world.hub.must_wait(ann.key, Text{"x"}));
    world.hub.set_blocked(bob.key, false);
    CHECK_FALSE(world.hub.must_wait(ann.key, Text{"x"}));
    world.hub.set_blocked(bob.key, true);
    world.reconfigure({});
    world.hub.set_blocked(bob.key, false); // while nobody counted
    world.reconfigure({spec("pipe", SlowPolicy::wait)});
    CHECK_FALSE(world.hub.must_wait(ann.key, Text{"x"}));
}

TEST_CASE("Hub: who waits and dies is not resumed") {
    HubWorld world;
    world.reconfigure({spec("pipe", SlowPolicy::wait)});
    const Person ann = world.program("ann", {"pipe"});
    const Person bob = world.program("bob", {"pipe"});
    world.hub.set_blocked(bob.key, true);
    CHECK(world.hub.must_wait(ann.key, Text{"x"}));
    world.hub.leave(ann.key, "reset");
    world.hub.set_blocked(bob.key, false);
    CHECK(ann.ear->resumed == 0);
}

} // namespace roomd
