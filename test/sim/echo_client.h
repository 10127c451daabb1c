// EchoClient — sends random bytes to an echo listener and wants the same bytes back, all of them if
// it half-closes.
#pragma once

#include "test/sim/caller.h"

#include <string>

namespace roomd::sim {

class EchoClient final : public Caller {
public:
    EchoClient(World& world, Random random, std::string address, SocketAddress from,
               bool may_be_refused);

    void begin(Instant delay) { next_turn(delay); }

    /// Everything came back (or the daemon was told to stop before it could).
    void check_done();

    void expect_stop() { stopping_ = true; }

private:
    void on_turn() override;
    void on_bytes(std::string_view bytes) override;
    void on_hangup(Hangup how) override;

    Random random_;
    std::string address_;
    SocketAddress from_;
    std::string sent_;
    std::size_t heard_ = 0;
    std::size_t turns_left_;
    Instant done_at_ = 0;
    bool dialled_ = false;
    bool done_ = false;
    bool lost_ = false; // broke off by itself
    bool stalled_ever_ = false;
    bool may_be_refused_;
    bool refused_ = false;
    bool stopping_ = false;
};

} // namespace roomd::sim
