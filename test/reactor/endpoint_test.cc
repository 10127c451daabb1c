#include "reactor/endpoint.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <variant>

using namespace roomd;

namespace {

Endpoint good(std::string_view text) {
    const auto parsed = parse_endpoint(text);
    if (const auto* const bad = std::get_if<BadEndpoint>(&parsed)) {
        FAIL(bad->why);
    }
    return std::get<Endpoint>(parsed);
}

std::string why(std::string_view text) {
    const auto parsed = parse_endpoint(text);
    if (const auto* const endpoint = std::get_if<Endpoint>(&parsed)) {
        FAIL("was taken as " << to_string(*endpoint));
    }
    return std::get<BadEndpoint>(parsed).why;
}

bool says(std::string_view text, std::string_view part) {
    const std::string sentence = why(text);
    INFO(sentence);
    const bool found = sentence.find(part) != std::string::npos;
    CHECK(found);
    return found;
}

} // namespace

TEST_CASE("Endpoint: what people type has one canonical form") {
    struct Row {
        std::string_view typed;
        std::string_view canonical;
    };

    constexpr Row rows[] = {
        {"tcp://127.0.0.1:8888", "tcp://127.0.0.1:8888"},
        {"tcp://127.0.0.1:8888/", "tcp://127.0.0.1:8888"},
        {"127.0.0.1:8888", "tcp://127.0.0.1:8888"},
        {":8888", "tcp://127.0.0.1:8888"},
        {"8888", "tcp://127.0.0.1:8888"},
        {"0", "tcp://127.0.0.1:0"},
        {"tcp://LocalHost:1", "tcp://localhost:1"},
        {"tcp://chat_1.example-2.org:65535", "tcp://chat_1.example-2.org:65535"},
        {"tcp://[::1]:8888", "tcp://[::1]:8888"},
        {"[0:0:0:0:0:0:0:1]:8888", "tcp://[::1]:8888"},
        {"tcp://[FE80::1%eth0]:7", "tcp://[fe80::1%eth0]:7"},
        {"udp://0.0.0.0:5", "udp://0.0.0.0:5"},
        {"unix:/run/roomd.sock", "unix:/run/roomd.sock"},
        {"unix:///run/roomd.sock", "unix:/run/roomd.sock"},
        {"unix:roomd.sock", "unix:roomd.sock"},
        {"/run/roomd.sock", "unix:/run/roomd.sock"},
        {"./roomd.sock", "unix:./roomd.sock"},
        {"fd:roomd.socket", "fd:roomd.socket"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.typed);
        const Endpoint endpoint = good(row.typed);
        CHECK(to_string(endpoint) == row.canonical);
        CHECK(good(row.canonical) == endpoint);
    }
}

TEST_CASE("Endpoint: the parts go where they belong") {
    const Endpoint tcp = good("tcp://[::1]:8888");
    CHECK(tcp.transport == Transport::tcp);
    CHECK(tcp.host == "::1");
    CHECK(tcp.port == 8888);
    CHECK(tcp.path.empty());
    CHECK(good("udp://localhost:1").transport == Transport::udp);
    const Endpoint file = good("unix:/tmp/x");
    CHECK(file.transport == Transport::unix_stream);
    CHECK(file.path == "/tmp/x");
    CHECK(file.mode == 0660);
    CHECK(file.host.empty());
    const Endpoint inherited = good("fd:chat");
    CHECK(inherited.transport == Transport::inherited);
    CHECK(inherited.path == "chat");
}

TEST_CASE("Endpoint: a refusal names the part that is wrong") {
    says("", "empty");
    says("tcp://127.0.0.1", "no port");
    says("tcp://127.0.0.1:", "valid port");
    says("tcp://127.0.0.1:65536", "valid port");
    says("tcp://127.0.0.1:-1", "valid port");
    says("tcp://127.0.0.1:+1", "valid port");
    says("tcp://127.0.0.1:80x", "valid port");
    says("tcp://127.0.0.1:000080", "valid port");
    says("tcp://:8888", "no host");
    says("tcp://*:8888", "0.0.0.0");
    says("tcp://::1:8888", "brackets");
    says("tcp://[::1]", "no port");
    says("tcp://[::1", "']'");
    says("tcp://[]:1", "IPv6");
    says("tcp://[127.0.0.1]:1", "IPv6");
    says("tcp://[::1%]:1", "IPv6");
    says("tcp://[::1%a b]:1", "IPv6");
    says("tcp://a..b:1", "neither a name");
    says("tcp://-a:1", "neither a name");
    says("tcp://user@host:1", "neither a name");
    says("tcp://host/x:1", "neither a name");
    says("http://127.0.0.1:80", "unknown scheme");
    says("TCP://127.0.0.1:80", "unknown scheme");
    says("unix:", "no file name");
    says("unix:/", "no file name");
    says("unix://run/x", "one slash");
    says("unix:@name", "abstract");
    says("unix:/" + std::string(200, 'x'), "longer");
    says("fd:", "no valid name");
    says("fd:a:b", "no valid name");
    says("fd:a b", "no valid name");
    says("tcp://127.0.0.1:8888?room=x", "options");
    says("unix:/x?mode=0600", "options");
    says("lobby", "no port");
}

