// SocketAddress — one resolved network or Unix address, as the kernel takes and gives it.
//
// A plain value of 128 bytes: passed around while connecting or accepting, never kept per
// connection.
#pragma once

#include <cstdint>
#include <string>

#include <sys/socket.h>

namespace roomd {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

/// `127.0.0.1:8888`, `[::1]:8888`, `[fe80::1%eth0]:8888` (without its zone it would be another's),
/// `/run/roomd.sock`, `unix` for a nameless Unix peer. IPv4-mapped IPv6 prints as IPv4.
[[nodiscard]] std::string to_string(const SocketAddress& address);

/// 127.0.0.0/8, ::1, IPv4-mapped 127/8, or any Unix address: nobody else's machine.
[[nodiscard]] bool is_local(const SocketAddress& address);

/// The port of a TCP or UDP address, host byte order; 0 otherwise.
[[nodiscard]] std::uint16_t port_of(const SocketAddress& address);

/// Who is behind an address for limits per source: IPv4 whole, IPv6 its /64, IPv4-mapped as IPv4.
/// Unix: 0. Distinct sources give distinct values.
struct SourceKey {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend bool operator==(const SourceKey&, const SourceKey&) = default;
};

[[nodiscard]] SourceKey source_of(const SocketAddress& address);

/// For tests and servers: a Unix address from a path. `length` 0 when the path is too long
/// (sun_path, unix(7)).
[[nodiscard]] SocketAddress unix_address(const std::string& path);

} // namespace roomd
