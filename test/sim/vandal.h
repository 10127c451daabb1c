// Vandal — a connection that means no good: HTTP, TLS, noise, impossible lengths, half a payload,
// silence, sudden resets.
//
// Asks nothing of the daemon but that it survives, and that nothing it sent is ever heard by
// anybody.
#pragma once

#include "test/sim/caller.h"
#include "test/sim/ledger.h"

#include <string>

namespace roomd::sim {

class Vandal final : public Caller {
public:
    Vandal(World& world, Ledger& ledger, Random random, std::string address, SocketAddress from,
           bool sniffed);

    void begin(Instant delay) { next_turn(delay); }

    void settle() { settling_ = true; }

private:
    void on_turn() override;

    void on_bytes(std::string_view /*bytes*/) override {}

    void on_hangup(Hangup /*how*/) override {}

    [[nodiscard]] std::string rubbish();

    Ledger* ledger_;
    Random random_;
    std::string address_;
    SocketAddress from_;
    bool sniffed_; // the listener tells framings apart by the first byte
    std::size_t turns_left_;
    bool settling_ = false;
};

} // namespace roomd::sim
