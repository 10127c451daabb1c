// Poller — turns kernel readiness into keys.
//
// Owned by the EventLoop. One class, three bodies: poller_epoll.cc, poller_kqueue.cc, and in tests
// test/sim/poller_sim.cc; the build links exactly one. Knows no watchers, no bytes, no time but
// the wait.
//
// Contract, the same for all bodies:
//   * edges, not levels: an edge is told when a descriptor *becomes* ready. Whoever got one must
//     go on until would_block (or call EventLoop::again), or will hear nothing more
//   * spurious edges are allowed, lost edges never; the first state after add() counts as an edge
//   * registered once, never modified: reading is paused by not reading; the kernel's own edge
//     arms writing
//   * one key may come more than once in a batch (kqueue has a filter a direction)
//   * an edge of a removed descriptor may still be in the batch: its generation no longer matches
//
// Measured on Linux 6.18: TCP that never fills raises no writable edge in 1000 sends and one on
// draining a full socket; a Unix stream raises one with each read of the peer, which costs a look
// at an empty queue. Sources: epoll(7), kqueue(2).
#pragma once

#include "reactor/slot_map.h"
#include "reactor/time.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace roomd {

enum class Interest : std::uint8_t { read, read_write };

/// Bits. Hang-up and error are both: the system call will tell the truth.
enum class Ready : std::uint8_t { none = 0, readable = 1, writable = 2, both = 3 };

[[nodiscard]] constexpr Ready operator|(Ready left, Ready right) {
    return static_cast<Ready>(static_cast<unsigned>(left) | static_cast<unsigned>(right));
}

[[nodiscard]] constexpr bool has(Ready set, Ready bit) {
    return (static_cast<unsigned>(set) & static_cast<unsigned>(bit)) != 0;
}

struct Edge {
    Key key;
    Ready ready;
};

class Poller {
public:
    /// Throws std::system_error when the kernel gives no queue.
    Poller();
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    Poller(Poller&&) = delete;
    Poller& operator=(Poller&&) = delete;

    /// One system call: epoll_ctl(2), or kevent(2) with a filter a direction. Throws
    /// std::system_error: ENOMEM, ENOSPC, and of epoll EPERM for a regular file, which kqueue
    /// takes.
    void add(int fd, Interest interest, Key key);
    /// Before the close: a duplicate kept elsewhere (fork, SCM_RIGHTS) would keep the registration
    /// alive.
    void remove(int fd) noexcept;

    /// Blocks at most `timeout` (none: until an edge; rounded up to a millisecond). The batch is
    /// valid until the next call. EINTR: what is ready by then, perhaps nothing.
    [[nodiscard]] std::span<const Edge> wait(std::optional<Duration> timeout);

    /// "epoll", "kqueue" or "sim".
    [[nodiscard]] static std::string_view name();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace roomd
