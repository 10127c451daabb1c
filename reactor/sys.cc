#include "reactor/sys.h"

#include <climits>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/sockios.h>
#endif

// Bytes and sockets. With sys_process.cc and sys_memory.cc the only files with conditions on the
// operating system: what macOS and the BSDs call otherwise.
namespace roomd::sys {

namespace {

#if defined(MSG_NOSIGNAL)
constexpr int send_flags = MSG_NOSIGNAL;
#else
constexpr int send_flags = 0; // SO_NOSIGPIPE was set on the socket
#endif

// A receiver's kernel opens its window again when a segment fits in, so the segment is the step in
// which a slow reader can be seen to read. Between machines it has 1.4 KiB; on loopback it would
// have 64, and a reader of 2 kB/s would move every 33 s. With this limit it moves every 18 s
// (measured, Linux 6.18). What is sent in one call still leaves in one piece of up to 64 KiB.
constexpr int segment_bytes_max = 16 * 1024;

void set_option(int fd, int level, int name, int value) {
    // Best effort by contract: a socket without it still works.
    static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
}

[[maybe_unused]] void set_flags(int fd) {
    static_cast<void>(::fcntl(fd, F_SETFD, FD_CLOEXEC));
    static_cast<void>(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK));
#if defined(SO_NOSIGPIPE)
    set_option(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

const sockaddr* raw(const SocketAddress& address) {
    return reinterpret_cast<const sockaddr*>(
        &address.storage); // NOLINT: the sockets API's own cast
}

sockaddr* raw(SocketAddress& address) {
    return reinterpret_cast<sockaddr*>(&address.storage); // NOLINT: the sockets API's own cast
}

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

Fd make_socket(int family, int type) {
#if defined(SOCK_CLOEXEC)
    Fd fd(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
#else
    Fd fd(::socket(family, type, 0));
    if (fd) {
        set_flags(fd.get());
    }
#endif
    if (!fd) {
        fail("socket");
    }
    return fd;
}

IoResult failed_or_blocked(int error) {
    if (error == EAGAIN || error == EWOULDBLOCK) {
        return {IoStatus::would_block};
    }
    return {IoStatus::failed, 0, error};
}

// macOS refuses an address longer than its family's.
bool bind_to(const Fd& fd, const SocketAddress& address) {
    return ::bind(fd.get(), raw(address), address.length) == 0;
}

// The kernel copies and checks a list of pieces before it looks at them: a single piece, which most
// queues are, goes without one.
ssize_t send_pieces(int fd, std::span<const iovec> from) {
    if (from.size() == 1) {
        return ::send(fd, from.front().iov_base, from.front().iov_len, send_flags);
    }
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data()); // NOLINT: sendmsg does not write through it
    using Count = decltype(message.msg_iovlen);
    message.msg_iovlen = static_cast<Count>(std::min<std::size_t>(from.size(), IOV_MAX));
    return ::sendmsg(fd, &message, send_flags);
}

} // namespace

IoResult read_some(int fd, std::span<const iovec> into) {
    while (true) {
        const ssize_t count = ::readv(fd, into.data(), static_cast<int>(into.size()));
        if (count > 0) {
            return {IoStatus::ok, static_cast<std::size_t>(count)};
        }
        if (count == 0) {
            return {IoStatus::end};
        }
        if (errno != EINTR) {
            return failed_or_blocked(errno);
        }
    }
}

IoResult write_some(int fd, std::span<const iovec> from) {
    while (true) {
        const ssize_t count = send_pieces(fd, from);
        if (count >= 0) {
            return {IoStatus::ok, static_cast<std::size_t>(count)};
        }
        if (errno == ENOBUFS || errno == ENOMEM) {
            return {IoStatus::would_block, 0, errno};
        }
        if (errno != EINTR) {
            return failed_or_blocked(errno);
        }
    }
}

IoResult receive_datagram(int fd, std::span<std::byte> into, SocketAddress& sender) {
    while (true) {
        sender.length = sizeof sender.storage;
        const ssize_t count =
            ::recvfrom(fd, into.data(), into.size(), 0, raw(sender), &sender.length);
        if (count >= 0) {
            return {IoStatus::ok, static_cast<std::size_t>(count)};
        }
        if (errno != EINTR) {
            return failed_or_blocked(errno);
        }
    }
}

std::optional<std::uint32_t> bytes_unacknowledged([[maybe_unused]] int fd) {
    int bytes = 0;
#if defined(SIOCOUTQ)
    const bool told = ::ioctl(fd, SIOCOUTQ, &bytes) == 0; // NOLINT: ioctl(2) is variadic
#elif defined(SO_NWRITE)
    socklen_t size = sizeof bytes;
    const bool told = ::getsockopt(fd, SOL_SOCKET, SO_NWRITE, &bytes, &size) == 0;
#elif defined(FIONWRITE)
    const bool told = ::ioctl(fd, FIONWRITE, &bytes) == 0; // NOLINT: ioctl(2) is variadic
#else
    const bool told = false;
#endif
    return told ? std::optional<std::uint32_t>(bytes) : std::nullopt;
}

void shutdown_write(int fd) {
    static_cast<void>(::shutdown(fd, SHUT_WR));
}

void close_descriptor(int fd) noexcept {
    static_cast<void>(::close(fd));
}

AcceptResult accept_one(int listener) {
    AcceptResult result{AcceptStatus::ok, Fd(), {}, 0};
    result.peer.length = sizeof result.peer.storage;
#if defined(SOCK_CLOEXEC)
    const int fd =
        ::accept4(listener, raw(result.peer), &result.peer.length, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    const int fd = ::accept(listener, raw(result.peer), &result.peer.length);
    if (fd >= 0) {
        set_flags(fd);
    }
#endif
    if (fd >= 0) {
        result.fd = Fd(fd);
        return result;
    }
    result.error = errno;
    switch (result.error) {
    case EAGAIN:
        result.status = AcceptStatus::would_block;
        break;
    case EMFILE:
    case ENFILE:
        result.status = AcceptStatus::no_descriptor;
        break;
    case ENOBUFS:
    case ENOMEM:
        result.status = AcceptStatus::no_memory;
        break;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT:
        result.status = AcceptStatus::failed;
        break;
    default: // EINTR, ECONNABORTED, EPROTO, EPERM and the network errors accept(2) passes on
        result.status = AcceptStatus::again;
        break;
    }
    return result;
}

Fd listen_stream(const SocketAddress& address, const ListenOptions& options) {
    const int family = address.storage.ss_family;
    Fd fd = make_socket(family, SOCK_STREAM);
    if (family != AF_UNIX) {
        set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1); // restart at once despite TIME_WAIT
        let_share_port(fd.get(), options.share_port);
    }
    if (family == AF_INET6) {
        set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    // The file must never be connectable with wider rights than asked for, not even between bind
    // and chmod.
    const mode_t mask = family == AF_UNIX ? ::umask(0777U & ~options.mode) : 0;
    const bool bound = bind_to(fd, address);
    const int error = errno;
    if (family == AF_UNIX) {
        ::umask(mask);
    }
    errno = error;
    if (!bound) {
        fail("bind");
    }
    if (family != AF_UNIX) { // before the handshake, or it is too late for a connection
        set_option(fd.get(), IPPROTO_TCP, TCP_MAXSEG, segment_bytes_max);
    }
    if (::listen(fd.get(), options.backlog) != 0) {
        fail("listen");
    }
    return fd;
}

Fd bind_datagram(const SocketAddress& address, bool share_port) {
    Fd fd = make_socket(address.storage.ss_family, SOCK_DGRAM);
    let_share_port(fd.get(), share_port);
    if (address.storage.ss_family == AF_INET6) {
        set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (!bind_to(fd, address)) {
        fail("bind");
    }
    return fd;
}

bool hung_up(int fd) {
    pollfd entry{fd, 0, 0};
    return ::poll(&entry, 1, 0) > 0 &&
           (static_cast<unsigned>(entry.revents) & static_cast<unsigned>(POLLHUP)) != 0;
}

void let_share_port(int fd, bool allowed) {
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, allowed ? 1 : 0);
}

Fd duplicate(int fd) {
    Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy) {
        fail("fcntl");
    }
    return copy;
}

Fd connect_begin(const SocketAddress& address) {
    Fd fd = make_socket(address.storage.ss_family, SOCK_STREAM);
    if (::connect(fd.get(), raw(address), address.length) != 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        fail("connect");
    }
    return fd;
}

int connect_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        return errno;
    }
    // The error is told once, and libkqueue asks for it to fill in fflags: without a peer, and with
    // nothing to say why, the socket is not connected all the same.
    return error == 0 && peer_address(fd).length == 0 ? ENOTCONN : error;
}

