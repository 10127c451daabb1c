// Endpoint — where to listen or connect, as a person writes it. A value; owns no descriptor.
//
// Parses and prints only: `tcp://127.0.0.1:8888`, `tcp://[::1]:8888`, `tcp://localhost:8888`,
// `udp://...`, `unix:/run/roomd/roomd.sock`, `fd:NAME`. What follows a '?' belongs to whoever uses
// the endpoint and is refused here. Names are resolved by sys::resolve() at start, and by a
// child (daemon/name_lookup.h) for a reload.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace roomd {

enum class Transport : std::uint8_t { tcp, udp, unix_stream, inherited };

struct Endpoint {
    Transport transport = Transport::tcp;
    std::string host;          // tcp, udp: without brackets
    std::uint16_t port = 0;    // tcp, udp; 0 = the kernel chooses
    std::string path;          // unix: file; inherited: NAME
    std::uint32_t mode = 0660; // unix: permissions of the file (a listener's `mode=`)

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct BadEndpoint {
    std::string why; // one sentence naming the part that is wrong
};

/// A bare `HOST:PORT`, `:PORT` (127.0.0.1), `PORT`, or a path containing '/' is understood too, as
/// people type it.
[[nodiscard]] std::variant<Endpoint, BadEndpoint> parse_endpoint(std::string_view text);
/// The same; a host without a port, `chat.example.org` or `[::1]`, means `default_port`. For who
/// connects: a listener's port is not to be guessed.
[[nodiscard]] std::variant<Endpoint, BadEndpoint> parse_endpoint(std::string_view text,
                                                                 std::uint16_t default_port);

/// The canonical form; parse_endpoint() of it gives an equal Endpoint (but for `mode`, which is the
/// listener's option and not part of the address).
[[nodiscard]] std::string to_string(const Endpoint& endpoint);

/// An address and no name: nobody has to be asked for it. Without brackets.
[[nodiscard]] bool is_numeric_host(std::string_view host);

/// True for 127.0.0.0/8, ::1 (also as ::ffff:127.x.y.z) and the name `localhost`; without brackets.
/// Any other name is false: only resolving it can tell.
[[nodiscard]] bool is_loopback_host(std::string_view host);

} // namespace roomd
