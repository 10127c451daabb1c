#include "reactor/socket_address.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace roomd {

namespace {

template <typename T>
T as(const SocketAddress& address) {
    T typed{};
    std::memcpy(&typed, &address.storage, sizeof typed);
    return typed;
}

bool is_mapped(const in6_addr& ip) {
    return IN6_IS_ADDR_V4MAPPED(&ip) != 0;
}

// The IPv4 address inside an IPv4 or IPv4-mapped address, in host byte order.
std::uint32_t ipv4_of(const SocketAddress& address) {
    if (address.storage.ss_family == AF_INET) {
        return ntohl(as<sockaddr_in>(address).sin_addr.s_addr);
    }
    std::uint32_t bits = 0;
    const auto ipv6 = as<sockaddr_in6>(address);
    std::memcpy(&bits, &ipv6.sin6_addr.s6_addr[12], sizeof bits);
    return ntohl(bits);
}

bool is_ipv4(const SocketAddress& address) {
    return address.storage.ss_family == AF_INET || (address.storage.ss_family == AF_INET6 &&
                                                    is_mapped(as<sockaddr_in6>(address).sin6_addr));
}

// Only addresses of a link have one (RFC 4007). The name of the interface, or its number when it is
// gone.
std::string zone_of(const sockaddr_in6& address) {
    if (address.sin6_scope_id == 0 || IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr) == 0) {
        return {};
    }
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(address.sin6_scope_id, name.data()) != nullptr
               ? std::string("%") + name.data()
               : "%" + std::to_string(address.sin6_scope_id);
}

} // namespace

std::string to_string(const SocketAddress& address) {
    if (address.storage.ss_family == AF_UNIX) {
        const auto local = as<sockaddr_un>(address);
        const std::size_t header = offsetof(sockaddr_un, sun_path);
        if (address.length <= header || local.sun_path[0] == '\0') {
            return "unix";
        }
        // unix(7): a path of all 108 bytes has no end, and a length that counts one.
        const std::size_t longest = std::min(address.length - header, sizeof local.sun_path);
        return {local.sun_path, ::strnlen(local.sun_path, longest)};
    }
    const std::string port = ":" + std::to_string(port_of(address));
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_ipv4(address)) {
        const in_addr ip{htonl(ipv4_of(address))};
        ::inet_ntop(AF_INET, &ip, text.data(), text.size());
        return text.data() + port;
    }
    if (address.storage.ss_family == AF_INET6) {
        const auto ipv6 = as<sockaddr_in6>(address);
        ::inet_ntop(AF_INET6, &ipv6.sin6_addr, text.data(), text.size());
        return "[" + std::string(text.data()) + zone_of(ipv6) + "]" + port;
    }
    return "unknown";
}

bool is_local(const SocketAddress& address) {
    if (address.storage.ss_family == AF_UNIX) {
        return true;
    }
    if (is_ipv4(address)) {
        return (ipv4_of(address) >> 24U) == 127U;
    }
    if (address.storage.ss_family != AF_INET6) {
        return false;
    }
    const auto ipv6 = as<sockaddr_in6>(address);
    return IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr) != 0;
}

std::uint16_t port_of(const SocketAddress& address) {
    switch (address.storage.ss_family) {
    case AF_INET:
        return ntohs(as<sockaddr_in>(address).sin_port);
    case AF_INET6:
        return ntohs(as<sockaddr_in6>(address).sin6_port);
    default:
        return 0;
    }
}

SourceKey source_of(const SocketAddress& address) {
    if (is_ipv4(address)) {
        return {0xFFFFU, ipv4_of(address)};
    }
    if (address.storage.ss_family != AF_INET6) {
        return {};
    }
    SourceKey key;
    const auto ipv6 = as<sockaddr_in6>(address);
    std::memcpy(&key.high, ipv6.sin6_addr.s6_addr, sizeof key.high);
    key.low = 1; // apart from IPv4 and Unix
    return key;
}

SocketAddress unix_address(const std::string& path) {
    sockaddr_un local{};
    SocketAddress address;
    if (path.size() >= sizeof local.sun_path) {
        return address;
    }
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, path.data(), path.size());
    std::memcpy(&address.storage, &local, sizeof local);
    address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
}

} // namespace roomd
