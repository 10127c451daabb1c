#include "test/daemon/server_world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace roomd {

namespace {

using std::chrono::milliseconds;
using Crowd = std::vector<std::unique_ptr<Client>>;

/// So many programs in the lobby.
Crowd gather(ServerWorld& world, std::size_t count) {
    Crowd crowd;
    for (std::size_t index = 0; index < count; ++index) {
        crowd.push_back(
            std::make_unique<Client>(world.program("c" + std::to_string(index), "lobby")));
    }
    return crowd;
}

} // namespace

TEST_CASE("Server: a drain tells each at a moment of its own, and ends when all have gone") {
    ServerWorld world;
    world.start();
    Crowd crowd = gather(world, 30);
    REQUIRE(world.server->drain(milliseconds(600)));
    CHECK_FALSE(world.server->drain(milliseconds(1)));
    CHECK(world.server->phase() == Server::Phase::draining);
    const TimePoint begin = sys::monotonic_now();
    std::vector<Duration> moments;
    while (!crowd.empty()) {
        REQUIRE(sys::monotonic_now() - begin < std::chrono::seconds(5));
        world.loop.tick(milliseconds(5));
        std::erase_if(crowd, [&](const std::unique_ptr<Client>& client) {
            if (!client->has("bye shutting_down this server is taken out of service")) {
                return false;
            }
            moments.push_back(sys::monotonic_now() - begin);
            client->peer.close();
            return true;
        });
        CHECK((world.loop.stopping() || !crowd.empty() || world.server->session_count() > 0));
    }
    CHECK(moments.back() - moments.front() > milliseconds(200)); // 1 in 10^12 by chance
    CHECK(moments.back() < milliseconds(600) + std::chrono::seconds(1));
    REQUIRE(world.until([&] { return world.loop.stopping(); }));
    CHECK(world.server->phase() == Server::Phase::stopping);
}

TEST_CASE("Server: a stop while it drains tells all the others at once") {
    ServerWorld world;
    world.start();
    Crowd crowd = gather(world, 5);
    REQUIRE(world.server->drain(std::chrono::hours(1)));
    world.loop.tick(milliseconds(5));
    CHECK_FALSE(world.loop.stopping());
    world.server->stop();
    REQUIRE(world.until([&] {
        return std::all_of(crowd.begin(), crowd.end(),
                           [](const auto& client) { return client->has("bye shutting_down"); });
    }));
    CHECK_FALSE(world.loop.stopping()); // they have not closed yet
    world.server->stop();
    CHECK(world.loop.stopping());
}

TEST_CASE("Server: who comes too fast where strangers come waits, on this machine nobody does") {
    for (const bool strangers : {true, false}) {
        ServerWorld world;
        world.config.limits.accepts_per_second_max = 50;
        world.listen(strangers ? "tcp://127.0.0.1:0?limits=on" : "tcp://127.0.0.1:0");
        world.start();
        std::vector<Fd> callers;
        for (int index = 0; index < 20; ++index) {
            callers.push_back(sys::connect_begin(world.address()));
        }
        const TimePoint begin = sys::monotonic_now();
        REQUIRE(world.until([&] { return world.server->session_count() == 20; }));
        const Duration took = sys::monotonic_now() - begin;
        if (strangers) { // how fast the others are, the machine decides
            CHECK(took > milliseconds(200));
        }
        CHECK((world.hits(Limit::accepts_per_second_max) > 0) == strangers);
        CHECK(world.server->counters().refused == 0);
    }
}

TEST_CASE("Server: an address that comes more often than it may keeps nobody else waiting") {
    for (const bool locked : {true, false}) {
        ServerWorld world;
        world.config.limits.accepts_per_second_max = 20;
        world.config.limits.source_connections_max = 1;
        world.listen("tcp://127.0.0.1:0?limits=on");
        world.start();
        world.server->set_lockdown(locked);
        std::vector<Fd> callers;
        for (int index = 0; index < 40; ++index) {
            callers.push_back(sys::connect_begin(world.address()));
        }
        const std::size_t welcome = locked ? 0 : 1;
        REQUIRE(world.until([&] { return world.server->counters().refused == 40 - welcome; }));
        CHECK(world.server->session_count() == welcome);
        CHECK(world.hits(Limit::accepts_per_second_max) == 0);
    }
}

} // namespace roomd
