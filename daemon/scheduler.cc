#include "daemon/scheduler.h"

#include <algorithm>
#include <utility>

namespace roomd {

void Scheduler::wait_turn(Key session, Share& share, bool goes_on) {
    if (share.place == Share::Place::none) {
        share.place = Share::Place::turn;
        // Less than a turn is owed by whoever has just been read.
        const bool had_some = goes_on || running_ == &share || share.credit <= -quantum;
        (had_some ? ready_ : fresh_).push_back(session);
    }
}

void Scheduler::wait_to_speak(Key session, Share& share) {
    if (share.place == Share::Place::none) {
        share.place = Share::Place::speech;
        throttled_.push_back(session);
    }
}

// By turns from all queues: those who may speak again do not hold up those who only ask, nor the
// other way round.
void Scheduler::run(Turns& turns) {
    const bool in_vain = std::exchange(ready_waited_, !ready_.empty());
    if (in_vain && !ready_.empty() && budget_->left()) { // the last tick had time for others only
        run_first(ready_, turns);
    }
    while (budget_->left() && pending(turns)) {
        if (!throttled_.empty() && turns.may_speak()) {
            run_first(throttled_, turns);
        }
        if (budget_->left()) {
            run_next(turns);
        }
    }
}

void Scheduler::run_next(Turns& turns) {
    if (!fresh_.empty() && (ready_.empty() || !budget_->nearly_spent())) {
        run_first(fresh_, turns);
    } else if (!ready_.empty()) {
        run_first(ready_, turns);
    }
}

void Scheduler::run_first(std::deque<Key>& queue, Turns& turns) {
    ready_waited_ = ready_waited_ && &queue != &ready_;
    const Key key = queue.front();
    queue.pop_front();
    Share* const share = turns.share_of(key);
    if (share == nullptr) {
        return;
    }
    share->place = Share::Place::none;
    share->asked = tick_;
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
