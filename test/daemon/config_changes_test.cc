#include "daemon/config_changes.h"

#include "daemon/config_options.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

namespace {

using Lines = std::vector<std::string>;

Config with_listeners(const std::vector<std::string>& uris) {
    Config config;
    REQUIRE(parse_listeners(uris, config.listeners).empty());
    return config;
}

Lines changes(const Config& before, const Config& after) {
    return describe_changes({before, before, after});
}

const Setting& setting_called(std::string_view name) {
    const auto table = settings();
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const Setting& row) { return row.name == name; });
    REQUIRE(found != table.end());
    return *found;
}

RoomSpec room(std::string_view name) {
    RoomSpec spec;
    spec.name = name;
    return spec;
}

void set(Config& config, std::string_view name, const std::string& text) {
    REQUIRE(apply(setting_called(name), {text}, config).empty());
}

} // namespace

TEST_CASE("config changes: none, and it says so") {
    const Config config = with_listeners({"tcp://127.0.0.1:1"});
    CHECK(changes(config, config) == Lines{"nothing has changed"});
}

TEST_CASE("config changes: each key with both values and what became of it") {
    const Config before = with_listeners({"tcp://127.0.0.1:1"});
    Config after = before;
    set(after, "rooms_max", "20");
    set(after, "queue_bytes_max", "2MiB");
    set(after, "frame_bytes_max", "1MiB");
    set(after, "listen_backlog", "100");
    set(after, "admin", "/run/x/a.sock");
    set(after, "log_level", "debug");
    set(after, "name", "home");
    const Lines lines = changes(before, after);
    const Lines wanted = {"applied: name roomd -> home",
                          "applied: log_level info -> debug",
                          "needs a restart: admin off -> unix:/run/x/a.sock",
                          "applied to new connections: limits.frame_bytes_max 64KiB -> 1MiB",
                          "applied: limits.queue_bytes_max 1MiB -> 2MiB",
                          "needs a restart: limits.listen_backlog 4096 -> 100",
                          "applied: limits.rooms_max 10000 -> 20"};
    CHECK(Lines(lines) == wanted);
}

TEST_CASE("config changes: what needs a restart is told again until it is back or restarted") {
    const Config started = with_listeners({"tcp://127.0.0.1:1"});
    Config changed = started;
    set(changed, "listen_backlog", "100");
    set(changed, "rooms_max", "20");
    const Lines again = describe_changes({started, changed, changed});
    CHECK(again == Lines{"needs a restart: limits.listen_backlog 4096 -> 100"});
    Config back = changed;
    set(back, "listen_backlog", "4096");
    CHECK(describe_changes({started, changed, back}) == Lines{"nothing has changed"});
}

TEST_CASE("config changes: every key that differs has a line") {
    for (const Setting& setting : settings()) {
        if (kind_of(setting) != Kind::number) {
            continue;
        }
        const Config before = with_listeners({"tcp://127.0.0.1:1"});
        Config after = before;
        const std::string old = value_as_toml(setting, before);
        set(after, setting.name,
            std::to_string(old == std::to_string(setting.min) ? setting.max : setting.min));
        const Lines lines = changes(before, after);
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].find(": " + key_of(setting) + " ") != std::string::npos);
    }
}

TEST_CASE("config changes: listeners that came, went, or got other options") {
    const Config before = with_listeners({"tcp://127.0.0.1:1", "tcp://127.0.0.1:2?room=a"});
    const Config after = with_listeners({"tcp://127.0.0.1:2?room=b", "unix:/tmp/x"});
    const Lines lines = changes(before, after);
    const Lines wanted = {
        "applied: no longer listening on tcp://127.0.0.1:1",
        "applied to new connections: tcp://127.0.0.1:2?room=a -> tcp://127.0.0.1:2?room=b",
        "applied: listening on unix:/tmp/x"};
    CHECK(Lines(lines) == wanted);
}

TEST_CASE("config changes: rooms that are described otherwise") {
    Config before = with_listeners({"tcp://127.0.0.1:1"});
    before.rooms = {{"same", SlowPolicy::gap, 1, 2, "t"}, room("gone"), room("ops"), room("talk")};
    Config after = before;
    after.rooms = {before.rooms[0], room("ops"), room("talk"), room("new")};
    after.rooms[1].slow = SlowPolicy::wait;
    after.rooms[2].topic = "weather";
    const Lines lines = changes(before, after);
    const Lines wanted = {"applied: room \"gone\" is as all others", "applied: room \"ops\"",
                          "applied: room \"talk\" (its topic when it is next made)",
                          "applied: room \"new\""};
    CHECK(Lines(lines) == wanted);
}

} // namespace roomd
