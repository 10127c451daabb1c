// Link — what the simulated kernel keeps for a connection or a listener, and who plays its far end.
//
// Plain data of the World, which alone changes it; peers see it read-only. A connection is three
// channels: `wire` under way from the peer, `in` waiting for the daemon, `out` waiting for the
// peer. The flags below them say which edges are due.
#pragma once

#include "reactor/socket_address.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace roomd::sim {

/// Virtual nanoseconds since the world began.
using Instant = std::int64_t;
inline constexpr Instant microsecond = 1'000;
inline constexpr Instant millisecond = 1'000'000;
inline constexpr Instant second = 1'000'000'000;

using LinkId = std::uint32_t;
inline constexpr std::uint32_t nothing = UINT32_MAX;

class Actor {
public:
    virtual void on_event(std::uint32_t what, std::uint64_t argument) = 0;

protected:
    ~Actor() = default;
};

/// The far end of a connection.
class Peer {
public:
    virtual void on_connected(LinkId link) = 0;
    virtual void on_refused(LinkId link) = 0;
    /// Bytes or the end are there; told once until link_take() has found nothing more.
    virtual void on_readable(LinkId link) = 0;
    virtual void on_reset(LinkId link) = 0;

protected:
    ~Peer() = default;
};

/// Bytes in one direction, with the kernel's limit on them.
struct Channel {
    std::string bytes;
    std::size_t head = 0;
    std::size_t capacity = 65'536;
    std::uint64_t entered = 0; // bytes that ever came in
    std::uint64_t left = 0;    // bytes that were taken out
    std::uint64_t lost = 0;    // bytes that a reset destroyed
    bool end = false;          // nothing more will come in

    [[nodiscard]] std::size_t size() const { return bytes.size() - head; }

    [[nodiscard]] std::size_t room() const { return size() >= capacity ? 0 : capacity - size(); }

    [[nodiscard]] std::string_view view() const { return std::string_view(bytes).substr(head); }

    void put(std::string_view more);
    void take(std::size_t count);
    void destroy();
};

struct Link {
    Peer* peer = nullptr;
    bool is_unix = false;
    bool accepted = false;
    SocketAddress peer_address;
    int fd = -1; // the daemon's end; -1 before accept() and after close()

    Channel wire;            // sent by the peer, still under way
    Channel in;              // to be read by the daemon
    Channel out;             // to be read by the peer
    bool delivering = false; // an event is under way
    bool telling = false;
    bool broken = false;      // a reset has reached the daemon's end
    bool reset_told = false;  // and a call has failed with it: the kernel tells an error once
    bool peer_closed = false; // the peer will neither read nor write
    bool peer_reset = false;  // a reset has reached the peer
    bool daemon_closed = false;
    bool watched = false;    // was registered with the poller
    bool lost_early = false; // it never got as far as the daemon's hands
    Instant shut_at = -1;    // when the daemon said it would write no more
    Instant closed_at = -1;
    std::uint64_t read_when_shut = 0; // bytes the daemon had read by then

    bool read_told = false;     // an edge was raised and would_block not seen since
    bool write_blocked = false; // would_block was answered and room has not been told since
    bool write_owed = false;    // room was told (or some bytes not taken), and no write came since
    bool no_buffers = false;    // ENOBUFS was answered: no edge will come, only time helps
};

struct Door {
    int fd = -1;
    bool datagram = false;
    std::deque<LinkId> backlog;
    std::size_t backlog_max = 0;
    std::deque<std::pair<SocketAddress, std::string>> datagrams;
    bool read_told = false;
    Instant waiting_since = 0; // the head of the backlog could have been accepted since
    SocketAddress address;
};

} // namespace roomd::sim
