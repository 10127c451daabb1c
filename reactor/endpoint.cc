#include "reactor/endpoint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace roomd {

namespace {

constexpr std::size_t host_bytes_max = 253; // RFC 1035, without the trailing dot
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t descriptor_name_bytes_max = 255; // sd_listen_fds_with_names(3)

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string lowered(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return result;
}

/// For an error message: what was typed, without what could drive a terminal.
std::string shown(std::string_view text) {
    constexpr std::size_t shown_bytes_max = 80;
    std::string result = "\"";
    for (const char c : text.substr(0, shown_bytes_max)) {
        result += c >= ' ' && c <= '~' ? c : '?';
    }
    result += text.size() > shown_bytes_max ? "...\"" : "\"";
    return result;
}

BadEndpoint bad(std::string_view text, std::string_view why) {
    return BadEndpoint{shown(text) + " " + std::string(why)};
}

template <typename Address>
std::optional<Address> numeric(int family, const std::string& text) {
    Address address{};
    const bool whole = text.find('\0') == std::string::npos; // inet_pton(3) would stop there
    return whole && inet_pton(family, text.c_str(), &address) == 1 ? std::optional(address)
                                                                   : std::nullopt;
}

std::string printed(int family, const void* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (inet_ntop(family, address, text.data(), static_cast<socklen_t>(text.size())) == nullptr) {
        return {};
    }
    return text.data();
}

/// `::1`, `fe80::1%eth0`: the shortest form of the address, the zone as it came. Empty: not one.
std::string canonical_ipv6(std::string_view text) {
    const std::size_t percent = text.find('%');
    std::string_view zone =
        percent == std::string_view::npos ? std::string_view() : text.substr(percent + 1);
    constexpr std::string_view encoded = "25"; // RFC 6874: in a URI the '%' is written %25
    if (zone.starts_with(encoded) && zone.size() > encoded.size()) {
        zone.remove_prefix(encoded.size());
    }
    const bool zone_fits = std::all_of(zone.begin(), zone.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
    });
    if (!zone_fits || (percent != std::string_view::npos && zone.empty())) {
        return {};
    }
    const auto address = numeric<in6_addr>(AF_INET6, std::string(text.substr(0, percent)));
    if (!address) {
        return {};
    }
    std::string result = printed(AF_INET6, &*address);
    return zone.empty() ? result : result + "%" + std::string(zone);
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= label_bytes_max && label.front() != '-' &&
           label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
               return is_letter(c) || is_digit(c) || c == '-' || c == '_';
           });
}

/// A last label that begins with a digit makes it a number, never a name: 127.1 and 0x7f000001 mean
/// different addresses to different resolvers.
bool looks_numeric(std::string_view host) {
    const std::size_t dot = host.rfind('.');
    const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
    return !last.empty() && is_digit(last.front());
}

/// Empty: neither an IPv4 address nor a name.
std::string canonical_name(std::string_view text) {
    if (looks_numeric(text)) {
        const auto address = numeric<in_addr>(AF_INET, std::string(text));
        return address ? printed(AF_INET, &*address) : std::string();
    }
    if (text.size() > host_bytes_max) {
        return {};
    }
    for (std::string_view rest = text;;) {
        const std::size_t dot = rest.find('.');
        if (!is_label(rest.substr(0, dot))) {
            return {};
        }
        if (dot == std::string_view::npos) {
            return lowered(text);
        }
        rest.remove_prefix(dot + 1);
    }
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    constexpr std::size_t port_digits_max = 5;
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool complete = error == std::errc() && end == text.data() + text.size();
    if (!complete || text.size() > port_digits_max) {
        return std::nullopt;
    }
    return port;
}

std::variant<Endpoint, BadEndpoint> finish_host(std::string_view text, Transport transport,
                                                std::string host, std::string_view port_text) {
    const std::optional<std::uint16_t> port = parse_port(port_text);
    if (!port) {
        return bad(text, "has no valid port: it is a number from 0 to 65535 after the last colon");
    }
    Endpoint endpoint;
    endpoint.transport = transport;
    endpoint.host = std::move(host);
    endpoint.port = *port;
    return endpoint;
}

/// An IPv6 address between brackets. `default_port`: nullptr if there is none.
std::variant<Endpoint, BadEndpoint> parse_bracketed(std::string_view text, std::string_view rest,
                                                    Transport transport,
                                                    const std::string* default_port) {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) {
        return bad(text, "has a '[' without its ']'");
    }
    std::string host = canonical_ipv6(rest.substr(1, bracket - 1));
    if (host.empty()) {
        return bad(text, "has no IPv6 address between its brackets");
    }
    if (default_port != nullptr && bracket + 1 == rest.size()) {
        return finish_host(text, transport, std::move(host), *default_port);
    }
    if (rest.substr(bracket + 1, 1) != ":") {
        return bad(text, "has no port: put :PORT after the ']'");
    }
    return finish_host(text, transport, std::move(host), rest.substr(bracket + 2));
}

/// `text` is the whole for messages, `rest` the part behind the scheme.
std::variant<Endpoint, BadEndpoint> parse_network(std::string_view text, std::string_view rest,
                                                  Transport transport,
                                                  std::optional<std::uint16_t> default_port) {
    const std::string default_text = default_port ? std::to_string(*default_port) : std::string();
    if (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    if (rest.starts_with('[')) {
        return parse_bracketed(text, rest, transport, default_port ? &default_text : nullptr);
    }
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos && !default_port) {
        return bad(text, "has no port: put :PORT at its end");
    }
    if (colon != std::string_view::npos && rest.find(':', colon + 1) != std::string_view::npos) {
        return bad(text, "has more than one colon: an IPv6 address stands in brackets, [::1]:8888");
    }
    const std::string_view name = rest.substr(0, colon);
    if (name.empty() || name == "*") {
        return bad(text, "has no host: write 127.0.0.1 for this machine only, 0.0.0.0 for all");
    }
    std::string host = canonical_name(name);
    if (host.empty()) {
        return bad(text, "has a host that is neither a name nor an IPv4 address");
    }
    return finish_host(text, transport, std::move(host),
                       colon == std::string_view::npos ? default_text : rest.substr(colon + 1));
}

