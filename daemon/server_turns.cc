#include "daemon/server.h"

#include <utility>

// Who may speak when, while more is to be said than a tick takes.
namespace roomd {

namespace {

// The round after this one; 0 is none.
std::uint32_t round_after(std::uint32_t round) {
    return round == UINT32_MAX ? 1 : round + 1;
}

} // namespace

bool Server::must_send_first() const {
    return hub_.bytes_said() > config_.limits.said_bytes_per_tick_max ||
           arena_.bytes_pinned() > config_.limits.pinned_bytes_max;
}

// While a tick cannot take all that is to be said, those who had to wait go first, round by round:
// newcomers get into the next round. Otherwise whoever the kernel happens to name first would speak
// each time, and others never.
bool Server::may_speak(Turn& turn) {
    const auto tick = static_cast<std::uint32_t>(loop_.ticks());
    const bool speaking = turn.tick == tick;
    // Rounds go round: the difference tells which is earlier.
    const bool its_turn = turn.round != 0 && static_cast<std::int32_t>(turn.round - round_) <= 0;
    const bool must_wait = must_send_first();
    if (must_wait && hub_.bytes_said() > config_.limits.said_bytes_per_tick_max) {
        counters_.hit(Limit::said_bytes_per_tick_max);
    }
    if (must_wait || (others_wait_ && !speaking && !its_turn)) {
        refused_ = true;
        refused_in_turn_ = refused_in_turn_ || (its_turn && !speaking);
        turn.round = its_turn && !speaking ? turn.round : round_after(round_);
        return false;
    }
    turn = {tick, 0};
    return true;
}

void Server::speak_later(Session& session) {
    waiting_.push_back(session.key());
}

// As long as nobody at all could speak, those who wait are not asked again and cost a tick nothing,
// however many they are; and the round is still the same.
void Server::give_turns() {
    others_wait_ = refused_;
    if (must_send_first()) {
        return;
    }
    refused_ = false;
    round_ = std::exchange(refused_in_turn_, false) ? round_ : round_after(round_);
    for (const Key key : waiting_) {
        if (std::unique_ptr<Session>* const session = sessions_.find(key); session != nullptr) {
            (*session)->speak_again();
        }
    }
    waiting_.clear();
}

} // namespace roomd
