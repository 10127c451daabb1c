// Caller — one client's connection in the simulated world: dials, sends, reads at its own pace,
// stalls, hangs up.
//
// Knows bytes, no meaning; EchoClient and ChatClient do. Lives as long as the run, because events
// name it. Dials at most once at a time; `life` tells the connections of one caller apart, so that
// an event of an earlier one is dropped.
#pragma once

#include "test/sim/world.h"

#include <string>

namespace roomd::sim {

struct Pace {
    std::size_t take_bytes_max = 65'536; // per look at the socket
    Instant take_pause = 0;              // between two looks
};

enum class Hangup : std::uint8_t { ended, reset, refused };

class Caller : public Peer, public Actor {
public:
    explicit Caller(World& world) : world_(&world) {}

    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    Caller(Caller&&) = delete;
    Caller& operator=(Caller&&) = delete;

    [[nodiscard]] bool connected() const { return link_ != nothing; }

    [[nodiscard]] LinkId link() const { return link_; }

protected:
    ~Caller() = default;

    void dial(const std::string& address, const SocketAddress& from);
    void send(std::string_view bytes);
    void half_close();
    void hang_up();   // an orderly close
    void break_off(); // a reset
    /// Reads nothing for so long; 0 = for ever.
    void stall(Instant length);

    void set_pace(Pace pace) { pace_ = pace; }

    [[nodiscard]] const Pace& pace() const { return pace_; }

    [[nodiscard]] bool stalled() const { return stalled_; }

    /// Nothing comes to the mind of this caller for so long; then on_turn().
    void next_turn(Instant delay) { world_->at(delay, *this, turn, life_); }

    [[nodiscard]] bool half_closed() const { return half_closed_; }

    [[nodiscard]] World& world() const { return *world_; }

    virtual void on_turn() = 0;
    virtual void on_bytes(std::string_view bytes) = 0;
    virtual void on_hangup(Hangup how) = 0;

private:
    static constexpr std::uint32_t turn = 1;
    static constexpr std::uint32_t look = 2;
    static constexpr std::uint32_t wake = 3;

    void on_connected(LinkId link) override;
    void on_refused(LinkId link) override;
    void on_readable(LinkId link) override;
    void on_reset(LinkId link) override;
    void on_event(std::uint32_t what, std::uint64_t argument) override;
    void take();
    void forget();

    World* world_;
    LinkId link_ = nothing;
    std::uint64_t life_ = 0;
    std::uint64_t stalls_ = 0;
    Pace pace_;
    bool stalled_ = false;
    bool looking_ = false; // a look is planned
    bool half_closed_ = false;
};

} // namespace roomd::sim
