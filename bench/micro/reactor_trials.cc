// What moving bytes costs before the kernel sees them: queues, rings, timers.
#include "bench/micro/trial.h"
#include "reactor/arena.h"
#include "reactor/out_queue.h"
#include "reactor/ring_buffer.h"
#include "reactor/timer_heap.h"

#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace roomd::bench::micro {

namespace {

constexpr std::size_t timers_kept = 100'000;
constexpr std::size_t pieces_max = 64; // as many as a Stream gathers, or more

/// What a Stream does at a tick's end when the kernel takes everything.
void send_all(OutQueue& queue) {
    std::array<iovec, pieces_max> pieces{};
    const std::size_t count = queue.gather(pieces, SIZE_MAX);
    keep(count);
    queue.consume(queue.bytes());
}

/// A chunk with `units` messages.
ChunkRef chunk_of(Arena& arena, std::uint32_t units) {
    const std::string text(64, 'x');
    ChunkRef chunk = arena.make(ChunkKind::shared, Arena::chunk_bytes_max, LabelRef("lobby"));
    for (std::uint32_t unit = 0; unit < units; ++unit) {
        chunk->append(text);
        chunk->mark(0, unit + 1);
    }
    return chunk;
}

/// A tick's run, pushed in so many windows, one behind the other.
void push_windows(Trial& trial, std::uint32_t windows) {
    Arena arena;
    const ChunkRef chunk = chunk_of(arena, windows);
    OutQueue queue;
    trial.run(windows, [&] {
        for (std::uint32_t window = 0; window < windows; ++window) {
            queue.push(chunk, window * 64, (window + 1) * 64);
        }
        send_all(queue);
    });
    if (!queue.empty()) {
        trial.fail("the queue did not become empty");
    }
}

/// The runs of eight rooms in one tick.
void push_rooms(Trial& trial) {
    Arena arena;
    std::array<ChunkRef, 8> chunks;
    for (ChunkRef& chunk : chunks) {
        chunk = chunk_of(arena, 16);
    }
    OutQueue queue;
    trial.run(chunks.size(), [&] {
        for (const ChunkRef& chunk : chunks) {
            queue.push(chunk, 0, chunk->size());
        }
        send_all(queue);
    });
}

void append_own(Trial& trial) {
    Arena arena;
    const std::string reply(40, 'x');
    OutQueue queue;
    trial.run([&] {
        queue.append(arena, reply);
        send_all(queue);
    });
}

/// One read of so many bytes, all of them parsed.
void fill_and_drain(Trial& trial, std::size_t size) {
    BlockPool pool;
    RingBuffer ring;
    trial.run([&] {
        ring.make_room(pool);
        keep(ring.writable());
        ring.commit(size);
        keep(ring.readable());
        ring.consume(size);
        ring.settle(pool);
    });
    if (ring.size() != 0) {
        trial.fail("the ring did not become empty");
    }
}

/// A read that ends inside a payload, whose rest is kept until the next.
void keep_partial(Trial& trial) {
    constexpr std::size_t size = 4'096;
    constexpr std::size_t rest = 40;
    BlockPool pool;
    RingBuffer ring;
    ring.make_room(pool);
    std::memset(ring.writable()[0].iov_base, 'x', rest);
    ring.commit(rest);
    ring.settle(pool);
    trial.run([&] {
        ring.make_room(pool);
        keep(ring.writable());
        ring.commit(size);
        keep(ring.readable());
        ring.consume(size);
        ring.settle(pool);
    });
    if (ring.size() != rest) {
        trial.fail("the rest was not kept");
    }
}

struct Sleeper final : Timed {
    void on_timer(TimerKey /*key*/) override { ++fired; }

    std::size_t fired = 0;
};

/// 100,000 timers, a millisecond apart but in no order.
class Crowd {
public:
    Crowd() {
        for (std::size_t count = 0; count < timers_kept; ++count) {
            static_cast<void>(heap.add(somewhen(), sleeper));
        }
    }

    /// Within the next 100 s; the same in every run (numbers of Numerical Recipes).
    TimePoint somewhen() {
        state_ = state_ * 1'664'525U + 1'013'904'223U;
        return now + std::chrono::milliseconds((state_ >> 8U) % timers_kept);
    }

    TimerHeap heap;
    Sleeper sleeper;
    TimePoint now{};

private:
    std::uint32_t state_ = 1;
};

void add_and_cancel(Trial& trial) {
    Crowd crowd;
    trial.run([&] { crowd.heap.cancel(crowd.heap.add(crowd.somewhen(), crowd.sleeper)); });
    if (crowd.heap.size() != timers_kept) {
        trial.fail("timers were made or lost");
    }
}

/// The earliest fires, and another is added.
void fire(Trial& trial) {
    Crowd crowd;
    std::size_t wanted = 0;
    trial.run([&] {
        crowd.now = *crowd.heap.next();
        ++wanted;
        static_cast<void>(crowd.heap.fire(crowd.now, 1));
        static_cast<void>(crowd.heap.add(crowd.somewhen(), crowd.sleeper));
    });
    if (crowd.sleeper.fired != wanted) {
        trial.fail("timers did not fire");
    }
}

} // namespace

void add_reactor(Trials& trials) {
    trials.add("queue/push and send a run", [](Trial& trial) { push_windows(trial, 1); });
    trials.add("queue/push a window that continues", [](Trial& trial) { push_windows(trial, 64); });
    trials.add("queue/push and send runs of 8 rooms", push_rooms);
    trials.add("queue/append and send a reply", append_own);
    trials.add("ring/read and parse 64 B", [](Trial& trial) { fill_and_drain(trial, 64); });
    trials.add("ring/read and parse 64 KiB",
               [](Trial& trial) { fill_and_drain(trial, BlockPool::block_bytes); });
    trials.add("ring/read 4 KiB, 40 B stay", keep_partial);
    trials.add("timers/add and cancel beside 100,000", add_and_cancel);
    trials.add("timers/fire and add beside 100,000", fire);
}

} // namespace roomd::bench::micro
