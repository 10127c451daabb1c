#include "daemon/admin.h"

#include "daemon/admin_command.h"
#include "test/daemon/server_world.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace roomd {

namespace {

using std::chrono::milliseconds;

/// Somebody else's part of an upgrade.
struct Handover final : Upgrade {
    bool begin(std::string& why) override {
        ++begun;
        if (!willing) {
            why = "not today";
        }
        return willing;
    }

    bool leave(std::string& why) override { return begin(why); }

    bool willing = true;
    int begun = 0;
};

/// A server, its operator and the admin socket; one thread, clients by hand.
struct AdminWorld : ServerWorld {
    AdminWorld() { configure(""); }

    ~AdminWorld() {
        admin.reset();
        ::unlink(config_path.c_str());
        ::unlink((config_path + ".sock.lock").c_str());
    }

    AdminWorld(const AdminWorld&) = delete;
    AdminWorld& operator=(const AdminWorld&) = delete;
    AdminWorld(AdminWorld&&) = delete;
    AdminWorld& operator=(AdminWorld&&) = delete;

    /// `rules.user`: whose daemon it is; ours unless said otherwise.
    void open(AdminRules rules = {::geteuid()}) {
        const ConfigResult loaded = load_config(3, arguments.data(), nullptr);
        REQUIRE_MESSAGE(loaded.action == ConfigAction::run, loaded.error);
        config = loaded.config;
        start();
        orders = std::make_unique<Operator>(arguments, *server, log, supervisor);
        Fd fd = sys::listen_stream(unix_address(path), {16, 0600});
        admin = std::make_unique<Admin>(AdminHost{loop, server->host(), *orders, log}, rules,
                                        std::move(fd), UnixFile{path, {}});
    }

    Client call() {
        Client client(sys::connect_begin(unix_address(path)), Framing::line);
        return client;
    }

    /// Everything that is answered to one command.
    Payloads ask(Client& client, std::string_view command) {
        const std::size_t before = client.heard().size();
        client.send(command);
        REQUIRE(until([&] {
            const Payloads& heard = client.heard();
            return heard.size() > before && !heard.back().starts_with("- ");
        }));
        return {client.heard().begin() + static_cast<std::ptrdiff_t>(before), client.heard().end()};
    }

    void configure(std::string_view rest) {
        std::ofstream(config_path)
            << "listen = [\"unix:" << config_path << ".sock\"]\nlog_level = \"error\"\n"
            << rest;
    }

    std::string path = "/tmp/roomd-admin-" + std::to_string(::getpid()) + ".sock";
    std::string config_path = "/tmp/roomd-admin-" + std::to_string(::getpid()) + ".toml";
    std::array<char*, 3> arguments{const_cast<char*>("roomd"), // NOLINT: as main has them
                                   const_cast<char*>("--config"), config_path.data()};
    Supervisor supervisor{""};
    std::unique_ptr<Operator> orders;
    std::unique_ptr<Admin> admin;
};

} // namespace

TEST_CASE("Operator: a reload says what became of each key, and a refusal changes nothing") {
    AdminWorld world;
    world.open();
    world.configure("[limits]\nrooms_max = 7\nlisten_backlog = 9\n");
    const Verdict good = world.orders->reload();
    CHECK(good.ok);
    const std::vector<std::string> wanted = {"needs a restart: limits.listen_backlog 4096 -> 9",
                                             "applied: limits.rooms_max 10000 -> 7"};
    CHECK(good.lines == wanted);
    CHECK(world.server->limits().rooms_max == 7);
    world.configure("[limits]\nrooms_max = many\n");
    const Verdict bad = world.orders->reload();
    CHECK_FALSE(bad.ok);
    REQUIRE(bad.lines.size() == 1);
    CHECK(bad.lines[0].starts_with(world.config_path + ":4:"));
    CHECK(world.server->limits().rooms_max == 7);
    static_cast<void>(world.orders->stop());
    const Verdict late = world.orders->reload();
    CHECK_FALSE(late.ok);
}

