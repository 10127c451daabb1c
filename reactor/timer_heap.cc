#include "reactor/timer_heap.h"

#include <algorithm>
#include <cassert>

namespace roomd {

namespace {
constexpr std::size_t arity = 4; // flatter than binary: fewer cache lines touched on the way down
constexpr std::size_t compact_min = 64;
} // namespace

TimerKey TimerHeap::add(TimePoint deadline, Timed& timed) {
    const Key key = callees_.insert(&timed);
    push({deadline, key});
    return {key};
}

void TimerHeap::cancel(TimerKey key) {
    callees_.erase(key.key);
    drop_cancelled_if_many();
}

std::optional<TimePoint> TimerHeap::next() {
    while (!heap_.empty() && callees_.find(heap_.front().key) == nullptr) {
        pop();
    }
    if (heap_.empty()) {
        return std::nullopt;
    }
    return heap_.front().deadline;
}

std::size_t TimerHeap::fire(TimePoint now, std::size_t count_max) {
    std::size_t fired = 0;
    // A callee may add a timer that is due at once; it is later than `now` was sampled only by its
    // own choice, so the count, not the clock, bounds this loop.
    while (fired < count_max) {
        const std::optional<TimePoint> deadline = next();
        if (!deadline || *deadline > now) {
            break;
        }
        const Key key = heap_.front().key;
        pop();
        const std::optional<Timed*> timed = callees_.take(key);
        ++fired;
        if (timed) { // always: next() dropped the cancelled ones
            (*timed)->on_timer({key});
        }
    }
    drop_cancelled_if_many(); // fewer live than at the last cancel
    return fired;
}

void TimerHeap::push(Entry entry) {
    std::size_t index = heap_.size();
    heap_.push_back(entry);
    while (index > 0) {
        const std::size_t parent = (index - 1) / arity;
        if (heap_[parent].deadline <= entry.deadline) {
            break;
        }
        heap_[index] = heap_[parent];
        index = parent;
    }
    heap_[index] = entry;
}

void TimerHeap::pop() {
    assert(!heap_.empty());
    heap_.front() = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) {
        sift_down(0);
    }
}

void TimerHeap::sift_down(std::size_t index) {
    const Entry entry = heap_[index];
    while (true) {
        const std::size_t first = index * arity + 1;
        if (first >= heap_.size()) {
            break;
        }
        const std::size_t last = std::min(first + arity, heap_.size());
        std::size_t least = first;
        for (std::size_t child = first + 1; child < last; ++child) {
            if (heap_[child].deadline < heap_[least].deadline) {
                least = child;
            }
        }
        if (heap_[least].deadline >= entry.deadline) {
            break;
        }
        heap_[index] = heap_[least];
        index = least;
    }
    heap_[index] = entry;
}

void TimerHeap::drop_cancelled_if_many() {
    if (heap_.size() < compact_min || heap_.size() < 2 * callees_.size()) {
        return;
    }
    std::erase_if(heap_,
                  [this](const Entry& entry) { return callees_.find(entry.key) == nullptr; });
    if (heap_.empty()) {
        return;
    }
    for (std::size_t index = (heap_.size() - 1) / arity + 1; index-- > 0;) {
        sift_down(index);
    }
}

void TimerHeap::check() const {
    callees_.check();
    std::size_t living = 0;
    for (std::size_t index = 0; index < heap_.size(); ++index) {
        if (index > 0) {
            assert(heap_[(index - 1) / arity].deadline <= heap_[index].deadline);
        }
        living += callees_.find(heap_[index].key) != nullptr ? 1U : 0U;
    }
    assert(living == callees_.size());
    assert(heap_.size() <= std::max(compact_min, 2 * callees_.size()));
}

} // namespace roomd
