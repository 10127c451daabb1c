#include "daemon/tracer.h"

#include "test/daemon/hub_world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

namespace {

/// A tracer with those who trace, and what they were shown.
struct TracerWorld {
    HubWorld hub;
    Tracer tracer{hub.hub};

    Person watcher() {
        Person person = hub.program("watcher" + std::to_string(++watchers_));
        REQUIRE(tracer.add(person.key));
        return person;
    }

    /// The lines of a tick.
    std::vector<std::string> tick(const Person& watcher) {
        tracer.write_pending();
        std::vector<std::string> lines = watcher.take();
        for (std::string& line : lines) {
            REQUIRE(line.starts_with("trace "));
            line.erase(0, std::string_view("trace ").size());
        }
        return lines;
    }

    ChunkRef chunk(std::string_view payload) {
        std::string bytes;
        encode_payload(bytes, Framing::line, payload);
        ChunkRef made = hub.arena.make(ChunkKind::shared, static_cast<std::uint32_t>(bytes.size()));
        made->append(bytes);
        return made;
    }

private:
    int watchers_ = 0;
};

std::string line(std::string_view payload) {
    return std::string(payload) + "\n";
}

} // namespace

TEST_CASE("Tracer: what a room hears is rendered once, however many hear it") {
    TracerWorld world;
    const Person watcher = world.watcher();
    const Person ann = world.hub.program("ann");
    const ChunkRef chunk = world.chunk("[lobby] bob: hello");
    for (std::uint32_t connection = 7; connection < 1'007; ++connection) {
        world.tracer.sent_to_all({connection, ann.key, Framing::line}, chunk, 0, chunk->size());
    }
    const ChunkRef other = world.chunk("[ops] bob: hello");
    world.tracer.sent_to_all({9, ann.key, Framing::line}, other, 0, other->size());
    const std::vector<std::string> lines = world.tick(watcher);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == "#7 ann and 999 more < line [0a] 18 bytes \"[lobby] bob: hello\"");
    CHECK(lines[1] == "#9 ann < line [0a] 16 bytes \"[ops] bob: hello\"");
}

TEST_CASE("Tracer: lines stand in the order in which things happened") {
    TracerWorld world;
    const Person watcher = world.watcher();
    const Person ann = world.hub.program("ann");
    const ChunkRef chunk = world.chunk("heard");
    world.tracer.arrived(3, ann.key, 6, 2);
    world.tracer.received(3, ann.key, Framing::line, "/ping x\n");
    world.tracer.sent_to_all({3, ann.key, Framing::line}, chunk, 0, chunk->size());
    world.tracer.sent(3, ann.key, Framing::line, "ping x\nok say lobby 1\n");
    const std::vector<std::string> lines = world.tick(watcher);
    REQUIRE(lines.size() == 5);
    CHECK(lines[0] == "#3 ann > read 6 bytes, behind 2 that were waiting");
    CHECK(lines[1] == "#3 ann > line [0a] 7 bytes \"/ping x\"");
    CHECK(lines[2] == "#3 ann < line [0a] 5 bytes \"heard\"");
    CHECK(lines[3] == "#3 ann < line [0a] 6 bytes \"ping x\"");
    CHECK(lines[4] == "#3 ann < line [0a] 14 bytes \"ok say lobby 1\"");
}

TEST_CASE("Tracer: private messages and what may be a password are not shown, their sizes are") {
    TracerWorld world;
    const Person watcher = world.watcher();
    const Person ann = world.hub.program("ann");
    world.tracer.received(3, ann.key, Framing::line, line("/msg bob the secret"));
    world.tracer.received(3, ann.key, Framing::line, line("/login ann hunter2"));
    world.tracer.received(3, ann.key, Framing::line, line("/msgbob the secret"));
    world.tracer.received(3, ann.key, Framing::line, line("/" + std::string(40, 'x')));
    world.tracer.received(3, ann.key, Framing::line, line("//msg is a command"));
    world.tracer.received(3, ann.key, Framing::line, line("/say lobby hello"));
    world.tracer.sent_privately(4, ann.key, Framing::line, line("dm 1 ann the secret"));
    const std::vector<std::string> lines = world.tick(watcher);
    REQUIRE(lines.size() == 7);
    CHECK(lines[0] == "#3 ann > line [0a] 19 bytes \"/msg\" and what is private");
    CHECK(lines[1] == "#3 ann > line [0a] 18 bytes \"/login\" and what is private");
    CHECK(lines[2].ends_with("\"/msgbob\" and what is private"));
    CHECK(lines[3].ends_with("and what is private"));
    CHECK(lines[4].ends_with("\"//msg is a command\""));
    CHECK(lines[5].ends_with("\"/say lobby hello\""));
    CHECK(lines[6] == "#4 ann < line [0a] 19 bytes, private");
}

