// FlushList — the streams that have something to write, walked once at the tick's end.
//
// Owned by whoever owns the streams; borrows them. A stream is in it at most once; a stream that
// closes leaves it. Streams whose budget ran out stay for the next tick; those the kernel refused
// for want of memory (no edge will follow) are tried again by a timer.
#pragma once

#include "reactor/event_loop.h"

#include <cstddef>
#include <vector>

namespace roomd {

class Stream;

class FlushList final : public Timed {
public:
    explicit FlushList(EventLoop& loop) : loop_(&loop) {}

    ~FlushList();
    FlushList(const FlushList&) = delete;
    FlushList& operator=(const FlushList&) = delete;
    FlushList(FlushList&&) = delete;
    FlushList& operator=(FlushList&&) = delete;

    /// Joins once; O(1).
    void add(Stream& stream);
    /// O(1); a no-op when absent.
    void remove(Stream& stream);
    /// Tries `stream` again in a few milliseconds.
    void retry_later(Stream& stream);

    /// Flushes each once. `busy`: some have bytes left that the kernel might take.
    [[nodiscard]] Activity flush_all();

    [[nodiscard]] std::size_t size() const { return dirty_.size(); }

    void on_timer(TimerKey key) override;

private:
    EventLoop* loop_;
    std::vector<Stream*> dirty_;   // nullptr: left meanwhile
    std::vector<Stream*> walking_; // those of this tick, kept for its capacity
    std::vector<Stream*> starved_;
    TimerKey retry_;
};

} // namespace roomd
