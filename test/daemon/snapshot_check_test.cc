// What a state may not say: each time a state that is borne, and its neighbour that is not.
#include "daemon/snapshot_format.h"
#include "test/daemon/second_life.h"
#include "test/daemon/server_world.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

namespace {

/// Two members of a room, one of them with something of everything in its queue.
Snapshot plausible() {
    Snapshot snapshot;
    snapshot.labels = {"lobby"};
    snapshot.chunks = {{ChunkKind::shared, 0, "one\ntwo\nthree\n", {{4, 1}, {8, 2}, {14, 3}}, {}},
                       {ChunkKind::own, no_index, "ok\n", {}, {}},
                       {ChunkKind::notice, 0, {}, {}, {{0, 1, 1, 1}}},
                       {ChunkKind::own, no_index, "another\n", {}, {}}};
    const HistoryEntry said{0, 1'700'000'000'000, "ann", "three", false, true};
    snapshot.rooms = {{"lobby", "k3", {}, 4, {said}, 0, 0, 0}, {"ops", "k4", {}, 1, {}, 0, 0, 0}};
    for (const std::string_view nick : {"ann", "bob"}) {
        SavedSession& session = snapshot.sessions.emplace_back();
        session.uri = "tcp://127.0.0.1:0?framing=line";
        session.begun = true;
        session.decoder.framing = Framing::line;
        session.member.emplace().nick = nick;
        session.member->format = Format::event;
        session.member->rooms = {0};
    }
    snapshot.sessions[0].output = {{0, 1, 4}, {2, 0, 0}, {0, 8, 14}, {1, 0, 3}};
    return snapshot;
}

using Change = std::function<void(Snapshot&)>;

std::string verdict(const Change& change) {
    Snapshot snapshot = plausible();
    change(snapshot);
    std::string error;
    const std::string bytes = encode_snapshot(snapshot);
    static_cast<void>(decode_snapshot(bytes, error));
    return error;
}

/// Decodes, and a server can go on from it.
bool borne(const Change& change) {
    Snapshot snapshot = plausible();
    change(snapshot);
    std::string error;
    const std::string bytes = encode_snapshot(snapshot);
    std::optional<Snapshot> decoded = decode_snapshot(bytes, error);
    if (!decoded) {
        MESSAGE(error);
        return false;
    }
    Log log(LogFormat::text, LogLevel::error, 1000);
    return test::live_on(*decoded, Config{}, log) == 0;
}

constexpr std::string_view connection_0 = "the state is damaged: connection 0 cannot be";
constexpr std::string_view connection_1 = "the state is damaged: connection 1 cannot be";
constexpr std::string_view room_0 = "the state is damaged: room 0 cannot be";

SavedReplay& replay(Snapshot& snapshot, std::uint64_t first, std::uint64_t next,
                    std::uint64_t end) {
    snapshot.sessions[1].member->replay = SavedReplay{0, next, end, first, false};
    return *snapshot.sessions[1].member->replay;
}

} // namespace

TEST_CASE("snapshot: shared bytes end where a unit ends, one's own at their end") {
    CHECK(borne([](Snapshot&) {}));
    const auto window = [](std::size_t index, SavedWindow is) {
        return [=](Snapshot& snapshot) { snapshot.sessions[0].output[index] = is; };
    };
    CHECK(borne(window(2, {0, 8, 14})));
    CHECK(borne(window(2, {0, 4, 8})));
    CHECK(verdict(window(2, {0, 8, 13})) == connection_0); // the rest would go out with it
    CHECK(verdict(window(2, {0, 8, 8})) == connection_0);
    CHECK(verdict(window(2, {0, 8, 15})) == connection_0);
    CHECK(verdict(window(2, {4, 0, 1})) == connection_0);
    CHECK(borne(window(3, {1, 2, 3})));
    CHECK(verdict(window(3, {1, 0, 2})) == connection_0); // what comes next would begin behind 3
    CHECK(verdict(window(1, {2, 0, 1})) == connection_0);
}

TEST_CASE("snapshot: what is one reader's own waits in one queue, and once") {
    const auto add = [](std::size_t session, std::uint32_t chunk) {
        return [=](Snapshot& snapshot) {
            const SavedChunk& of = snapshot.chunks[chunk];
            snapshot.sessions[session].output.push_back(
                {chunk, 0, static_cast<std::uint32_t>(of.bytes.size())});
        };
    };
    CHECK(borne(add(1, 0))); // shared
    CHECK(borne(add(1, 3)));
    CHECK(verdict(add(1, 1)) == connection_1); // each would append to it for both
    CHECK(verdict(add(1, 2)) == connection_1);
    CHECK(verdict(add(0, 1)) == connection_0);
}

TEST_CASE("snapshot: only who speaks frames or lines is told what it lost") {
    const auto leaving = [](Framing framing) {
        return [=](Snapshot& snapshot) {
            SavedSession& session = snapshot.sessions[0];
            session.member.reset();
            session.ending = true;
            session.stream.phase = StreamPhase::draining;
            session.decoder.framing = framing;
        };
    };
    CHECK(borne(leaving(Framing::frame)));
    CHECK(borne(leaving(Framing::line)));
    CHECK(verdict(leaving(Framing::echo)) == connection_0);
    CHECK(verdict(leaving(Framing::automatic)) == connection_0);
}