TEST_CASE("Endpoint: an address that resolvers read differently is refused") {
    says("tcp://127.1:80", "neither");
    says("tcp://2130706433:80", "neither");
    says("tcp://0x7f000001:80", "neither");
    says("tcp://127.0.0.01:80", "neither");
    says("tcp://256.0.0.1:80", "neither");
    says("tcp://1.2.3.4.5:80", "neither");
    says("tcp://example.0:80", "neither");
}

TEST_CASE("Endpoint: a refusal shows no control character of what was typed") {
    const std::string sentence = why("tcp://\x1b[2J\n:80\x7f\xc2\x9b");
    for (const char c : sentence) {
        CHECK(c >= ' ');
        CHECK(c <= '~');
    }
    CHECK(why(std::string_view("unix:/a\0b", 9)).find("control") != std::string::npos);
}

TEST_CASE("Endpoint: the longest Unix path is taken and one byte more is not") {
    constexpr std::size_t path_max = 107;
    const std::string longest = "/" + std::string(path_max - 1, 'x');
    CHECK(good("unix:" + longest).path == longest);
    says("unix:" + longest + "x", "107 bytes");
}

TEST_CASE("Endpoint: loopback is 127.0.0.0/8, ::1 and localhost, nothing else") {
    for (const std::string_view host : {"127.0.0.1", "127.0.0.0", "127.255.255.255", "::1",
                                        "::ffff:127.0.0.1", "localhost", "LOCALHOST"}) {
        CAPTURE(host);
        CHECK(is_loopback_host(host));
    }
    for (const std::string_view host :
         {"", "0.0.0.0", "::", "126.255.255.255", "128.0.0.0", "::2", "::ffff:128.0.0.1", "127.1",
          "127.0.0.1.example.org", "localhost.example.org", "xlocalhost", "[::1]", "127.0.0.1 ",
          "::127.0.0.1", "fe80::1"}) {
        CAPTURE(host);
        CHECK_FALSE(is_loopback_host(host));
    }
    CHECK_FALSE(is_loopback_host(std::string_view("127.0.0.1\0x", 11)));
}

TEST_CASE("Endpoint: who connects may leave out the port, who listens may not") {
    struct Row {
        std::string_view typed;
        std::string_view canonical;
    };

    constexpr Row rows[] = {
        {"chat.example.org", "tcp://chat.example.org:8888"},
        {"tcp://chat.example.org", "tcp://chat.example.org:8888"},
        {"tcp://chat.example.org/", "tcp://chat.example.org:8888"},
        {"localhost", "tcp://localhost:8888"},
        {"127.0.0.1", "tcp://127.0.0.1:8888"},
        {"[::1]", "tcp://[::1]:8888"},
        {"tcp://[::1]", "tcp://[::1]:8888"},
        {"[::1]:9", "tcp://[::1]:9"},
        {"chat.example.org:9", "tcp://chat.example.org:9"},
        {"9", "tcp://127.0.0.1:9"},
        {"/run/roomd", "unix:/run/roomd"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.typed);
        const auto parsed = parse_endpoint(row.typed, 8888);
        REQUIRE(std::holds_alternative<Endpoint>(parsed));
        CHECK(to_string(std::get<Endpoint>(parsed)) == row.canonical);
    }
    for (const std::string_view typed : {"localhost:", "[::1]:", "[::1]x", "::1", "a b", ""}) {
        CAPTURE(typed);
        CHECK(std::holds_alternative<BadEndpoint>(parse_endpoint(typed, 8888)));
    }
    CHECK(says("chat.example.org", "has no port"));
}
