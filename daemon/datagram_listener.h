// DatagramListener — says what arrives by UDP in a room, as a guest named after the sender's
// address.
//
// Owned by the Server. A datagram is one payload; it is never answered, so it cannot amplify
// anything. Whatever is not a message (a command, bad UTF-8, too long) is counted and forgotten.
//
// Where the limits hold, each datagram is metered when it is read, by its source address, before
// anything else is done for it: over the rate it is lost, and counted. What may be said waits in a
// queue of its source (DatagramQueue) and is said by turns, so that one source's flood does not
// keep another's datagrams waiting. Both are bounded a tick.
#pragma once

#include "daemon/budget.h"
#include "daemon/config.h"
#include "daemon/counters.h"
#include "daemon/datagram_queue.h"
#include "daemon/hub.h"
#include "daemon/sources.h"
#include "reactor/event_loop.h"
#include "reactor/fd.h"
#include "reactor/socket_address.h"

#include <cstddef>
#include <vector>

namespace roomd {

/// What it works with; all of it is borrowed.
struct DatagramHost {
    EventLoop& loop;
    const Limits& limits;
    Hub& hub;
    Counters& counters;
    Sources& sources;
    Budget& budget;
    HashKey hash_key;
};

class DatagramListener final : public Watcher {
public:
    /// `spec` and what `host` names must outlive it. Throws std::system_error.
    DatagramListener(Fd fd, const ListenerSpec& spec, const DatagramHost& host);
    ~DatagramListener();
    DatagramListener(const DatagramListener&) = delete;
    DatagramListener& operator=(const DatagramListener&) = delete;
    DatagramListener(DatagramListener&&) = delete;
    DatagramListener& operator=(DatagramListener&&) = delete;

    /// After a reload: the words of the listener have moved.
    void set_spec(const ListenerSpec& spec) { spec_ = &spec; }

    /// What comes while it is muted is counted and forgotten.
    void set_muted(bool muted) { muted_ = muted; }

    [[nodiscard]] int fd() const { return fd_.get(); }

    /// Gives the socket up, open. What is left can only be destroyed.
    [[nodiscard]] Fd release();

    void on_ready(Ready ready) override;

private:
    void take(std::string_view payload, const SocketAddress& sender);
    [[nodiscard]] bool over_rate(bool message, std::size_t bytes, const SourceKey& source);
    void say(const Datagram& datagram);

    const ListenerSpec* spec_;
    DatagramHost host_;
    std::vector<std::byte> buffer_;
    DatagramQueue queue_;
    Fd fd_;
    Key key_;
    bool muted_ = false;
};

} // namespace roomd
