#include "reactor/event_loop.h"

#include "reactor/sys.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace roomd {

namespace {
// A herd of timers with one deadline (a restart's first minute) must not hold up the sockets: what
// does not fit fires in the next tick, which does not sleep.
constexpr std::size_t timers_per_tick_max = 256;
} // namespace

EventLoop::EventLoop() : now_(sys::monotonic_now()), ended_(now_) {}

Key EventLoop::watch(int fd, Interest interest, Watcher& watcher) {
    const Key key = watchers_.insert(&watcher);
    watcher.requeued.ready_ = Ready::none;
    try {
        poller_.add(fd, interest, key);
    } catch (...) {
        watchers_.erase(key);
        throw;
    }
    return key;
}

void EventLoop::forget(Key key, int fd) {
    if (watchers_.find(key) != nullptr) {
        poller_.remove(fd);
        watchers_.erase(key);
    }
}

void EventLoop::requeue(std::vector<Key>& list, Key key, Ready ready) {
    Watcher* const* const found = watchers_.find(key);
    if (found == nullptr) {
        return;
    }
    Watcher& watcher = **found;
    if (watcher.requeued.ready_ == Ready::none) {
        list.push_back(key);
    }
    watcher.requeued.ready_ = watcher.requeued.ready_ | ready;
}

TimerKey EventLoop::after(Duration delay, Timed& timed) {
    return timers_.add(now_ + std::max(delay, Duration::zero()), timed);
}

void EventLoop::cancel(TimerKey key) {
    timers_.cancel(key);
}

void EventLoop::at_tick_end(TickEnd& hook) {
    assert(hook_ == nullptr);
    hook_ = &hook;
}

void EventLoop::run() {
    while (!stopping_) {
        tick(std::nullopt);
    }
}

void EventLoop::tick(std::optional<Duration> longest) {
    if (ticks_ > 0) {
        ended_ = sys::monotonic_now();
        last_tick_ = ended_ - now_;
    }
    const std::span<const Edge> edges = poller_.wait(time_to_wait(longest));
    now_ = sys::monotonic_now();
    ++ticks_;
    take_requeued(left_out_); // what is requeued from here on waits for the next tick
    take_requeued(requeued_);
    // First those whom the tick before has left out, then those whom the kernel names: otherwise
    // newcomers could use up each tick's budgets, and the same ones be left out each time.
    for (const Edge& edge : running_) {
        dispatch(edge);
    }
    for (const Edge& edge : edges) {
        dispatch(edge);
    }
    running_.clear();
    timers_.fire(now_, timers_per_tick_max);
    busy_ = hook_ != nullptr && hook_->on_tick_end() == Activity::busy;
}

std::optional<Duration> EventLoop::time_to_wait(std::optional<Duration> longest) {
    if (busy_ || stopping_ || !left_out_.empty() || !requeued_.empty()) {
        return Duration::zero();
    }
    const std::optional<TimePoint> deadline = timers_.next();
    if (!deadline) {
        return longest;
    }
    // From when the last tick ended: its beginning would make this wait as long again as it took.
    const Duration left = std::max(*deadline - ended_, Duration::zero());
    return longest ? std::min(left, *longest) : left;
}

void EventLoop::dispatch(const Edge& edge) {
    Watcher* const* const found = watchers_.find(edge.key);
    if (found != nullptr) { // else: raised for somebody who is gone
        (*found)->on_ready(edge.ready);
    }
}

void EventLoop::take_requeued(std::vector<Key>& list) {
    for (const Key key : list) {
        Watcher* const* const found = watchers_.find(key);
        if (found != nullptr) {
            running_.push_back({key, std::exchange((*found)->requeued.ready_, Ready::none)});
        }
    }
    list.clear();
}

} // namespace roomd
