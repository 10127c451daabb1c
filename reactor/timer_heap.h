// TimerHeap — deadlines and whom to call, cheap with 100,000 of them.
//
// Owned by the EventLoop. A 4-ary heap of (deadline, key) over a slot map of callees. Cancelling
// forgets the callee in O(1) and leaves its heap entry behind; entries without a callee are
// dropped when they surface, and all at once when they outnumber the living, so memory stays
// within twice what lives.
//
// Invariants (check()): no parent is later than its child; every living timer has exactly one
// entry.
#pragma once

#include "reactor/slot_map.h"
#include "reactor/time.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace roomd {

struct TimerKey {
    Key key;

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(key); }

    friend bool operator==(const TimerKey&, const TimerKey&) = default;
};

class Timed {
public:
    /// Once; the key is dead by now.
    virtual void on_timer(TimerKey key) = 0;

protected:
    ~Timed() = default;
};

class TimerHeap {
public:
    /// O(log n), amortised.
    [[nodiscard]] TimerKey add(TimePoint deadline, Timed& timed);
    /// O(1) amortised; unknown keys are a no-op.
    void cancel(TimerKey key);
    /// The earliest deadline of a living timer. Amortised O(1).
    [[nodiscard]] std::optional<TimePoint> next();
    /// Fires what is due at `now`, at most `count_max`, so callees that add due timers cannot hold
    /// the tick. Returns how many fired.
    std::size_t fire(TimePoint now, std::size_t count_max);

    [[nodiscard]] std::size_t size() const { return callees_.size(); }

    void check() const;

private:
    struct Entry {
        TimePoint deadline;
        Key key;
    };

    void push(Entry entry);
    void pop();
    void sift_down(std::size_t index);
    void drop_cancelled_if_many();

    std::vector<Entry> heap_;
    SlotMap<Timed*> callees_;
};

} // namespace roomd
