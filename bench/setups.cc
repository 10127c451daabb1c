#include "bench/setups.h"

#include <algorithm>

namespace roomd::bench {

namespace {

using Arguments = std::vector<std::string>;

constexpr const char* connections_max = "15000"; // Redis takes 10,000 if not told

/// What waits for one reader at most: each publisher of its room has a window in flight.
std::uint64_t waiting_bytes(const Scenario& scenario) {
    constexpr std::uint64_t envelope_bytes = 256;             // of a message: id, time, names
    const std::uint64_t publishers = std::max<std::uint64_t>( // mixed: all share one window
        (std::uint64_t{scenario.publishers} + scenario.rooms - 1) / scenario.rooms, 1);
    return publishers * scenario.window * (scenario.size + envelope_bytes);
}

} // namespace

Arguments roomd_arguments(const Place& place, const Scenario& scenario) {
    constexpr std::uint64_t mebibyte = std::uint64_t{1024} * 1024;
    // Nobody enters a room on connecting: each says which.
    const std::string options = scenario.load == Load::echo ? "framing=echo" : "limits=off&room=";
    Arguments arguments{place.program, "--log-level", "warning", "--listen",
                        "tcp://127.0.0.1:" + std::to_string(place.port) + '?' + options};
    if (scenario.load != Load::slow) {
        const std::uint64_t queue = std::max(8 * mebibyte, 4 * waiting_bytes(scenario));
        const std::string pinned = std::to_string(std::max(1024 * mebibyte, queue));
        const std::string bytes = std::to_string(queue);
        arguments.insert(arguments.end(),
                         {"--queue-bytes-max", bytes, "--queue-soft-bytes", bytes,
                          "--queue-entries-max", "1000000", "--pinned-bytes-max", pinned});
    }
    return arguments;
}

Arguments redis_arguments(const Place& place, const Scenario& scenario) {
    Arguments arguments{place.program, "--bind", "127.0.0.1", "--port", std::to_string(place.port)};
    arguments.insert(arguments.end(), {"--save", "", "--appendonly", "no", "--io-threads", "1"});
    arguments.insert(arguments.end(), {"--maxclients", connections_max, "--dir", place.directory,
                                       "--loglevel", "warning"});
    if (scenario.load != Load::slow) {
        arguments.insert(arguments.end(), {"--client-output-buffer-limit", "pubsub 0 0 0"});
    }
    return arguments;
}

// One processor for Go code, collector included.
Arguments nats_arguments(const Place& place, const std::string& configuration) {
    return {"env", "GOMAXPROCS=1", place.program, "-c", configuration};
}

// Without the larger pending limit a subscriber that lags 64 MB is cut off.
std::string nats_configuration(const Place& place, const Scenario& scenario) {
    std::string text = "listen: \"127.0.0.1:" + std::to_string(place.port) + "\"\n" +
                       "max_payload: 8MB\n" + "max_connections: " + connections_max + "\n";
    if (scenario.load != Load::slow) {
        text += "max_pending: 1GB\nwrite_deadline: \"60s\"\n";
    }
    return text;
}

Arguments mosquitto_arguments(const Place& place, const std::string& configuration) {
    return {place.program, "-c", configuration};
}

std::string mosquitto_configuration(const Place& place, const Scenario& scenario, bool root) {
    std::string text = "listener " + std::to_string(place.port) + " 127.0.0.1\n" +
                       "allow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
                       "log_type error\nconnection_messages false\n";
    if (root) {
        text += "user root\n";
    }
    if (scenario.load != Load::slow) {
        text += "max_queued_messages 0\nmax_queued_bytes 0\n";
    }
    return text;
}

Arguments relay_arguments(const Place& place) {
    return {place.program, "relay", "--port", std::to_string(place.port)};
}

} // namespace roomd::bench