SocketAddress local_address(int fd) {
    SocketAddress address;
    address.length = sizeof address.storage;
    if (::getsockname(fd, raw(address), &address.length) != 0) {
        address.length = 0;
    }
    return address;
}

std::uint64_t socket_cookie([[maybe_unused]] int fd) {
    std::uint64_t cookie = 0;
#if defined(SO_COOKIE)
    socklen_t size = sizeof cookie;
    static_cast<void>(::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size));
#endif
    return cookie;
}

SocketAddress peer_address(int fd) {
    SocketAddress address;
    address.length = sizeof address.storage;
    if (::getpeername(fd, raw(address), &address.length) != 0) {
        address.length = 0;
    }
    return address;
}

void tune_stream(int fd, const KeepAlive& keep_alive) {
    const SocketAddress address = local_address(fd);
    if (address.storage.ss_family != AF_INET && address.storage.ss_family != AF_INET6) {
        return;
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY,
               1); // the tick already gathers; waiting again only delays
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(keep_alive.interval_s));
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(keep_alive.probes));
#if defined(TCP_KEEPIDLE)
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(keep_alive.idle_s));
#elif defined(TCP_KEEPALIVE)
    set_option(fd, IPPROTO_TCP, TCP_KEEPALIVE, static_cast<int>(keep_alive.idle_s));
#endif
#if defined(TCP_USER_TIMEOUT)
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(keep_alive.user_timeout_ms));
#elif defined(TCP_RXT_CONNDROPTIME)
    set_option(fd, IPPROTO_TCP, TCP_RXT_CONNDROPTIME,
               static_cast<int>(keep_alive.user_timeout_ms / 1000));
#endif
}

void limit_unsent([[maybe_unused]] int fd, [[maybe_unused]] std::uint32_t bytes) {
#if defined(TCP_NOTSENT_LOWAT)
    if (bytes > 0) { // a Unix socket refuses it, and that is all
        set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
                   static_cast<int>(std::min<std::uint32_t>(bytes, INT_MAX)));
    }
#endif
}

} // namespace roomd::sys
