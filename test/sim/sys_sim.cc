#include "reactor/sys.h"

#include "test/sim/world.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>

// The system calls of a simulated world: no state here, no kernel below.
namespace roomd::sys {

using sim::World;

namespace {

// Neither clock begins at zero, where a forgotten initial value would look right.
constexpr std::int64_t boot_ns = 1'000'000 * sim::second;
constexpr WallTime birth_ms = 1'700'000'000'000;

Fd made(int descriptor, const char* what) {
    if (descriptor < 0) {
        throw std::system_error(-descriptor, std::generic_category(), what);
    }
    return Fd(descriptor);
}

SocketAddress ipv4(std::uint32_t host, std::uint16_t port) {
    sockaddr_in typed{};
    typed.sin_family = AF_INET;
    typed.sin_addr.s_addr = htonl(host);
    typed.sin_port = htons(port);
    SocketAddress address;
    std::memcpy(&address.storage, &typed, sizeof typed);
    address.length = sizeof typed;
    return address;
}

SocketAddress ipv6_loopback(std::uint16_t port) {
    sockaddr_in6 typed{};
    typed.sin6_family = AF_INET6;
    typed.sin6_addr.s6_addr[15] = 1;
    typed.sin6_port = htons(port);
    SocketAddress address;
    std::memcpy(&address.storage, &typed, sizeof typed);
    address.length = sizeof typed;
    return address;
}

} // namespace

TimePoint monotonic_now() {
    return TimePoint(Duration(boot_ns + World::current().now()));
}

WallTime wall_now() {
    return birth_ms + static_cast<WallTime>(World::current().now() / sim::millisecond);
}

void random_bytes(std::span<std::byte> out) {
    for (std::byte& byte : out) {
        byte = static_cast<std::byte>(World::current().entropy().below(256));
    }
}

IoResult read_some(int fd, std::span<const iovec> into) {
    return World::current().read(fd, into);
}

IoResult write_some(int fd, std::span<const iovec> from) {
    return World::current().write(fd, from.first(std::min<std::size_t>(from.size(), 1024)));
}

IoResult receive_datagram(int fd, std::span<std::byte> into, SocketAddress& sender) {
    return World::current().receive(fd, into, sender);
}

void shutdown_write(int fd) {
    World::current().shut(fd);
}

void close_descriptor(int fd) noexcept {
    World::current().close(fd);
}

AcceptResult accept_one(int listener) {
    return World::current().accept(listener);
}

Fd listen_stream(const SocketAddress& address, const ListenOptions& options) {
    return made(World::current().listen(address, false, options.backlog), "bind");
}

Fd bind_datagram(const SocketAddress& address, bool /*share_port*/) {
    return made(World::current().listen(address, true, 0), "bind");
}

Fd connect_begin(const SocketAddress& /*address*/) {
    throw std::system_error(ECONNREFUSED, std::generic_category(),
                            "connect"); // the daemon never does
}

int connect_error(int /*fd*/) {
    return ECONNREFUSED;
}

SocketAddress local_address(int fd) {
    return World::current().local_address(fd);
}

std::uint64_t socket_cookie(int fd) {
    return World::current().cookie(fd);
}

SocketAddress peer_address(int fd) {
    return World::current().peer_address(fd);
}

std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port, bool /*datagram*/) {
    if (host == "localhost") {
        return {ipv6_loopback(port), ipv4(INADDR_LOOPBACK, port)};
    }
    if (host == "::1") {
        return {ipv6_loopback(port)};
    }
    in_addr numeric{};
    if (::inet_pton(AF_INET, host.c_str(), &numeric) == 1) {
        return {ipv4(ntohl(numeric.s_addr), port)};
    }
    throw std::runtime_error("cannot resolve \"" + host + "\": not in this world");
}

std::optional<std::uint32_t> peer_user(int /*fd*/) {
    return 0; // one user has this world for itself
}

std::optional<std::uint32_t> bytes_unacknowledged(int fd) {
    return World::current().unacknowledged(fd);
}

void limit_unsent(int /*fd*/, std::uint32_t /*bytes*/) {} // buffers are of every size here

void tune_stream(int /*fd*/, const KeepAlive& /*keep_alive*/) {}

UnixPath probe_unix_path(const std::string& path) {
    const World& world = World::current();
    if (!world.unix_path_bound(path)) {
        return UnixPath::absent;
    }
    return world.unix_path_live(path) ? UnixPath::live : UnixPath::stale;
}

Fd lock_beside(const std::string& /*path*/) {
    return made(World::current().open_plain(), "open");
}

void listen_again(int fd, const std::string& path, const ListenOptions& options) {
    static_cast<void>(path); // files have no modes here
    World::current().listen_again(fd, options.backlog);
}

std::uint64_t descriptor_limit_max() {
    return descriptor_limit();
}

std::optional<std::uint64_t> listen_backlog_max() {
    return std::nullopt;
}

void sign_lock(int /*lock*/, const std::string& /*path*/) {}

void remove_own_socket(const std::string& path, int /*lock*/) {
    World::current().unlink(path);
}

std::optional<std::uint32_t> owner_of(const std::string& /*path*/) {
    return std::nullopt;
}

bool hung_up(int /*fd*/) {
    return false;
}

void let_share_port(int /*fd*/, bool /*allowed*/) {}

Fd duplicate(int /*fd*/) {
    throw std::system_error(EMFILE, std::generic_category(), "fcntl"); // no two names for one here
}

void unlink_path(const std::string& path) {
    World::current().unlink(path);
}

std::pair<Fd, Fd> make_pipe() {
    const auto [read_fd, write_fd] = World::current().pipe();
    return {made(read_fd, "pipe"), made(write_fd, "pipe")};
}

void end_child(int /*child*/, bool /*leads_group*/) noexcept {
    std::abort(); // nothing in this world starts a child
}

void write_byte(int fd, unsigned char byte) noexcept {
    World::current().write_byte(fd, byte);
}

Fd reserve_descriptor() {
    const int descriptor = World::current().open_plain();
    return descriptor < 0 ? Fd() : Fd(descriptor);
}

std::uint64_t descriptor_limit() {
    return static_cast<std::uint64_t>(World::current().descriptor_limit());
}

const char* const* environment() noexcept {
    static constexpr const char* none = nullptr;
    return &none;
}

void* map_pages(std::size_t bytes) {
    return ::operator new(bytes);
}

void unmap_pages(void* pages, std::size_t /*bytes*/) noexcept {
    ::operator delete(pages);
}

void give_back_memory() noexcept {}

ProcessUsage process_usage() {
    return {}; // in this world nothing is used
}

MemoryLimits memory_limits() {
    return {}; // and there is no end of it
}

std::string error_text(int error) {
    return std::generic_category().message(error);
}

} // namespace roomd::sys
