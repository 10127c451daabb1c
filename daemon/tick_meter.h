// TickMeter — how long ticks take, and how long what is said takes until all who were to hear it
// had their turn to be sent it; at no cost for a message or a member.
//
// Owned by the Server, fed by its hook. What a tick says is one batch: the time of its tick, the
// number of its messages, and the ends of the flush list when all of it had been handed out. Once
// the list has passed these ends, every reader that takes bytes has been offered them, and the
// batch is done. It is dated with the end of that tick, which the loop knows when the next one
// begins: no clock is read for it.
//
// The last reader counts, for all messages of the tick alike. Readers that the kernel takes nothing
// for are not waited for: what they miss shows in the queues, not here.
#pragma once

#include "daemon/time_histogram.h"
#include "reactor/event_loop.h"
#include "reactor/flush_list.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace roomd {

class TickMeter {
public:
    /// So many messages had been said before this program began to count.
    void begin_at(std::uint64_t messages_said) { said_ = messages_said; }

    /// The tick before this one is over: `loop` knows when and how long. O(batches done).
    void last_tick(const EventLoop& loop) {
        tick_lengths_.add(loop.last_tick());
        if (done_ > 0) {
            settle(loop.last_tick_ended());
        }
    }

    /// So many messages have been said in all; those of this tick, which began at `now`, have been
    /// handed out, and nothing of them was flushed. O(1).
    void handed_out(std::uint64_t messages_said, TimePoint now, FlushList::Mark mark) {
        if (messages_said == said_) {
            return;
        }
        // Full: the last one's time, which is earlier, stands for both.
        Batch& batch = batches_[waiting_ < batches_.size() ? waiting_++ : waiting_ - 1];
        batch.said_at = batch.messages == 0 ? now : batch.said_at;
        batch.messages += messages_said - said_;
        batch.mark = mark;
        said_ = messages_said;
    }

    /// After the flush: which batches are done. O(batches that wait), mostly none or one.
    void flushed(const FlushList& list) {
        while (done_ < waiting_ && list.passed(batches_[done_].mark)) {
            ++done_;
        }
    }

    [[nodiscard]] const TimeHistogram& tick_lengths() const { return tick_lengths_; }

    /// One entry for each message said.
    [[nodiscard]] const TimeHistogram& latencies() const { return latencies_; }

private:
    struct Batch {
        TimePoint said_at;
        std::uint64_t messages = 0; // 0: free
        FlushList::Mark mark;
    };

    void settle(TimePoint end) {
        for (std::size_t index = 0; index < done_; ++index) {
            latencies_.add(end - batches_[index].said_at, batches_[index].messages);
        }
        for (std::size_t index = 0; index < waiting_; ++index) {
            batches_[index] = index + done_ < waiting_ ? batches_[index + done_] : Batch{};
        }
        waiting_ -= done_;
        done_ = 0;
    }

    // Nobody may speak while more than said_bytes_per_tick_max waits, so there are few.
    std::array<Batch, 32> batches_{};
    std::size_t waiting_ = 0; // with those that are done, which are the first
    std::size_t done_ = 0;
    std::uint64_t said_ = 0;
    TimeHistogram tick_lengths_;
    TimeHistogram latencies_;
};

} // namespace roomd
