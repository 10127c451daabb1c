#include "test/sim/echo_client.h"

#include <utility>

namespace roomd::sim {

namespace {
// The daemon does not try for ever to get rid of what is left, however slowly it is taken.
constexpr Instant patience = 4 * second;
} // namespace

EchoClient::EchoClient(World& world, Random random, std::string address, SocketAddress from,
                       bool may_be_refused)
    : Caller(world), random_(random), address_(std::move(address)), from_(from),
      turns_left_(random_.skewed(1, 30)), may_be_refused_(may_be_refused) {
    set_pace({random_.one_in(3) ? random_.skewed(1, 300) : 65'536,
              static_cast<Instant>(random_.skewed(1, 2'000)) * microsecond});
}

void EchoClient::on_turn() {
    if (done_ || lost_) {
        return;
    }
    if (!dialled_) {
        dialled_ = true;
        dial(address_, from_);
        next_turn(static_cast<Instant>(random_.skewed(1, 20)) * millisecond);
        return;
    }
    if (turns_left_ == 0) {
        done_at_ = world().now();
        half_close();
        return;
    }
    --turns_left_;
    std::string bytes(random_.skewed(1, 3'000), '\0');
    for (char& byte : bytes) {
        byte = static_cast<char>(random_.below(256));
    }
    sent_ += bytes;
    send(bytes);
    if (random_.one_in(20)) {
        stalled_ever_ = true;
        stall(static_cast<Instant>(random_.skewed(1, 3'000)) * millisecond);
    }
    if (random_.one_in(60)) {
        lost_ = true;
        break_off();
        return;
    }
    next_turn(static_cast<Instant>(random_.skewed(1, 400)) * millisecond);
}

void EchoClient::on_bytes(std::string_view bytes) {
    refused_ = refused_ || (may_be_refused_ && heard_ == 0 && bytes.front() == '!');
    if (refused_) {
        return;
    }
    if (sent_.compare(heard_, bytes.size(), bytes) != 0) {
        world().fail("echo: what came back from byte " + std::to_string(heard_) +
                     " on is not what was sent");
    }
    heard_ += bytes.size();
}

void EchoClient::on_hangup(Hangup how) {
    done_ = true;
    if (how == Hangup::refused || stopping_ || stalled_ever_ || may_be_refused_ ||
        (half_closed() && world().now() - done_at_ > patience)) {
        return;
    }
    if (how == Hangup::reset && heard_ == 0) {
        return; // lost before it was accepted
    }
    if (!half_closed() || heard_ != sent_.size() || how == Hangup::reset) {
        world().fail("echo: closed after " + std::to_string(heard_) + " of " +
                     std::to_string(sent_.size()) + " bytes" +
                     (half_closed() ? "" : ", before the client had finished"));
    }
}

void EchoClient::check_done() {
    if (dialled_ && !done_ && !lost_) {
        world().fail("echo: " + std::to_string(heard_) + " of " + std::to_string(sent_.size()) +
                     " bytes came back, and the connection still stands");
    }
}

} // namespace roomd::sim
