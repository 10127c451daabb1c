#include "reactor/sys.h"
#include "test/daemon/server_world.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <system_error>
#include <vector>

using namespace roomd;

namespace {

SocketAddress loopback(std::uint16_t port = 0, bool datagram = false) {
    return sys::resolve("127.0.0.1", port, datagram).at(0);
}

/// A listening socket, as a service manager would hand it over.
Fd listening() {
    return sys::listen_stream(loopback(), {16, 0});
}

/// A server that is handed sockets; nothing is configured but what a test adds.
struct ActivatedWorld : ServerWorld {
    /// Returns the address of what was handed over.
    std::string hand_over(const std::string& name, Fd socket) {
        std::string address = to_string(sys::local_address(socket.get()));
        make();
        server->adopt(name, std::move(socket));
        return address;
    }

    void make() {
        if (server == nullptr) {
            if (!config.listen_given) { // what load_config() has for nobody's choice
                listen("tcp://127.0.0.1:0");
            }
            server = std::make_unique<Server>(loop, config, log);
            server->check_each_tick();
        }
    }

    void choose(std::string_view uri) {
        config.listen_given = true;
        listen(uri);
    }

    [[nodiscard]] std::vector<std::string> uris() const {
        std::vector<std::string> result;
        for (const Server::Bound& bound : server->bound()) {
            result.push_back(bound.spec->uri);
        }
        return result;
    }
};

using Uris = std::vector<std::string>;

std::string refusal(Server& server) {
    try {
        server.open_listeners();
    } catch (const std::system_error& error) {
        return error.what();
    }
    return {};
}

} // namespace

TEST_CASE("handed over: a listener serves all the sockets of its name") {
    ActivatedWorld world;
    world.choose("fd:people?room=ops");
    const std::string first = world.hand_over("people", listening());
    const std::string second = world.hand_over("people", listening());
    world.server->open_listeners();
    const std::vector<Server::Bound> bound = world.server->bound();
    REQUIRE(bound.size() == 2);
    CHECK(bound[0].address == first);
    CHECK(bound[1].address == second);
    std::vector<Client> clients;
    for (const std::size_t listener : {0U, 1U}) {
        Client& client = clients.emplace_back(world.connect(Framing::frame, listener));
        client.send("/hello 1");
        CHECK(world.until([&] { return client.has("welcome 1 "); }));
    }
}

TEST_CASE(
    "handed over: when nobody chose listeners, well-known names take the default ones' place") {
    ActivatedWorld world;
    world.hand_over("debug", listening());
    world.hand_over("chat", listening());
    world.hand_over("chat", listening());
    world.server->open_listeners();
    CHECK(world.uris() == Uris{"fd:chat", "fd:chat", "fd:debug?framing=line&debug=on"});

    SUBCASE("and still do after a reload that chooses none") {
        std::string error;
        Config same = world.config;
        CHECK_MESSAGE(world.server->reload(same, error), error);
        CHECK(world.uris() == Uris{"fd:chat", "fd:chat", "fd:debug?framing=line&debug=on"});
        Client client = world.connect(Framing::frame);
        client.send("/hello 1");
        CHECK(world.until([&] { return client.has("welcome 1 "); }));
    }
    SUBCASE("until a reload chooses some") {
        std::string error;
        Config chosen;
        chosen.listen_given = true;
        REQUIRE(parse_listener("tcp://127.0.0.1:0", chosen.listeners.emplace_back(), error));
        CHECK_MESSAGE(world.server->reload(chosen, error), error);
        CHECK(world.uris() == Uris{"tcp://127.0.0.1:0"});
    }
}

TEST_CASE("handed over: what is configured is never overruled by what is handed over") {
    ActivatedWorld world;
    world.choose("tcp://127.0.0.1:0");
    world.hand_over("chat", listening());
    world.server->open_listeners();
    CHECK(world.uris() == Uris{"tcp://127.0.0.1:0"});
}

TEST_CASE("handed over: without a well-known name the default listeners are opened") {
    ActivatedWorld world;
    world.hand_over("something", listening());
    world.server->open_listeners();
    CHECK(world.uris() == Uris{"tcp://127.0.0.1:0"});
}

TEST_CASE("handed over: what nobody wants is closed once the listeners are open") {
    ActivatedWorld world;
    world.choose("fd:wanted");
    world.hand_over("wanted", listening());
    const std::string unwanted = world.hand_over("unwanted", listening());
    world.server->open_listeners();
    const auto port =
        static_cast<std::uint16_t>(std::stoi(unwanted.substr(unwanted.rfind(':') + 1)));
    CHECK(sys::listen_stream(loopback(port), {16, 0})); // free again
}

TEST_CASE("handed over: what cannot be listened on is refused, and its listener says so") {
    ActivatedWorld world;
    world.choose("fd:chat");
    auto [end, other_end] = sys::make_pipe();
    world.hand_over("chat", std::move(end));
    CHECK(refusal(*world.server).find("no socket of that name") != std::string::npos);
}

TEST_CASE("handed over: a UDP socket is a listener for datagrams") {
    ActivatedWorld world;
    SUBCASE("said in a room") {
        world.choose("fd:reports?room=ops");
        world.choose("tcp://127.0.0.1:0?room=");
        const std::string to = world.hand_over("reports", sys::bind_datagram(loopback(0, true)));
        world.server->open_listeners();
        Client ann = world.program("ann", "ops");
        const auto port = static_cast<std::uint16_t>(std::stoi(to.substr(to.rfind(':') + 1)));
        const Fd sender = sys::bind_datagram(loopback(0, true));
        const SocketAddress address = loopback(port, true);
        REQUIRE(::connect(sender.get(), reinterpret_cast<const sockaddr*>(&address.storage),
                          address.length) == 0);
        REQUIRE(::send(sender.get(), "disk full", 9, 0) == 9);
        CHECK(world.until([&] { return ann.has("msg ops 1 "); }));
    }
    SUBCASE("and for nothing else") {
        world.choose("fd:reports?framing=line");
        world.hand_over("reports", sys::bind_datagram(loopback(0, true)));
        CHECK(refusal(*world.server).find("UDP") != std::string::npos);
    }
}

TEST_CASE("handed over: it is not lost while another listener's address is in use") {
    const Fd taken = listening();
    const std::string address = to_string(sys::local_address(taken.get()));
    ActivatedWorld world;
    world.choose("fd:chat");
    world.choose("tcp://" + address);
    world.hand_over("chat", listening());
    CHECK(refusal(*world.server).find("cannot listen on tcp://" + address) == 0);
    CHECK(refusal(*world.server).find("cannot listen on tcp://" + address) == 0);
}