TEST_CASE("Operator: an upgrade is somebody's to make, and is refused with a reason else") {
    AdminWorld world;
    world.open();
    const Verdict without = world.orders->upgrade();
    CHECK_FALSE(without.ok);
    CHECK(without.lines.at(0).find("restart it instead") != std::string::npos);
    Handover handover;
    world.orders->set_upgrade(handover);
    CHECK(world.orders->upgrade().ok);
    handover.willing = false;
    const Verdict refused = world.orders->upgrade();
    CHECK_FALSE(refused.ok);
    CHECK(refused.lines == std::vector<std::string>{"not today"});
    CHECK(handover.begun == 2);
}

TEST_CASE("Admin: a command a line, answers with a last line each, in order") {
    AdminWorld world;
    world.open();
    Client client = world.call();
    const Payloads status = world.ask(client, "status");
    CHECK(status.back() == "ok status");
    CHECK(status.front() == "- version " + std::string(version()));
    CHECK(world.ask(client, "frob").back() == "error usage");
    CHECK(world.ask(client, "upgrade").back() == "error refused");
    CHECK(world.ask(client, "reload") == Payloads{"- nothing has changed", "ok reload"});
    CHECK(world.ask(client, "lockdown on").back() == "ok lockdown");
    CHECK(world.server->lockdown());
    client.send("lockdown off\nstatus\nhelp");
    REQUIRE(world.until([&] { return client.has("ok help"); }));
    CHECK_FALSE(world.server->lockdown());
    CHECK(client.count("ok lockdown") == 2);
    CHECK(world.admin->connection_count() == 1);
}

TEST_CASE("Admin: who says nothing for too long is told and closed, and its place is free") {
    AdminWorld world;
    world.open({::geteuid(), 1, milliseconds(1)});
    Client idle = world.call();
    REQUIRE(world.until([&] { return world.admin->connection_count() == 1; }));
    Client second = world.call();
    REQUIRE(world.until([&] { return second.ended(); }));
    CHECK(second.heard().at(0).starts_with("error full: 1 admin"));
    REQUIRE(world.until([&] { return idle.ended(); }));
    CHECK(idle.heard().at(0).starts_with("error idle"));
    REQUIRE(world.until([&] { return world.admin->connection_count() == 0; }));
    Client third = world.call();
    CHECK(world.ask(third, "help").back() == "ok help");
}

TEST_CASE("Admin: a line without an end is refused before it is whole") {
    AdminWorld world;
    world.open();
    Client client = world.call();
    REQUIRE(client.peer.say(std::string(admin_line_bytes_max + 1, 'x')) > 0);
    REQUIRE(world.until([&] { return client.ended(); }));
    CHECK(client.heard().at(0).starts_with("error usage: no command is longer"));
}

TEST_CASE("Admin: a drain tells how many are left, and its end") {
    AdminWorld world;
    world.open();
    Client first = world.connect(Framing::line);
    Client second = world.connect(Framing::line);
    first.send("hi");
    second.send("hi");
    REQUIRE(world.until([&] { return first.has("*") && second.has("*"); }));
    Client client = world.call();
    client.send("drain 0");
    REQUIRE(world.until([&] { return first.ended() && second.ended(); }));
    CHECK(first.has("! bye: this server is taken out of service"));
    CHECK(client.has("- left 2"));
    CHECK_FALSE(client.has("ok"));
    first.peer.close();
    second.peer.close();
    REQUIRE(world.until([&] { return world.loop.stopping(); }));
    world.admin->finish();
    CHECK(client.heard().back() == "ok drain");
    CHECK(client.heard().at(client.heard().size() - 2) == "- left 0");
}

TEST_CASE("Admin: only a Unix socket knows who is on the other end") {
    AdminWorld world;
    world.open();
    Fd tcp = sys::listen_stream(sys::resolve("127.0.0.1", 0, false).at(0), {});
    CHECK_THROWS_AS(Admin(AdminHost{world.loop, world.server->host(), *world.orders, world.log},
                          {::geteuid()}, std::move(tcp), {}),
                    std::system_error);
    auto [ours, theirs] = connected(Medium::unix_socket);
    CHECK(sys::peer_user(ours.get()) == ::geteuid());
    auto [near, far] = connected(Medium::tcp);
    CHECK_FALSE(sys::peer_user(near.get()));
}

} // namespace roomd
