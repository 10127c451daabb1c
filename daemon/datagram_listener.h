// DatagramListener — says what arrives by UDP in a room, as a guest named after the sender's
// address.
//
// Owned by the Server. A datagram is one payload; it is never answered, so it cannot amplify
// anything. Whatever is not a message (a command, bad UTF-8, too long) is counted and forgotten.
#pragma once

#include "daemon/config.h"
#include "daemon/counters.h"
#include "daemon/hub.h"
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
    [[nodiscard]] bool say(std::string_view payload, const SocketAddress& sender);

    const ListenerSpec* spec_;
    DatagramHost host_;
    std::vector<std::byte> buffer_;
    Fd fd_;
    Key key_;
    bool muted_ = false;
};

} // namespace roomd
