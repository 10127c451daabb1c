// FlushList — the streams that have something to write, walked at the tick's end.
//
// Owned by whoever owns the streams; borrows them. A stream is in it at most once; a stream that
// closes leaves it. Two queues, first in, first out: `urgent` for streams that have an answer of
// their own to give, `bulk` for those that only have what others hear too. A walk ends when its
// budget is spent, so a tick is bounded however many hear a message; the rest goes first in the
// next tick. Urgent ones go first, but use at most half of a budget while others wait.
//
// Streams that the kernel refused for want of memory (no edge will follow) are tried again by a
// timer.
#pragma once

#include "reactor/event_loop.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace roomd {

class Stream;

enum class Urgency : std::uint8_t { bulk, urgent };

class FlushList final : public Timed {
public:
    explicit FlushList(EventLoop& loop) : loop_(&loop) {}

    ~FlushList();
    FlushList(const FlushList&) = delete;
    FlushList& operator=(const FlushList&) = delete;
    FlushList(FlushList&&) = delete;
    FlushList& operator=(FlushList&&) = delete;

    /// Joins once; who is in bulk and becomes urgent changes over. O(1).
    void add(Stream& stream, Urgency urgency);
    /// O(1); a no-op when absent.
    void remove(Stream& stream);
    /// Tries `stream` again in a few milliseconds.
    void retry_later(Stream& stream);

    /// Flushes each once, oldest first, until about `cost_max` is spent: bytes written, and
    /// call_cost for each call. `busy`: some have bytes left that the kernel might take.
    [[nodiscard]] Activity flush_some(std::uint64_t cost_max);

    [[nodiscard]] Activity flush_all() { return flush_some(UINT64_MAX); }

    /// The last walk was ended by its budget.
    [[nodiscard]] bool cut_short() const { return cut_short_; }

    [[nodiscard]] std::size_t size() const { return urgent_.alive + bulk_.alive; }

    /// The ends of both queues at one moment.
    struct Mark {
        std::uint32_t urgent = 0;
        std::uint32_t bulk = 0;
    };

    [[nodiscard]] Mark mark() const { return {urgent_.end(), bulk_.end()}; }

    /// Whoever was in the list at that moment has been flushed, or has left, since.
    [[nodiscard]] bool passed(Mark mark) const {
        // Places wrap around: the difference tells which is further.
        return static_cast<std::int32_t>(urgent_.begin() - mark.urgent) >= 0 &&
               static_cast<std::int32_t>(bulk_.begin() - mark.bulk) >= 0;
    }

    void on_timer(TimerKey key) override;

    /// A system call that moves next to nothing takes as long as moving so many bytes more
    /// (measured on loopback: 2 us a call, 0.25 ns a byte).
    static constexpr std::uint64_t call_cost = std::uint64_t{8} * 1024;

private:
    struct Queue {
        std::vector<Stream*> streams; // nullptr: left meanwhile
        std::size_t head = 0;         // what is before it has been flushed
        std::uint32_t first = 0;      // the place of streams[0]; places go up and wrap around
        std::size_t alive = 0;

        [[nodiscard]] std::uint32_t begin() const {
            return first + static_cast<std::uint32_t>(head);
        }

        [[nodiscard]] std::uint32_t end() const {
            return first + static_cast<std::uint32_t>(streams.size());
        }
    };

    [[nodiscard]] Queue& queue_of(Urgency urgency) {
        return urgency == Urgency::urgent ? urgent_ : bulk_;
    }

    [[nodiscard]] static std::uint64_t walk(Queue& queue, std::uint32_t end,
                                            std::uint64_t cost_max);
    static void compact(Queue& queue);

    EventLoop* loop_;
    Queue urgent_;
    Queue bulk_;
    std::vector<Stream*> starved_;
    TimerKey retry_;
    bool cut_short_ = false;
};

} // namespace roomd
