#include "test/sim/scenario.h"

#include <algorithm>
#include <cstring>

#include <netinet/in.h>

namespace roomd::sim {

namespace {

struct Door {
    const char* address; // as the world knows it
    Transport transport;
    const char* host;
    std::uint16_t port;
    Framing framing;
    bool debug;
};

constexpr std::array<Door, 5> doors{{
    {"127.0.0.1:8888", Transport::tcp, "127.0.0.1", 8888, Framing::automatic, false},
    {"127.0.0.1:8889", Transport::tcp, "127.0.0.1", 8889, Framing::line, true},
    {"/sim/roomd.sock", Transport::unix_stream, "/sim/roomd.sock", 0, Framing::automatic, false},
    {"[::1]:8890", Transport::tcp, "::1", 8890, Framing::frame, false},
    {"0.0.0.0:8892", Transport::tcp, "0.0.0.0", 8892, Framing::automatic, false},
}};
constexpr std::size_t public_door = 4;

ListenerSpec spec_of(const Door& door) {
    ListenerSpec spec;
    spec.endpoint.transport = door.transport;
    if (door.transport == Transport::unix_stream) {
        spec.endpoint.path = door.host;
    } else {
        spec.endpoint.host = door.host;
        spec.endpoint.port = door.port;
    }
    spec.framing = door.framing;
    spec.debug = door.debug;
    spec.uri = door.address;
    return spec;
}

void draw_limits(Random& random, Limits& limits) {
    const auto maybe = [&random](std::uint64_t odds, std::uint32_t& limit, std::uint64_t least,
                                 std::uint64_t most) {
        if (random.one_in(odds)) {
            limit = static_cast<std::uint32_t>(random.skewed(least, most));
        }
    };
    maybe(3, limits.read_bytes_per_tick_max, 1, 65'536);
    maybe(3, limits.flush_bytes_per_tick_max, 16, 262'144);
    maybe(3, limits.accepts_per_tick_max, 1, 128);
    maybe(3, limits.flushed_bytes_per_tick_max, 1, 1'000'000);
    maybe(3, limits.said_bytes_per_tick_max, 1, 65'536);
    maybe(3, limits.queue_bytes_max, 2'048, 65'536);
    limits.queue_soft_bytes = std::min(limits.queue_soft_bytes, limits.queue_bytes_max / 4);
    maybe(4, limits.queue_soft_ms, 100, 10'000);
    maybe(4, limits.queue_entries_max, 8, 4'096);
    maybe(3, limits.reply_bytes_max, 512, 65'536);
    maybe(3, limits.history_messages_max, 1, 1'000);
    maybe(3, limits.history_bytes_max, 512, 1'048'576);
    maybe(4, limits.presence_members_max, 1, 30);
    maybe(6, limits.rooms_per_member_max, 1, 3);
    maybe(8, limits.members_per_room_max, 1, 20);
    maybe(4, limits.wire.frame_bytes_max, 200, 65'536);
    maybe(4, limits.wire.line_bytes_max, 200, 4'096);
    maybe(3, limits.room_idle_ms, 100, 60'000);
    maybe(4, limits.stalled_ms_max, 5'000, 30'000);
}

std::size_t draw_size(Random& random) {
    const std::uint64_t kind = random.below(200);
    if (kind == 0) {
        return random.between(500, 3'000);
    }
    return kind < 60 ? random.between(10, 50) : random.between(2, 12);
}

Role draw_role(Random& random, std::uint32_t number, const Door& door, const Limits& limits) {
    Role role;
    role.manner = static_cast<Manner>(std::min<std::uint64_t>(random.below(4), 2));
    role.frames =
        door.framing == Framing::frame || (door.framing == Framing::automatic && random.one_in(2));
    role.echo = random.one_in(3);
    role.address = door.address;
    const bool on_connect = door.framing != Framing::automatic;
    role.default_room = on_connect ? "lobby" : "";
    role.from =
        door.transport == Transport::unix_stream
            ? unix_caller()
            : caller_address(number, door.port == doors[public_door].port && random.one_in(2));
    role.may_be_limited = door.port == doors[public_door].port;
    role.payload_bytes_max = role.frames ? limits.wire.frame_bytes_max : limits.wire.line_bytes_max;
    // A person on lines hears people's format; frames are plain: what a client is that has asked
    // for nothing else.
    if (role.manner != Manner::event) {
        role.manner = role.frames ? Manner::plain : Manner::human;
    }
    role.patience =
        static_cast<Instant>(std::min(limits.stalled_ms_max, limits.linger_ms_max)) * millisecond -
        second;
    role.restless = random.one_in(4);
    role.pastes = random.one_in(8);
    role.turns = random.skewed(1, 40);
    role.connections = random.skewed(1, 4);
    role.burst_max = random.one_in(4) ? random.skewed(1, 40) : 4;
    role.turn_pause_max = static_cast<Instant>(random.skewed(1, 1'000)) * millisecond;
    if (random.one_in(5)) {
        role.stalls = static_cast<unsigned>(random.skewed(1, 300));
    }
    if (random.one_in(3)) {
        role.pace.take_bytes_max = random.skewed(64, 4'096);
        role.pace.take_pause = static_cast<Instant>(random.skewed(1, 2'000)) * microsecond;
    }
    return role;
}

void draw_people(Random& random, Scenario& scenario, const std::vector<std::size_t>& open) {
    const std::size_t count = draw_size(random);
    const std::size_t rooms = random.between(1, 4);
    const std::size_t text_max = random.one_in(4) ? random.skewed(200, 6'000) : 200;
    for (std::uint32_t number = 0; number < count; ++number) {
        const Door& door = doors[open[random.below(open.size())]];
        Role role = draw_role(random, number, door, scenario.config.limits);
        role.people = count;
        role.rooms = rooms;
        role.text_bytes_max = count > 500 ? 100 : text_max;
        if (count > 500) {
            role.turns = std::min<std::size_t>(role.turns, 2);
            role.burst_max = 1;
            role.pastes = false;
            role.connections = 1;
            role.turn_pause_max *= 10;
        }
        role.may_be_refused = scenario.shortages > 0 ||
                              scenario.config.limits.connections_max != 0 ||
                              scenario.memory_scarce || role.may_be_limited;
        scenario.people.push_back(role);
    }
    const std::size_t vandals = random.one_in(2) ? random.below(6) : 0;
    for (std::size_t index = 0; index < vandals; ++index) {
        const Door& door = doors[open[random.below(open.size())]];
        scenario.vandals.emplace_back(door.address, door.framing == Framing::automatic);
    }
}

void draw_policies(Random& random, Scenario& scenario) {
    Limits& limits = scenario.config.limits;
    if (random.one_in(3)) {
        RoomSpec room;
        room.name = random.one_in(2) ? "lobby" : "r1";
        room.slow = static_cast<SlowPolicy>(random.below(4));
        scenario.unread_excused = room.slow == SlowPolicy::wait;
        scenario.config.rooms.push_back(room);
    }
    if (random.one_in(8)) {
        limits.pinned_bytes_max = random.skewed(32'768, 1'048'576);
        scenario.unread_excused = true;
        scenario.memory_scarce = true;
    }
    if (random.one_in(8)) {
        limits.connections_max = static_cast<std::uint32_t>(random.skewed(2, 20));
    }
    scenario.shortages = random.one_in(6) ? random.between(1, 4) : 0;
}

} // namespace

void draw_steady(Random& random, Scenario& scenario) {
    const Limits& limits = scenario.config.limits;
    const bool lossy_only = scenario.config.rooms.empty() && !scenario.memory_scarce &&
                            scenario.shortages == 0 && limits.connections_max == 0 &&
                            // A small queue may hold nothing that can be dropped: then it is slow.
                            limits.queue_bytes_max > 65'536 && limits.queue_entries_max >= 4'096;
    if (!lossy_only) {
        return;
    }
    for (Role& role : scenario.people) {
        const bool tcp = role.from.storage.ss_family != AF_UNIX; // the others are told of any room
        const bool fit = role.manner == Manner::event && tcp && !role.may_be_limited;
        if (fit && random.one_in(2)) {
            role.steady = static_cast<Instant>(limits.stalled_ms_max) * millisecond * 3;
            role.stalls = 0;
            // The daemon is to lose its patience, if it ever does, before the world comes to rest.
            scenario.active = std::max(
                scenario.active, static_cast<Instant>(limits.stalled_ms_max) * millisecond * 5 / 2);
        }
    }
}

SocketAddress caller_address(std::uint32_t number, bool stranger) {
    sockaddr_in typed{};
    typed.sin_family = AF_INET;
    typed.sin_addr.s_addr =
        htonl(stranger ? 0xC6336400U + number % 250 : INADDR_LOOPBACK); // 198.51.100.0/24
    typed.sin_port = htons(static_cast<std::uint16_t>(10'000 + number % 50'000));
    SocketAddress address;
    std::memcpy(&address.storage, &typed, sizeof typed);
    address.length = sizeof typed;
    return address;
}

SocketAddress unix_caller() {
    SocketAddress address;
    address.storage.ss_family = AF_UNIX;
    address.length = sizeof(sa_family_t);
    return address;
}

Scenario draw_scenario(Random& random) {
    Scenario scenario;
    scenario.faults = Faults::draw(random);
    draw_limits(random, scenario.config.limits);
    draw_policies(random, scenario);
    std::vector<std::size_t> open;
    for (std::size_t index = 0; index < doors.size(); ++index) {
        const bool used = index == public_door ? random.one_in(6) : index == 0 || random.one_in(2);
        if (used) {
            open.push_back(index);
            scenario.config.listeners.push_back(spec_of(doors[index]));
        }
    }
    ListenerSpec echo =
        spec_of({echo_address, Transport::tcp, "127.0.0.1", 8891, Framing::echo, false});
    scenario.config.listeners.push_back(echo);
    ListenerSpec datagram =
        spec_of({"udp", Transport::udp, "127.0.0.1", 8888, Framing::automatic, false});
    scenario.config.listeners.push_back(datagram);
    scenario.config.insecure_public = true;
    draw_people(random, scenario, open);
    scenario.echoes = random.one_in(2) ? random.below(5) : 0;
    scenario.datagrams = random.one_in(4) ? random.below(40) : 0;
    scenario.active = static_cast<Instant>(random.skewed(1, 60)) * second;
    scenario.stop_early = random.one_in(4);
    scenario.stop_twice = random.one_in(10);
    if (random.one_in(4)) {
        scenario.drain_over = static_cast<Instant>(random.skewed(1, 8'000)) * millisecond;
    }
    if (random.one_in(2)) { // matters at the public door only
        scenario.config.limits.accepts_per_second_max =
            static_cast<std::uint32_t>(random.skewed(4, 1'000));
    }
    return scenario;
}

} // namespace roomd::sim
