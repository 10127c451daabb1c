#include "daemon/scheduler.h"

#include <algorithm>

namespace roomd {

void Scheduler::wait_turn(Key session, Share& share) {
    if (share.place == Share::Place::none) {
        share.place = Share::Place::ready;
        ready_.push_back(session);
    }
}

void Scheduler::wait_to_speak(Key session, Share& share) {
    if (share.place == Share::Place::none) {
        share.place = Share::Place::throttled;
        throttled_.push_back(session);
    }
}

// By turns from both queues: those who may speak again do not hold up those who only ask, nor the
// other way round.
void Scheduler::run(Turns& turns) {
    while (budget_->left() && pending(turns)) {
        if (!throttled_.empty() && turns.may_speak()) {
            run_first(throttled_, turns);
        }
        if (!ready_.empty() && budget_->left()) {
            run_first(ready_, turns);
        }
    }
}

void Scheduler::run_first(std::deque<Key>& queue, Turns& turns) {
    const Key key = queue.front();
    queue.pop_front();
    Share* const share = turns.share_of(key);
    if (share == nullptr) {
        return;
    }
    share->place = Share::Place::none;
    // What a tick's end has left of its last turn it keeps: it waits for nobody's sake but others'.
    share->credit = std::min(share->credit, quantum) + quantum;
    spend(*share, turn_units);
    if (share->credit <= 0) { // its last command has cost several turns
        wait_turn(key, *share);
        return;
    }
    running_ = share;
    running_speaker_ = &queue == &throttled_;
    turns.run_turn(key);
    running_ = nullptr;
    running_speaker_ = false;
}

} // namespace roomd