TEST_CASE("Tracer: the hub says of a private message that it is one, in every format") {
    HubWorld world;
    const Person ann = world.program("ann");
    const Person bob = world.enter(Framing::line, Format::human);
    world.hub.apply(bob.key, SetNick{"bob"});
    const int before = bob.ear->private_pieces;
    world.hub.apply(ann.key, Msg{"bob", "the secret"});
    CHECK(bob.ear->private_pieces == before + 1);
    CHECK(ann.ear->private_pieces == 0);
}

TEST_CASE("Tracer: there are at most four") {
    TracerWorld world;
    std::vector<Person> watchers;
    for (std::size_t count = 0; count < Tracer::tracers_max; ++count) {
        watchers.push_back(world.watcher());
    }
    CHECK(world.tracer.add(watchers[0].key)); // it is one already
    const Person fifth = world.hub.program("fifth");
    CHECK_FALSE(world.tracer.add(fifth.key));
    CHECK_FALSE(world.tracer.traces(fifth.key));
    world.tracer.forget(watchers[2].key);
    CHECK(world.tracer.add(fifth.key));
    for (const Person& watcher : watchers) {
        world.tracer.forget(watcher.key);
    }
    world.tracer.forget(fifth.key);
    CHECK_FALSE(world.tracer.on());
}

TEST_CASE("Tracer: while nobody who traces reads, nothing is made; then it is said") {
    TracerWorld world;
    const Person watcher = world.watcher();
    const Person ann = world.hub.program("ann");
    CHECK(world.tracer.on());
    watcher.ear->unsent = Tracer::unsent_bytes_max;
    world.tracer.received(3, ann.key, Framing::line, "/ping x\n");
    CHECK(world.tick(watcher).empty());
    CHECK_FALSE(world.tracer.on()); // who would be shown something does not ask for it
    CHECK(world.tick(watcher).empty());
    watcher.ear->unsent = 0;
    const std::vector<std::string> back = world.tick(watcher);
    REQUIRE(back.size() == 1);
    CHECK(back[0] == "1 lines, and all since then, were not shown: you did not read");
    CHECK(world.tracer.on());
    world.tracer.received(3, ann.key, Framing::line, "/ping x\n");
    CHECK(world.tick(watcher).size() == 1);
}

TEST_CASE("Tracer: one that does not read hides nothing from one that does") {
    TracerWorld world;
    const Person deaf = world.watcher();
    const Person watcher = world.watcher();
    const Person ann = world.hub.program("ann");
    deaf.ear->unsent = Tracer::unsent_bytes_max;
    for (int count = 0; count < 3; ++count) {
        CHECK(world.tracer.on());
        world.tracer.received(3, ann.key, Framing::line, "/ping x\n");
        CHECK(world.tick(watcher).size() == 1);
    }
    CHECK(deaf.take().empty());
    deaf.ear->unsent = 0;
    const std::vector<std::string> back = world.tick(deaf);
    REQUIRE(back.size() == 1);
    CHECK(back[0] == "3 lines were not shown: you did not read");
}

TEST_CASE("Tracer: a tick has so many bytes of lines, and those beyond are counted") {
    TracerWorld world;
    const Person watcher = world.watcher();
    const Person ann = world.hub.program("ann");
    for (int count = 0; count < 5'000; ++count) {
        world.tracer.received(3, ann.key, Framing::line,
                              line("/say lobby " + std::string(200, 'x')));
    }
    const std::vector<std::string> lines = world.tick(watcher);
    std::size_t bytes = 0;
    for (const std::string& shown : lines) {
        bytes += shown.size();
    }
    CHECK(bytes <= Tracer::tick_bytes_max + 512);
    CHECK(lines.back() ==
          std::to_string(5'000 - (lines.size() - 1)) + " lines were not shown: too many at once");
}

} // namespace roomd
