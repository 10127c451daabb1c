// Connector — gets a connected socket from a list of addresses, one after the other.
//
// Owned by the chat; lives until one address answered or all refused. A name often has several
// addresses, of which this machine cannot reach all (::1 without IPv6): each is tried, and what
// each said is kept. Knows no protocol. A socket
// is taken for connected when it has a peer, not when an edge came: edges may be spurious.
#pragma once

#include "reactor/event_loop.h"
#include "reactor/fd.h"
#include "reactor/socket_address.h"

#include <vector>

namespace roomd {

/// What became of one address; `error` is an errno, ETIMEDOUT when it did not answer.
struct FailedAddress {
    SocketAddress address;
    int error;
};

class ConnectorOwner {
public:
    /// Non-blocking and no longer watched.
    virtual void on_connected(Fd fd) = 0;
    /// No address is left; `failures` in the order of trial.
    virtual void on_not_connected(const std::vector<FailedAddress>& failures) = 0;

protected:
    ~ConnectorOwner() = default;
};

class Connector final : public Watcher, public Timed {
public:
    /// `addresses` in the order of trial, not empty; each may take `patience`.
    Connector(EventLoop& loop, std::vector<SocketAddress> addresses, Duration patience,
              ConnectorOwner& owner);
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;
    Connector(Connector&&) = delete;
    Connector& operator=(Connector&&) = delete;

    /// Once. The owner may be told before this returns.
    void begin();

    void on_ready(Ready ready) override;
    void on_timer(TimerKey key) override;

private:
    void try_next();
    void fail(int error);
    void drop();

    EventLoop* loop_;
    ConnectorOwner* owner_;
    std::vector<SocketAddress> addresses_;
    std::vector<FailedAddress> failures_;
    std::size_t tried_ = 0;
    Duration patience_;
    Fd fd_;
    Key key_;
    TimerKey timer_;
};

} // namespace roomd
