// sys — the system calls that roomd makes while it serves: sockets, clocks, descriptors, the
// process.
//
// Calls that a simulated world has no use for stand where they are made: poller_*.cc, signals.cc,
// the daemon's log, activation and upgrade, the terminal of `room`. Free functions without state:
// sys.cc binds them to the kernel, test/sim/sys_sim.cc to a simulated world; the linker chooses.
// All descriptors are non-blocking and close-on-exec. EINTR is retried here and never seen above;
// no call raises SIGPIPE. Nothing above this file looks at errno.
//
// Sources: socket(7), tcp(7), unix(7), accept(2), sendmsg(2), POSIX.1-2017.
#pragma once

#include "reactor/endpoint.h"
#include "reactor/fd.h"
#include "reactor/io_result.h"
#include "reactor/socket_address.h"
#include "reactor/time.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/uio.h>

namespace roomd::sys {

// --- clocks ---

/// CLOCK_MONOTONIC. Some 20 ns; the loop reads it once a tick.
[[nodiscard]] TimePoint monotonic_now();
[[nodiscard]] WallTime wall_now();
/// Unpredictable bytes (getrandom(2)); for hash keys. Throws std::system_error.
void random_bytes(std::span<std::byte> out);

// --- bytes ---

/// readv(2) once. `end` when the peer has finished. At least one byte of space must be given.
[[nodiscard]] IoResult read_some(int fd, std::span<const iovec> into);
/// sendmsg(2) once, at most IOV_MAX pieces. Takes what the kernel takes. ENOBUFS and ENOMEM are
/// would_block with `error` set: no edge will follow, so the caller has to try again by time.
[[nodiscard]] IoResult write_some(int fd, std::span<const iovec> from);
/// One datagram, cut to the space given; `sender` is filled in. `end` never happens.
[[nodiscard]] IoResult receive_datagram(int fd, std::span<std::byte> into, SocketAddress& sender);
/// Tells the peer that nothing more will come. Errors are of no interest: the peer may be gone.
void shutdown_write(int fd);
/// How many bytes written to `fd` its kernel still holds: neither acknowledged by the other end's
/// kernel (TCP) nor read by the other end (Unix; there in whole messages, and with what the kernel
/// adds to each). Nothing where the system does not tell. Sources: tcp(7) SIOCOUTQ, FreeBSD tty(4)
/// FIONWRITE, macOS SO_NWRITE.
[[nodiscard]] std::optional<std::uint32_t> bytes_unacknowledged(int fd);
/// Closes. Linux: the descriptor is gone whatever close(2) returns.
void close_descriptor(int fd) noexcept;

// --- servers ---

enum class AcceptStatus : std::uint8_t {
    ok,
    would_block,
    again, // this one was lost (ECONNABORTED, EPROTO, EPERM, network errors): accept the next
    no_descriptor, // EMFILE, ENFILE
    no_memory,     // ENOBUFS, ENOMEM
    failed         // the listener is gone; `error`
};

struct AcceptResult {
    AcceptStatus status;
    Fd fd;
    SocketAddress peer;
    int error = 0;
};

/// accept4(2) once.
[[nodiscard]] AcceptResult accept_one(int listener);

struct ListenOptions {
    int backlog = 4096;
    std::uint32_t mode = 0660; // Unix socket file
    bool share_port = false;   // beside sockets of ours that let_share_port() was called for
};

/// A bound, listening (stream) or bound (datagram) socket. SO_REUSEADDR for TCP, IPV6_V6ONLY for
/// IPv6. Throws std::system_error (EADDRINUSE, EACCES, EADDRNOTAVAIL ...) without a text: the
/// caller knows the endpoint. What a TCP connection accepted there sends is cut into segments of
/// 16 KiB at most, see segment_bytes_max in sys.cc.
[[nodiscard]] Fd listen_stream(const SocketAddress& address, const ListenOptions& options);
[[nodiscard]] Fd bind_datagram(const SocketAddress& address, bool share_port = false);
/// From now on a socket with `share_port` may be bound beside this one, if it is the same user's:
/// 0.0.0.0 beside 127.0.0.1, which a reload puts in its place. The kernel asks both when the second
/// is bound (SO_REUSEPORT, socket(7)). Best effort.
void let_share_port(int fd, bool allowed);
/// Another descriptor of the same socket. Throws std::system_error.
[[nodiscard]] Fd duplicate(int fd);
/// Starts a stream connection; completion is told by a writable edge and connect_error(). Throws
/// like above when it cannot even begin.
[[nodiscard]] Fd connect_begin(const SocketAddress& address);
/// SO_ERROR: 0 when connected.
[[nodiscard]] int connect_error(int fd);
[[nodiscard]] SocketAddress local_address(int fd);
/// length 0 when the peer is gone.
[[nodiscard]] SocketAddress peer_address(int fd);
/// The user on the other end of a Unix socket, as the kernel knows it from the connect
/// (SO_PEERCRED, getpeereid(3)); nothing for other sockets.
[[nodiscard]] std::optional<std::uint32_t> peer_user(int fd);
/// The other end of a stream has shut both ways: it reads no more either. Asks the kernel.
[[nodiscard]] bool hung_up(int fd);
/// SO_COOKIE (socket(7)): a number that no other socket of this machine has had since its start; 0
/// where the system has none.
[[nodiscard]] std::uint64_t socket_cookie(int fd);
/// getaddrinfo(3): blocks on the network unless `host` is a number, so only at start and in a child
/// (name_lookup.h). Throws std::runtime_error naming host and reason.
[[nodiscard]] std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port,
                                                 bool datagram);