std::variant<Endpoint, BadEndpoint> parse_path(std::string_view text, std::string_view path) {
    if (path.starts_with('@')) {
        return bad(text, "is an abstract name: a Unix socket here is a file, unix:/path");
    }
    // unix:///run/x and //run/x are the file /run/x
    while (path.starts_with("//")) {
        path.remove_prefix(1);
    }
    if (path.empty() || path.ends_with('/')) {
        return bad(text, "has no file name: write unix:/path");
    }
    if (path.size() > path_bytes_max) {
        return bad(text, "has a path longer than a Unix socket's may be, " +
                             std::to_string(path_bytes_max) + " bytes");
    }
    Endpoint endpoint;
    endpoint.transport = Transport::unix_stream;
    endpoint.path = path;
    return endpoint;
}

std::variant<Endpoint, BadEndpoint> parse_inherited(std::string_view text, std::string_view name) {
    const bool fits = std::all_of(name.begin(), name.end(),
                                  [](char c) { return c > ' ' && c <= '~' && c != ':'; });
    if (name.empty() || !fits || name.size() > descriptor_name_bytes_max) {
        return bad(text,
                   "has no valid name: write fd:NAME with the FileDescriptorName= of the socket");
    }
    Endpoint endpoint;
    endpoint.transport = Transport::inherited;
    endpoint.path = name;
    return endpoint;
}

std::variant<Endpoint, BadEndpoint> parse_bare(std::string_view text,
                                               std::optional<std::uint16_t> default_port) {
    if (text.find('/') != std::string_view::npos) {
        return parse_path(text, text);
    }
    if (text.starts_with(':')) {
        return finish_host(text, Transport::tcp, "127.0.0.1", text.substr(1));
    }
    if (std::all_of(text.begin(), text.end(), is_digit)) {
        return finish_host(text, Transport::tcp, "127.0.0.1", text);
    }
    return parse_network(text, text, Transport::tcp, default_port);
}

std::variant<Endpoint, BadEndpoint> parse(std::string_view text,
                                          std::optional<std::uint16_t> default_port) {
    if (text.empty()) {
        return BadEndpoint{"the address is empty: write one like tcp://127.0.0.1:8888"};
    }
    if (std::any_of(text.begin(), text.end(),
                    [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
        return bad(text, "has a control character in it");
    }
    if (text.find('?') != std::string_view::npos) {
        return bad(text, "has options behind a '?', which an address alone cannot have");
    }
    constexpr std::string_view unix_prefix = "unix:";
    constexpr std::string_view inherited_prefix = "fd:";
    constexpr std::string_view authority = "://";
    if (text.starts_with(unix_prefix)) {
        const std::string_view path = text.substr(unix_prefix.size());
        if (path.starts_with("//") && !path.starts_with("///")) {
            return bad(text, "has a host: write unix:/path with one slash");
        }
        return parse_path(text, path);
    }
    if (text.starts_with(inherited_prefix)) {
        return parse_inherited(text, text.substr(inherited_prefix.size()));
    }
    const std::size_t scheme_end = text.find(authority);
    if (scheme_end == std::string_view::npos) {
        return parse_bare(text, default_port);
    }
    const std::string_view scheme = text.substr(0, scheme_end);
    const std::string_view rest = text.substr(scheme_end + authority.size());
    if (scheme == "tcp") {
        return parse_network(text, rest, Transport::tcp, default_port);
    }
    if (scheme == "udp") {
        return parse_network(text, rest, Transport::udp, default_port);
    }
    return bad(text, "has an unknown scheme: tcp://, udp://, unix:/ and fd: are known");
}

} // namespace

std::variant<Endpoint, BadEndpoint> parse_endpoint(std::string_view text) {
    return parse(text, std::nullopt);
}

std::variant<Endpoint, BadEndpoint> parse_endpoint(std::string_view text,
                                                   std::uint16_t default_port) {
    return parse(text, default_port);
}

std::string to_string(const Endpoint& endpoint) {
    if (endpoint.transport == Transport::unix_stream ||
        endpoint.transport == Transport::inherited) {
        return (endpoint.transport == Transport::inherited ? "fd:" : "unix:") + endpoint.path;
    }
    const bool ipv6 = endpoint.host.find(':') != std::string::npos;
    const std::string host = ipv6 ? "[" + endpoint.host + "]" : endpoint.host;
    return (endpoint.transport == Transport::udp ? "udp://" : "tcp://") + host + ":" +
           std::to_string(endpoint.port);
}

bool is_numeric_host(std::string_view host) {
    return host.find(':') != std::string_view::npos || looks_numeric(host);
}

bool is_loopback_host(std::string_view host) {
    constexpr unsigned char loopback_net = 127;
    const std::string text(host);
    if (const auto ipv4 = numeric<in_addr>(AF_INET, text)) {
        return ntohl(ipv4->s_addr) >> 24U == loopback_net;
    }
    if (const auto ipv6 = numeric<in6_addr>(AF_INET6, text)) {
        constexpr std::size_t mapped_first_byte = 12;
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&*ipv6);
        return IN6_IS_ADDR_LOOPBACK(&*ipv6) ||
               (mapped && ipv6->s6_addr[mapped_first_byte] == loopback_net);
    }
    return lowered(host) == "localhost";
}

} // namespace roomd