TEST_CASE("snapshot: nobody is sent what has not been said yet") {
    const auto at = [](std::uint64_t first, std::uint64_t next, std::uint64_t end) {
        return [=](Snapshot& snapshot) { replay(snapshot, first, next, end); };
    };
    CHECK(borne(at(1, 1, 4)));
    CHECK(borne(at(2, 4, 4)));
    CHECK(verdict(at(1, 1, 5)) == connection_1);
    CHECK(verdict(at(1, 4, 3)) == connection_1);
    CHECK(verdict(at(2, 1, 4)) == connection_1);
    CHECK(verdict(at(0, 1, 4)) == connection_1);
    const auto live = [](std::uint64_t next) {
        return [=](Snapshot& snapshot) {
            snapshot.sessions[1].member->rooms = {1};
            replay(snapshot, 1, next, UINT64_MAX).join = true;
        };
    };
    CHECK(borne(live(4)));
    CHECK(verdict(live(5)) == connection_1);
}

TEST_CASE("snapshot: what is counted can be counted on") {
    const auto next_id = [](std::uint64_t next) {
        return [=](Snapshot& snapshot) { snapshot.rooms[0].next_id = next; };
    };
    CHECK(borne(next_id(INT64_MAX)));
    CHECK(verdict(next_id(UINT64_MAX)) == room_0); // the message after it would have the id 0
    const auto crowd = [](std::uint32_t joined, std::uint32_t left) {
        return [=](Snapshot& snapshot) {
            snapshot.rooms[0].crowd_joined = joined;
            snapshot.rooms[0].crowd_left = left;
        };
    };
    CHECK(borne(crowd(INT32_MAX, INT32_MAX)));
    CHECK(verdict(crowd(0x8000'0000, 0x8000'0000)) == room_0); // together they would be none
    const auto spent = [](double tokens) {
        return [=](Snapshot& snapshot) {
            snapshot.sessions[1].limited = true;
            snapshot.sessions[1].rates[1] = {tokens, UINT64_MAX};
        };
    };
    CHECK(borne(spent(1e12)));
    CHECK(borne(spent(1e300)));
}

TEST_CASE("snapshot: what is written once is written the same again, however much was spent") {
    double spent = 1e-6;
    for (int step = 0; step < 90; ++step, spent *= 1.7) {
        Snapshot snapshot = plausible();
        snapshot.sessions[0].limited = true;
        snapshot.sessions[0].rates[0].spent = spent;
        const std::string once = encode_snapshot(snapshot);
        std::string error;
        const std::optional<Snapshot> decoded = decode_snapshot(once, error);
        REQUIRE_MESSAGE(decoded, error);
        CHECK(encode_snapshot(*decoded) == once);
        const double kept = decoded->sessions[0].rates[0].spent;
        CHECK(kept == doctest::Approx(std::min(spent, 1e12)).epsilon(1e-3));
    }
}

TEST_CASE("snapshot: a replay goes on although its reader has taken everything there was") {
    Snapshot snapshot = plausible();
    replay(snapshot, 3, 3, 4);
    snapshot.sessions.erase(snapshot.sessions.begin());
    auto [ours, theirs] = test::socket_pair();
    snapshot.sessions[0].cookie = sys::socket_cookie(ours.get());
    ServerWorld world;
    world.start();
    std::vector<Fd> sockets;
    sockets.push_back(std::move(ours));
    REQUIRE(world.server->restore(snapshot, std::move(sockets)) == 0);
    Client client(std::move(theirs), Framing::line);
    client.send("/ping behind");
    CHECK(world.until([&] { return client.has("ok ping behind"); }));
    REQUIRE(client.heard().size() == 3);
    CHECK(client.heard()[0].starts_with("old lobby 3 "));
    CHECK(client.heard()[1].starts_with("ok history lobby"));
}

TEST_CASE("snapshot: a connection that ends does so in time, whatever was known of its patience") {
    Snapshot snapshot = plausible();
    snapshot.sessions.resize(1);
    SavedSession& session = snapshot.sessions[0];
    session.member.reset();
    session.output.clear();
    session.ending = true;
    session.stream.phase = StreamPhase::lingering;
    REQUIRE_FALSE(session.patience);
    auto [ours, theirs] = test::socket_pair();
    session.cookie = sys::socket_cookie(ours.get());
    ServerWorld world;
    world.config.limits.linger_ms_max = 20;
    world.start();
    std::vector<Fd> sockets;
    sockets.push_back(std::move(ours));
    REQUIRE(world.server->restore(snapshot, std::move(sockets)) == 0);
    CHECK(world.server->session_count() == 1);
    CHECK(world.until([&] { return world.server->session_count() == 0; })); // its peer stays
}

} // namespace roomd
