// Admin — the door for whoever runs the daemon: a Unix socket, one command a line.
//
// Owned by main, on the loop of a Server that outlives it. Lets in root and the user the daemon
// runs as, by the credentials the kernel gives (SO_PEERCRED), whatever the file's mode has become;
// others hear why not. What a command means is the Operator's.
//
//     > reload                                 each line of an answer begins with "- "
//     < - applied: limits.rooms_max 10 -> 20
//     < ok reload                              the last with "ok " or "error CODE"
//
// Keeps working when nothing else does: no connection counts against it, and one descriptor is kept
// for it, so that somebody can come in when there are none left. Bounded: connections, bytes of a
// line, bytes of an answer, and how long somebody may say nothing.
#pragma once

#include "daemon/log.h"
#include "daemon/operator.h"
#include "reactor/event_loop.h"
#include "reactor/listener.h"
#include "reactor/stream.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace roomd {

/// What it works with; all of it is borrowed.
struct AdminHost {
    EventLoop& loop;
    StreamHost& streams;
    Operator& orders;
    Log& log;
};

struct AdminRules {
    std::uint32_t user; // whose daemon this is; root may too
    std::size_t connections_max = 8;
    Duration idle_max = std::chrono::seconds(60);
};

class AdminConnection;

class Admin final : public ListenerOwner, public VerdictListener, public Timed {
public:
    /// Throws std::system_error, also if `fd` is no Unix socket.
    Admin(const AdminHost& host, const AdminRules& rules, Fd fd, UnixFile file);
    ~Admin();
    Admin(const Admin&) = delete;
    Admin& operator=(const Admin&) = delete;
    Admin(Admin&&) = delete;
    Admin& operator=(Admin&&) = delete;

    /// The loop has ended: who waits for the end of a drain hears that it has come.
    void finish();

    [[nodiscard]] std::size_t connection_count() const;

    // for its connections
    [[nodiscard]] const AdminHost& host() const { return host_; }

    void on_connection_closed();

    // ListenerOwner
    bool on_accept(Listener& listener, Fd fd, const SocketAddress& peer) override;
    void on_refuse(Listener& listener, const Fd& fd, const SocketAddress& peer) override;
    bool take_last(Listener& listener, Fd& fd, const SocketAddress& peer) override;
    void on_accept_error(Listener& listener, int error) override;
    // VerdictListener
    void on_verdict(Request request, const Verdict& verdict) override;
    // Timed: the second, while somebody is connected
    void on_timer(TimerKey key) override;

private:
    [[nodiscard]] bool may_come_in(const Fd& fd);
    void notice_who_has_gone();

    AdminHost host_;
    AdminRules rules_;
    std::vector<std::unique_ptr<AdminConnection>> connections_;
    Fd spare_; // given up for one who comes when there is no descriptor left
    Listener listener_;
    TimerKey second_;
};

} // namespace roomd
