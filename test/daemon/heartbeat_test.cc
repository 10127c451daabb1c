#include "daemon/heartbeat.h"

#include "test/daemon/notify_manager.h"
#include "test/daemon/server_world.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

using namespace roomd;

namespace {

/// A server under a service manager.
struct ManagedWorld : ServerWorld {
    explicit ManagedWorld(Duration watchdog) : supervisor(manager.name(), watchdog) {
        start();
        heartbeat.emplace(loop, *server, supervisor);
    }

    /// Ticks until the manager has heard exactly this; what it heard before is forgotten.
    bool hears(const std::string& message) {
        return until([&] {
            for (std::string next = manager.heard(); !next.empty(); next = manager.heard()) {
                if (next == message) {
                    return true;
                }
            }
            return false;
        });
    }

    NotifyManager manager;
    Supervisor supervisor;
    std::optional<Heartbeat> heartbeat;
};

} // namespace

TEST_CASE("Heartbeat: the watchdog is fed within a third of its time, by passes of the loop") {
    TimePoint begin = sys::monotonic_now();
    ManagedWorld world(std::chrono::milliseconds(300));
    const auto three_beats = [&] {
        REQUIRE(world.hears("WATCHDOG=1\n"));
        REQUIRE(world.hears("WATCHDOG=1\n"));
        REQUIRE(world.hears("WATCHDOG=1\n"));
        return sys::monotonic_now() - std::exchange(begin, sys::monotonic_now());
    };
    Duration three = three_beats();
    CHECK(three >= std::chrono::milliseconds(300));
    // A machine under load may hold up some passes, but not all of them.
    for (int again = 0; again < 10 && three >= std::chrono::milliseconds(600); ++again) {
        three = three_beats();
    }
    CHECK(three < std::chrono::milliseconds(600));
}

TEST_CASE("Heartbeat: a loop that does not turn is silent") {
    ManagedWorld world(std::chrono::milliseconds(6));
    REQUIRE(world.hears("WATCHDOG=1\n"));
    while (!world.manager.heard().empty()) {
    }
    const TimePoint until = sys::monotonic_now() + std::chrono::milliseconds(60);
    while (sys::monotonic_now() < until) {
    }
    CHECK(world.manager.heard().empty());
}

TEST_CASE("Heartbeat: while it starts more time is asked for, then the status is told") {
    ManagedWorld world(std::chrono::milliseconds(30));
    REQUIRE(world.hears("EXTEND_TIMEOUT_USEC=30000000\n"));
    REQUIRE(world.supervisor.ready("serving"));
    REQUIRE(world.hears("STATUS=0 connections in 0 rooms\n"));
    Client ann = world.program("ann", "ops");
    REQUIRE(world.hears("STATUS=1 connection in 1 room\n"));
    ann.peer.close();
    REQUIRE(world.hears("STATUS=0 connections in 1 room\n"));
}

TEST_CASE("Heartbeat: a status that has not changed is not told again") {
    ManagedWorld world(std::chrono::milliseconds(6));
    REQUIRE(world.supervisor.ready("serving"));
    REQUIRE(world.hears("STATUS=0 connections in 0 rooms\n"));
    for (int beat = 0; beat < 10; ++beat) {
        std::string next;
        REQUIRE(world.until([&] { return !(next = world.manager.heard()).empty(); }));
        CHECK(next == "WATCHDOG=1\n");
    }
}

TEST_CASE("Heartbeat: a drain asks for more time and says for whom it waits") {
    ManagedWorld world(std::chrono::milliseconds(30));
    Client ann = world.program("ann", "ops");
    REQUIRE(world.supervisor.stopping("stopping"));
    world.server->stop();
    REQUIRE(world.hears("EXTEND_TIMEOUT_USEC=30000000\n"));
    REQUIRE(world.hears("STATUS=saying goodbye to 1 connection\n"));
}

TEST_CASE("Heartbeat: without a service manager there is no timer, and nothing to say") {
    ServerWorld world;
    world.start();
    Supervisor nobody("", std::chrono::milliseconds(1));
    const Heartbeat heartbeat(world.loop, *world.server, nobody);
    CHECK(nobody.watchdog_time() == Duration{});
    CHECK(Heartbeat::status_of(*world.server) == "0 connections in 0 rooms");
}
