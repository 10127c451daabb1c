// ServerWorld — a whole server on a real loop, and its clients, in one thread.
//
// The clients are plain sockets, driven by hand; until() ticks the loop until a condition holds and
// gives up after some seconds, so that what never happens is a failed test and not a hang. Every
// tick ends with the server's own check().
#pragma once

#include "daemon/server.h"
#include "test/daemon/hub_world.h"
#include "test/reactor/streams.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

namespace roomd {

/// One connection, from the client's side.
class Client {
public:
    Client(Fd fd, Framing framing) : peer(std::move(fd)), framing_(framing) {}

    /// A payload, framed. All of it must fit into the kernel.
    void send(std::string_view payload) {
        std::string bytes;
        if (framing_ == Framing::frame) {
            encode_payload(bytes, framing_, payload);
        } else {
            bytes = std::string(payload) + "\n";
        }
        REQUIRE(peer.say(bytes) == bytes.size());
    }

    /// The whole payloads heard so far.
    const Payloads& heard() {
        peer.hear();
        while (true) {
            const std::string_view rest = std::string_view(peer.heard).substr(parsed_);
            const std::size_t whole = size_of_first(rest);
            if (whole == 0) {
                return payloads_;
            }
            payloads_.push_back(payloads_of(framing_, rest.substr(0, whole)).front());
            parsed_ += whole;
        }
    }

    /// How many payloads begin so.
    std::size_t count(std::string_view beginning) {
        std::size_t found = 0;
        for (const std::string& payload : heard()) {
            found += payload.starts_with(beginning) ? 1U : 0U;
        }
        return found;
    }

    bool has(std::string_view beginning) { return count(beginning) > 0; }

    /// Nothing more will come, and nothing of it broke.
    bool ended() {
        heard();
        return peer.ended;
    }

    Peer peer;

private:
    [[nodiscard]] std::size_t size_of_first(std::string_view bytes) const {
        if (framing_ == Framing::line) {
            return bytes.find('\n') + 1; // npos + 1 is 0
        }
        if (bytes.size() < frame_header_bytes) {
            return 0;
        }
        std::size_t size = 0;
        for (const char byte : bytes.substr(0, frame_header_bytes)) {
            size = size * 256 + static_cast<unsigned char>(byte);
        }
        const std::size_t whole = frame_header_bytes + size;
        return bytes.size() < whole ? 0 : whole;
    }

    Framing framing_;
    Payloads payloads_;
    std::size_t parsed_ = 0;
};

class ServerWorld {
public:
    /// Adds a listener; before start(). `options` like "framing=line&room=lobby".
    void listen(std::string_view uri) {
        ListenerSpec spec;
        std::string error;
        REQUIRE_MESSAGE(parse_listener(uri, spec, error), error);
        config.listeners.push_back(spec);
    }

    /// On a Unix socket of its own, where the kernel holds little for a slow reader.
    void listen_unix(const std::string& options) {
        path_ = "/tmp/roomd-test-" + std::to_string(::getpid()) + ".sock";
        listen("unix:" + path_ + "?mode=0600" + (options.empty() ? "" : "&" + options));
    }

    void start() {
        if (config.listeners.empty()) {
            listen("tcp://127.0.0.1:0?room=lobby");
        }
        server = std::make_unique<Server>(loop, config, log);
        server->check_each_tick();
        server->open_listeners();
    }

    /// Where to find the listener of this number.
    [[nodiscard]] SocketAddress address(std::size_t listener = 0) const {
        const Server::Bound bound = server->bound().at(listener);
        if (bound.spec->endpoint.transport == Transport::unix_stream) {
            return unix_address(bound.address);
        }
        const std::size_t colon = bound.address.rfind(':');
        const auto port = static_cast<std::uint16_t>(std::stoi(bound.address.substr(colon + 1)));
        return sys::resolve("127.0.0.1", port, false).at(0);
    }

    /// Connected to the listener of this number. `receive_bytes`: how much the kernel may hold.
    Client connect(Framing framing, std::size_t listener = 0, int receive_bytes = 0) {
        const std::size_t before = server->session_count();
        const std::uint64_t refused = server->counters().refused;
        Fd fd = sys::connect_begin(address(listener));
        if (receive_bytes > 0) {
            set_socket_option(fd, SO_RCVBUF, receive_bytes);
        }
        Client client(std::move(fd), framing);
        REQUIRE(until([&] {
            return server->session_count() > before || server->counters().refused > refused;
        }));
        return client;
    }

    /// A program that speaks events over frames, in `room`.
    Client program(std::string_view nick, std::string_view room, std::size_t listener = 0,
                   int receive_bytes = 0) {
        Client client = connect(Framing::frame, listener, receive_bytes);
        client.send("/hello 1 nick=" + std::string(nick));
        client.send("/join " + std::string(room));
        REQUIRE(until([&] { return client.has("ok join " + std::string(room)); }));
        return client;
    }

    template <typename Condition>
    [[nodiscard]] bool until(Condition condition, Duration patience = std::chrono::seconds(5)) {
        const TimePoint deadline = sys::monotonic_now() + patience;
        while (!condition()) {
            if (sys::monotonic_now() > deadline) {
                return false;
            }
            loop.tick(std::chrono::milliseconds(5));
        }
        return true;
    }

    /// Whatever is on its way has arrived: a reply has come back behind it.
    void settle(Client& client) {
        const std::string token = "settled-" + std::to_string(++settled_);
        client.send("/ping " + token);
        REQUIRE(until([&] {
            const Payloads& heard = client.heard();
            return !heard.empty() && heard.back().ends_with(token);
        }));
    }

    [[nodiscard]] std::uint64_t hits(Limit limit) const {
        return server->counters().hits.at(static_cast<std::size_t>(limit));
    }

    Config config{};
    EventLoop loop;
    Log log{LogFormat::text, LogLevel::error, 1000};
    std::unique_ptr<Server> server;

private:
    std::string path_;
    int settled_ = 0;
};

} // namespace roomd
