// EventLoop — the single thread in which everything happens.
//
// Owns the poller, the timers and the table of watchers; owns no peers and knows no bytes. A tick
// is these steps in this order, and only signal handlers run beside them:
//
//     wait -> now() -> what the last tick requeued -> edges -> due timers -> tick-end hook
//
// now() is the clock as it was after the wait; what all of a tick sees. The clock is read once more
// before the next wait, for last_tick() and the wait's length.
//
// Invariants:
//   * an edge reaches the watcher it was raised for or nobody (slot and generation)
//   * never sleeps while something is requeued, or while the hook answered `busy`
//   * what is requeued during a tick waits for the next; what is due and does not fit in
//     timers_per_tick_max too
//   * watchers are borrowed: whoever watches must forget before dying
#pragma once

#include "reactor/poller.h"
#include "reactor/slot_map.h"
#include "reactor/time.h"
#include "reactor/timer_heap.h"

#include <cstdint>
#include <vector>

namespace roomd {

/// The loop's own note about a watcher: what it is to hear in the next tick.
class Requeued {
    friend class EventLoop;
    Ready ready_ = Ready::none;
};

class Watcher {
public:
    /// May watch, forget (itself too) and requeue; must not destroy a watcher that is still
    /// watched.
    virtual void on_ready(Ready ready) = 0;

    Requeued requeued; // here and not in the loop's table: eight bytes less for each connection

protected:
    ~Watcher() = default;
};

enum class Activity : std::uint8_t { idle, busy };

class TickEnd {
public:
    /// The tick's last act. `busy`: there is work left, do not sleep before the next tick.
    virtual Activity on_tick_end() = 0;

protected:
    ~TickEnd() = default;
};

class EventLoop {
public:
    /// Throws std::system_error.
    EventLoop();
    ~EventLoop() = default;
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    EventLoop(EventLoop&&) = delete;
    EventLoop& operator=(EventLoop&&) = delete;

    /// Registers `fd` for its whole life. Throws std::system_error (EPERM: a regular file). O(1).
    [[nodiscard]] Key watch(int fd, Interest interest, Watcher& watcher);
    /// Before `fd` is closed. An unknown key is a no-op.
    void forget(Key key, int fd);

    /// Calls on_ready(ready) in the next tick, without the kernel: a budget ran out before
    /// would_block, or reading was resumed. Several calls for one key are one, with the bits
    /// together. O(1).
    void again(Key key, Ready ready) { requeue(requeued_, key, ready); }

    /// The same for a watcher that has found this tick's budget spent by others: in the next tick
    /// it comes before those of again(), or these would spend that one, too.
    void again_first(Key key, Ready ready) { requeue(left_out_, key, ready); }

    /// Fires once, not before `delay` has passed since now(). O(log n).
    [[nodiscard]] TimerKey after(Duration delay, Timed& timed);
    /// A fired or unknown key is a no-op. O(1).
    void cancel(TimerKey key);

    /// Monotonic, sampled once a tick. Before the first tick: when the loop was made.
    [[nodiscard]] TimePoint now() const { return now_; }

    /// Exactly one hook, before run().
    void at_tick_end(TickEnd& hook);

    /// Until stop(). The tick in which stop() is called is finished.
    void run();

    void stop() { stopping_ = true; }

    [[nodiscard]] bool stopping() const { return stopping_; }

    /// After a stop(): run() works again.
    void go_on() { stopping_ = false; }

    /// One tick that waits at most `longest` (none: as long as it takes). For tests and the
    /// simulator.
    void tick(std::optional<Duration> longest);

    [[nodiscard]] std::uint64_t ticks() const { return ticks_; }

    /// How long the tick before this one took, from the end of its wait to the end of its hook, and
    /// when it ended. Of the first tick: nothing, and when the loop was made.
    [[nodiscard]] Duration last_tick() const { return last_tick_; }

    [[nodiscard]] TimePoint last_tick_ended() const { return ended_; }

    [[nodiscard]] std::size_t watched() const { return watchers_.size(); }

private:
    [[nodiscard]] std::optional<Duration> time_to_wait(std::optional<Duration> longest);
    void dispatch(const Edge& edge);
    void requeue(std::vector<Key>& list, Key key, Ready ready);
    void take_requeued(std::vector<Key>& list);

    Poller poller_;
    SlotMap<Watcher*> watchers_;
    TimerHeap timers_;
    std::vector<Key> left_out_; // by others; they come first
    std::vector<Key> requeued_;
    std::vector<Edge> running_; // the requeued of this tick; kept for its capacity
    TickEnd* hook_ = nullptr;
    TimePoint now_;
    TimePoint ended_; // the tick before this one, or this one once its wait has begun
    Duration last_tick_{};
    std::uint64_t ticks_ = 0;
    bool busy_ = false;
    bool stopping_ = false;
};

} // namespace roomd