struct KeepAlive {
    std::uint32_t idle_s;
    std::uint32_t interval_s;
    std::uint32_t probes;
    std::uint32_t user_timeout_ms;
};

/// TCP only, a no-op otherwise: TCP_NODELAY and keep-alive as given. Best effort. On Linux the user
/// timeout overrides the number of probes (tcp(7)): below idle + interval * probes, the first probe
/// that is lost ends a quiet connection.
void tune_stream(int fd, const KeepAlive& keep_alive);
/// TCP_NOTSENT_LOWAT (tcp(7)): the kernel takes no more while it holds `bytes` that it has not sent
/// once, and has room again at half of that. 0: its own limit, megabytes. A no-op for other sockets
/// and where the system has no such thing.
void limit_unsent(int fd, std::uint32_t bytes);

// --- Unix socket files ---

enum class UnixPath : std::uint8_t { absent, stale, live, not_a_socket };
/// Whether somebody listens at `path`: connects to it.
[[nodiscard]] UnixPath probe_unix_path(const std::string& path);
/// An exclusive advisory lock (flock(2)) on `path`.lock, created 0600; empty Fd when another
/// process holds it. Throws std::system_error.
[[nodiscard]] Fd lock_beside(const std::string& path);
/// Writes into the lock which file at `path` is ours: its device and inode. Best effort.
void sign_lock(int lock, const std::string& path);
/// Removes the socket at `path` if it is the one that the lock was signed for (any socket, if the
/// lock is none or was never signed), and then the lock's own file. What lies there else is
/// somebody else's.
void remove_own_socket(const std::string& path, int lock);
/// The user who owns what is at `path`; nothing if that cannot be seen.
[[nodiscard]] std::optional<std::uint32_t> owner_of(const std::string& path);
void unlink_path(const std::string& path);
/// A listening socket that another process has bound, and its file at `path` (none if empty): as if
/// listen_stream() had made them with these options. A file that is gone, or is no socket, is left
/// alone. Throws std::system_error.
void listen_again(int fd, const std::string& path, const ListenOptions& options);

// --- process ---

/// A pipe, both ends non-blocking: {read, write}. Throws std::system_error.
[[nodiscard]] std::pair<Fd, Fd> make_pipe();
/// write(2) of one byte; safe in a signal handler. Errors ignored: a full pipe already wakes the
/// reader.
void write_byte(int fd, unsigned char byte) noexcept;
/// A descriptor kept in reserve for accepting when there are none left (/dev/null). Empty Fd when
/// even that fails.
[[nodiscard]] Fd reserve_descriptor();
/// Raises the soft descriptor limit to the hard one; returns what is in force.
[[nodiscard]] std::uint64_t raise_descriptor_limit();
[[nodiscard]] std::uint64_t descriptor_limit();
/// What raise_descriptor_limit() would return.
[[nodiscard]] std::uint64_t descriptor_limit_max();
/// No listening socket holds more connections until they are accepted, whatever listen(2) is told
/// (net.core.somaxconn). Nothing where the system does not say.
[[nodiscard]] std::optional<std::uint64_t> listen_backlog_max();
/// A descriptor of ours must not become 0, 1 or 2 because whoever started this program closed them:
/// each that is closed is /dev/null from now on. The first thing a program does.
void fill_standard_descriptors() noexcept;
/// Makes this process's table of descriptors large enough for `count` of them; eight bytes each. To
/// be called while there is one thread: Linux grows the table by doubling it, and where there are
/// several threads it stops the one that needs it for an RCU grace period each time, 8 to 16 ms
/// (fs/file.c, expand_fdtable). Best effort: what is not made here grows when it has to.
void make_room_for_descriptors(std::uint64_t count) noexcept;

