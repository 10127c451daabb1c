#include "reactor/socket_address.h"

#include "reactor/sys.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include <sys/un.h>

namespace roomd {

namespace {

SocketAddress numeric(const std::string& host, std::uint16_t port = 8888) {
    return sys::resolve(host, port, false).at(0);
}

} // namespace

TEST_CASE("SocketAddress: it is written as people write it, mapped addresses as IPv4") {
    CHECK(to_string(numeric("127.0.0.1", 8888)) == "127.0.0.1:8888");
    CHECK(to_string(numeric("255.1.2.3", 65535)) == "255.1.2.3:65535");
    CHECK(to_string(numeric("::1", 1)) == "[::1]:1");
    CHECK(to_string(numeric("2001:db8:0:0:0:0:0:1", 80)) == "[2001:db8::1]:80");
    CHECK(to_string(numeric("::ffff:10.0.0.7", 80)) == "10.0.0.7:80");
    CHECK(to_string(unix_address("/run/roomd.sock")) == "/run/roomd.sock");
    CHECK(to_string(SocketAddress()) == "unknown");
}

TEST_CASE("SocketAddress: a Unix peer without a name, or with an abstract one, is `unix`") {
    SocketAddress nameless = unix_address("");
    nameless.length = sizeof(sa_family_t);
    CHECK(to_string(nameless) == "unix");
    SocketAddress abstract = unix_address("xname");
    const char zero = '\0';
    std::memcpy(reinterpret_cast<char*>(&abstract.storage) + offsetof(sockaddr_un, sun_path), &zero,
                1); // NOLINT: as the kernel writes it
    CHECK(to_string(abstract) == "unix");
}

TEST_CASE("SocketAddress: a path that fills sun_path to its last byte is read no further") {
    constexpr std::size_t header = offsetof(sockaddr_un, sun_path);
    SocketAddress address = unix_address("/x");
    // unix(7): the kernel may give 108 bytes without an end, and a length of one more.
    std::memset(reinterpret_cast<char*>(&address.storage) + header, 'p', 108); // NOLINT
    address.length = header + 109;
    CHECK(to_string(address) == std::string(108, 'p'));
}

TEST_CASE("SocketAddress: a path that does not fit has no address") {
    CHECK(unix_address(std::string(107, 'p')).length > 0);
    CHECK(to_string(unix_address(std::string(107, 'p'))) == std::string(107, 'p'));
    CHECK(unix_address(std::string(108, 'p')).length == 0);
}

TEST_CASE("SocketAddress: local is what no other machine can be") {
    for (const char* host : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
        CAPTURE(host);
        CHECK(is_local(numeric(host)));
    }
    for (const char* host :
         {"126.255.255.255", "128.0.0.1", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1",
          "::ffff:0.0.0.1", "fe80::1", "::127.0.0.1", "7f00::1"}) {
        CAPTURE(host);
        CHECK_FALSE(is_local(numeric(host)));
    }
    CHECK(is_local(unix_address("/run/roomd.sock")));
    CHECK_FALSE(is_local(SocketAddress()));
}

TEST_CASE("SocketAddress: the port is that of TCP and UDP, and no other's") {
    CHECK(port_of(numeric("127.0.0.1", 258)) == 258);
    CHECK(port_of(numeric("::1", 8888)) == 8888);
    CHECK(port_of(unix_address("/x")) == 0);
    CHECK(port_of(SocketAddress()) == 0);
}

TEST_CASE("SocketAddress: a source is an IPv4 address, an IPv6 /64, or this machine's Unix peers") {
    CHECK(source_of(numeric("10.0.0.1", 1)) == source_of(numeric("10.0.0.1", 2)));
    CHECK(source_of(numeric("10.0.0.1")) == source_of(numeric("::ffff:10.0.0.1")));
    CHECK(source_of(numeric("2001:db8::1")) == source_of(numeric("2001:db8::ffff:1:2:3")));
    CHECK(source_of(unix_address("/a")) == source_of(unix_address("/b")));

    std::vector<SourceKey> keys{source_of(unix_address("/a"))};
    for (const char* host :
         {"0.0.0.0", "0.0.0.1", "10.0.0.1", "10.0.0.2", "1.0.0.10", "255.255.255.255", "::1",
          "2001:db8::1", "2001:db8:0:1::1", "2001:db8:1::1", "fe80::1", "0:0:0:1::", "a00:1::"}) {
        keys.push_back(source_of(numeric(host)));
    }
    for (std::size_t one = 0; one < keys.size(); ++one) {
        for (std::size_t other = 0; other < one; ++other) {
            CAPTURE(one);
            CAPTURE(other);
            CHECK_FALSE(keys[one] == keys[other]);
        }
    }
}

} // namespace roomd
