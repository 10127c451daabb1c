// Swarm — many connections to one server, on one event loop.
//
// Owned by a run. Opens its peers a few at a time, lets each say who it is, and hands what they
// hear to the load; writes at the tick's end. Knows no messages: what is said and what must be
// heard is the load's business.
//
//   opened ──socket──▶ entering ──the server's last answer──▶ entered ──the peer or we──▶ gone
//
// Invariants: a failure is told once, the first one; nothing is destroyed inside an event.
#pragma once

#include "bench/run.h"
#include "bench/wire.h"
#include "reactor/event_loop.h"
#include "reactor/flush_list.h"
#include "reactor/socket_address.h"
#include "reactor/stream.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::bench {

class Swarm;

/// One connection. Owned by the swarm, at one address for the swarm's life.
class Peer final : public StreamOwner {
public:
    Peer(Swarm& swarm, Role its_role, std::uint32_t its_room, std::uint32_t its_number)
        : role(its_role), room(its_room), number(its_number), swarm_(&swarm) {}

    [[nodiscard]] bool entered() const { return state_ == State::entered; }

    [[nodiscard]] bool gone() const { return state_ == State::gone; }

    /// Only while it is not gone.
    [[nodiscard]] Stream& stream() { return *stream_; }

    void on_input(Stream& stream) override;
    void on_end_of_input(Stream& stream) override;
    void write_notice(Stream& stream, const std::vector<Lost>& lost, std::string& out) override;
    void on_flushed(Stream& stream) override;
    void on_closed(Stream& stream, StreamEnd end) override;

    Role role;
    std::uint32_t room;
    std::uint32_t number;
    std::uint32_t seat = 0; // the load's own index for it

private:
    friend class Swarm;
    enum class State : std::uint8_t { waiting, entering, entered, gone };

    void enter();

    Swarm* swarm_;
    std::optional<Stream> stream_;
    State state_ = State::waiting;
};

/// What is done with the connections. Implemented by each kind of load.
class Listening {
public:
    /// It has entered. May send.
    virtual void on_entered(Peer& peer) = 0;
    /// Takes what it can of `bytes`; returns how many were taken.
    virtual std::size_t on_heard(Peer& peer, std::string_view bytes) = 0;
    /// The server closed it, or it broke.
    virtual void on_gone(Peer& peer) = 0;
    /// The tick's end: what is sent now goes out in this tick.
    virtual void on_tick() = 0;

protected:
    ~Listening() = default;
};

class Swarm final : public TickEnd {
public:
    Swarm(const Server& server, const RunOptions& options, Listening& listening);
    ~Swarm();
    Swarm(const Swarm&) = delete;
    Swarm& operator=(const Swarm&) = delete;
    Swarm(Swarm&&) = delete;
    Swarm& operator=(Swarm&&) = delete;

    /// Another connection, opened when its turn has come.
    Peer& add(Role role, std::uint32_t room, bool acknowledged = false);
    /// Closes the connection and opens it again, under a new number: the server may not have
    /// noticed yet that the old one is gone.
    void open_again(Peer& peer);

    /// Waits for edges (at most `longest`) and handles them.
    void tick(Duration longest) { loop_.tick(longest); }

    /// Ticks until `condition()` holds. False, with a failure, when nothing was heard for as long
    /// as the patience goes, or on Ctrl-C.
    template <typename Condition>
    bool until(Condition condition, const char* what) {
        while (!condition()) {
            tick(step);
            if (!may_go_on(what)) {
                return false;
            }
        }
        return true;
    }

    /// False, with a failure, on Ctrl-C or when something has failed, or when `what` is waited for
    /// and nothing has been heard for too long (nullptr: nothing is).
    bool may_go_on(const char* what);

    void fail(std::string why);

    [[nodiscard]] const std::string& failure() const { return failure_; }

    [[nodiscard]] std::size_t entered() const { return entered_; }

    [[nodiscard]] std::size_t size() const { return peers_.size(); }

    [[nodiscard]] std::deque<Peer>& peers() { return peers_; }

    [[nodiscard]] const Wire& wire() const { return *server_->wire; }

    [[nodiscard]] TimePoint now() const { return loop_.now(); }

    /// A name for the room of this number.
    [[nodiscard]] static std::string room_name(std::uint32_t room) {
        return "bench-" + std::to_string(room);
    }

    Activity on_tick_end() override;

    static constexpr Duration step = std::chrono::milliseconds(20);

private:
    friend class Peer;
    static constexpr std::size_t entering_max = 256; // below every server's backlog

    void open(Peer& peer);
    void open_some();

    const Server* server_;
    const RunOptions* options_;
    Listening* listening_;
    SocketAddress address_;
    EventLoop loop_;
    Arena arena_;
    FlushList flush_list_;
    StreamHost host_;
    std::deque<Peer> peers_;
    std::deque<Peer*> to_open_;
    std::uint32_t numbers_ = 0;
    std::size_t entering_ = 0;
    std::size_t entered_ = 0;
    bool acknowledged_ = false;
    bool closing_ = false;
    TimePoint heard_at_{};
    std::string failure_;
    std::string scratch_;
};

} // namespace roomd::bench