/// `bytes` in pages of their own, for reading and writing; not in memory until they are touched.
/// Throws std::bad_alloc. Two calls and a fault for each page, so for large pieces only (mmap(2)).
[[nodiscard]] void* map_pages(std::size_t bytes);
void unmap_pages(void* pages, std::size_t bytes) noexcept;
/// Memory that was freed and that the allocator keeps goes back to the system, where it can be
/// asked for that (malloc_trim(3)). Walks the heap: some milliseconds after a large load.
void give_back_memory() noexcept;
/// What `ps` and `pidof` show: the last part of `called`. execve(2) by a descriptor leaves a number
/// there. Where the system has such a name.
void name_process(const char* called) noexcept;
/// How much more memory this process may take: the least that its limit of address space
/// (RLIMIT_AS), its cgroups (v1 and v2, those above too; what is only cache counts as free) and the
/// machine leave. Nothing where the system does not say. Reads some files in /proc and
/// /sys/fs/cgroup: 0.1 ms.
[[nodiscard]] std::optional<std::uint64_t> memory_headroom();

/// What this process takes of the machine; what the system does not tell is missing.
struct ProcessUsage {
    std::uint64_t cpu_ms = 0; // of all threads, in the kernel too
    std::optional<std::uint64_t> resident_bytes;
    std::optional<std::uint64_t> virtual_bytes;
    std::optional<std::uint64_t> descriptors_open;
};

/// Reads its own files in /proc only. Some ten microseconds; where the kernel does not count
/// descriptors (Linux before 6.2) one microsecond more for each.
[[nodiscard]] ProcessUsage process_usage();

/// How much memory this process may use at all.
struct MemoryLimits {
    std::optional<std::uint64_t> cgroup; // the least limit of its control groups, if there is one
    std::uint64_t machine = 0;           // physical memory; 0: not known
};

/// Linux: memory.max (cgroup v2) or memory.limit_in_bytes (v1) of the group this process is in and
/// of all above it, see cgroups(7). Reads files in /proc and /sys only; some 50 us.
[[nodiscard]] MemoryLimits memory_limits();

/// From now on this thread, and what it starts, runs on processor `cpu` only. False where that
/// cannot be had: not every system can, and not every processor is ours.
[[nodiscard]] bool run_on_cpu(unsigned cpu) noexcept;
/// The kernel ends this process (SIGTERM) when the one that started it has ended, where it can. For
/// a child between fork(2) and execve(2): it stays so.
void end_with_parent() noexcept;

/// Where the program of this process is to be found: another may be there by now. `called`: how it
/// was called (argv[0]); kept if it is a full path to it, for that may be a link to another one
/// tomorrow. Empty if the system does not say. Ask early: who has replaced it makes the answer ours
/// no more.
[[nodiscard]] std::string own_program(const std::string& called);

/// The file at `path`, to be executed by its descriptor though it may not be read (O_PATH, open(2);
/// O_RDONLY where the system has no such thing). Empty, and errno set, if it cannot be opened.
[[nodiscard]] Fd open_program(const std::string& path) noexcept;
/// fexecve(3): the file behind `fd` in the place of this process, whatever its name leads to by
/// now. Returns only if that fails: the errno, ENOSYS where the system has no such call.
[[nodiscard]] int execute_file(int fd, char* const* arguments, char* const* variables) noexcept;
/// Ends a child of ours, and its process group if it `leads_group`, and waits until it has ended:
/// by SIGKILL, so at once unless the kernel itself holds it.
void end_child(int child, bool leads_group) noexcept;

/// Whether this process has a controlling terminal that is still there.
[[nodiscard]] bool has_terminal() noexcept;

/// A file that may not grow any further (RLIMIT_FSIZE) is an error of write(2), EFBIG, and no
/// signal that ends the program. One of the first things a program does.
void ignore_size_limit_signal() noexcept;

/// Signals that were blocked when the program began reach this thread from now on, and children's
/// ends can be asked for.
void let_signals_in() noexcept;

/// The variables of the process, a null pointer behind the last; valid until one is set or unset.
[[nodiscard]] const char* const* environment() noexcept;

// --- what a program prints ---

/// Writes all of it to `fd`, which may be slow or non-blocking: waits. Asks the file behind `fd`,
/// too, whether it has kept what it took (a full disk behind NFS says so only when closed). 0, or
/// the errno.
[[nodiscard]] int write_all(int fd, std::string_view text) noexcept;
/// What close(2) would say of the file behind `fd`, which stays open. 0, or the errno.
[[nodiscard]] int close_error(int fd) noexcept;
/// On stdout. False: it could not be written, and a line on stderr, `PROGRAM: cannot write to
/// stdout: WHY`, says so. A reader that has gone ends the program as it ends cat(1), by SIGPIPE, if
/// that is not ignored.
[[nodiscard]] bool print(std::string_view program, std::string_view text);

/// strerror, without its locale and thread trouble.
[[nodiscard]] std::string error_text(int error);

} // namespace roomd::sys
