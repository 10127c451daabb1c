// Connector — gets a connected socket from a list of addresses, one after the other.
//
// Owned by the chat; lives until one address answered or all refused. Knows no protocol. A socket
// is taken for connected when it has a peer, not when an edge came: edges may be spurious.
#pragma once

#include "reactor/event_loop.h"
#include "reactor/fd.h"
#include "reactor/socket_address.h"

#include <vector>

namespace roomd {

class ConnectorOwner {
public:
    /// Non-blocking and no longer watched.
    virtual void on_connected(Fd fd) = 0;
    /// No address is left; `error` is the errno of the last, ETIMEDOUT when it did not answer.
    virtual void on_not_connected(int error) = 0;

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
    void try_next(int error);
    void drop();

    EventLoop* loop_;
    ConnectorOwner* owner_;
    std::vector<SocketAddress> addresses_;
    std::size_t tried_ = 0;
    Duration patience_;
    Fd fd_;
    Key key_;
    TimerKey timer_;
};

} // namespace roomd
