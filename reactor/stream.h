// Stream — one non-blocking stream socket: descriptor, unparsed input, unsent output.
//
// Owned by its StreamOwner's owner; borrowed by the event loop. Reads until the kernel has no more
// (or the tick's budget is spent), writes only at the tick's end, and never inside send(). Knows
// bytes, no messages.
//
//            close_after_flush           all written          peer closed | owner's patience
//   open ───────────────────────▶ draining ──────────▶ lingering ──────────────────▶ closed
//     └──────── close_now | reset ──────┴──────────────────┴────────────────────────────▲
//
// Lingering: our side is shut for writing and what still comes is thrown away, because closing
// with unread input would make the kernel reset the connection and destroy the goodbye. How long
// that may last is the owner's to say (close_now).
//
// Invariants (check()): closed has no descriptor, no key, no bytes; a stream in the flush list is
// there once; what was read stays until the owner consumes it. Once reading is paused or its
// budget spent, the stream requeues itself: under edge triggering nobody else would.
#pragma once

#include "reactor/arena.h"
#include "reactor/event_loop.h"
#include "reactor/fd.h"
#include "reactor/flush_list.h"
#include "reactor/io_result.h"
#include "reactor/out_queue.h"
#include "reactor/ring_buffer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

class Stream;

enum class StreamEnd : std::uint8_t {
    finished, // everything was written, and the peer has closed too
    reset,    // the connection broke
    stalled,  // the kernel gave up a peer that took nothing although something waited
              // (TCP_USER_TIMEOUT)
    aborted   // close_now(): we did not wait
};

class StreamOwner {
public:
    /// Bytes were added to input(). Consume what is complete; the rest stays. May send, pause,
    /// close.
    virtual void on_input(Stream& stream) = 0;
    /// The peer will send no more; input() holds what is left. It may still read.
    virtual void on_end_of_input(Stream& stream) = 0;
    /// A notice is about to be sent: append its bytes to `out`.
    virtual void write_notice(Stream& stream, const std::vector<Lost>& lost, std::string& out) = 0;
    /// The queue has become empty, or shorter by a flush. Called at the tick's end.
    virtual void on_flushed(Stream& stream) = 0;
    /// Exactly once. The descriptor is closed; do not destroy the stream before the tick's end has
    /// buried it.
    virtual void on_closed(Stream& stream, StreamEnd end) = 0;

protected:
    ~StreamOwner() = default;
};

/// How far a stream is, apart from closed.
enum class StreamPhase : std::uint8_t { open, draining, lingering };

/// What a stream holds besides descriptor and queue, to be continued by another process.
struct StreamSaved {
    StreamPhase phase = StreamPhase::open;
    bool input_ended = false;
    bool write_failed = false;            // the kernel has told why, and tells it once
    bool peer_finished = false;           // before that
    std::string_view input = {};          // as read, not consumed
    std::optional<Duration> blocked = {}; // how long the kernel has taken nothing
};

/// What all streams of one program share; lives longer than they do.
struct StreamHost {
    EventLoop& loop;
    Arena& arena;
    FlushList& flush_list;
    BlockPool blocks = {};
    std::uint32_t read_bytes_per_tick_max = 64 * 1024;
    std::uint32_t flush_bytes_per_tick_max = 256 * 1024;
    /// What may still be read in this tick, over all streams: bytes, and read_call_cost for each
    /// call. The owner fills it up; who finds it spent is read in the next tick, before those who
    /// were read in this one.
    std::int64_t read_cost_left = INT64_MAX;
    /// The same beside it, for one read of first_read_bytes by each stream that has not been put
    /// off: who sends little does not wait for the many who have sent much.
    std::int64_t first_read_cost_left = 0;
    static constexpr std::size_t first_read_bytes = 4096;
    static constexpr std::int64_t read_call_cost = 4096;
    /// What closing a stream takes of both: most is read once more before it is closed.
    static constexpr std::int64_t close_cost = 8192;
    /// What the read has brought of which on_input() is being told; 0 if it is told for another
    /// reason. So its owner can charge whoever has sent it, and nobody for what others have.
    std::size_t bytes_just_read = 0;
    std::string scratch = {}; // for notices
    // counters
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t read_calls = 0;
    std::uint64_t write_calls = 0;

    /// What all streams hold for input that nobody has parsed yet: whole buffers, not bytes in
    /// them.
    [[nodiscard]] std::uint64_t input_bytes_held() const { return blocks.ring_bytes(); }
};

class Stream final : public Watcher {
public:
    /// Takes a connected (or connecting) non-blocking socket and watches it. Throws
    /// std::system_error when the poller is full.
    Stream(StreamHost& host, Fd fd, StreamOwner& owner);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    Stream(Stream&&) = delete;
    Stream& operator=(Stream&&) = delete;

    /// Copies into the queue; written at a tick's end, before what all hear is written to others.
    /// Ignored once closing.
    void send(std::string_view bytes);
    /// What others have sent to this peer alone: it is none of its answers.
    void send_direct(std::string_view bytes);
    /// Queues a window of a shared chunk; written when its turn comes. Ignored once closing.
    void send(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to);

    [[nodiscard]] RingBuffer& input() { return input_; }

    [[nodiscard]] const OutQueue& output() const { return output_; }

    /// Drops the oldest unsent units, see OutQueue::drop_oldest.
    Dropped drop_oldest(std::uint32_t bytes_left);

    /// No reading until resumed; the owner is not called for input meanwhile.
    void pause_reading() { reading_paused_ = true; }

    /// Also calls on_input() next tick if bytes wait that were read before the pause.
    void resume_reading();

    [[nodiscard]] bool reading_paused() const { return reading_paused_; }

    /// on_input() again next tick: the owner stopped before it was done.
    void requeue_input();

    /// The owner stopped before it was done and will requeue_input() once it can go on; until then
    /// nothing more is read.
    void hold_input() { input_pending_ = true; }

    /// No more is taken in or read for the owner; what is queued is written, then shut, then
    /// lingered. Idempotent.
    void close_after_flush();
    /// At once; queued bytes are lost. Idempotent.
    void close_now(StreamEnd end = StreamEnd::aborted);

    /// Writes until empty, blocked or out of budget (then it is in the list again). Called by the
    /// flush list. Returns what it cost, in bytes, see FlushList::call_cost.
    std::uint64_t flush();

    [[nodiscard]] bool open() const { return state_ == State::open; }

    [[nodiscard]] bool closed() const { return state_ == State::closed; }

    [[nodiscard]] bool lingering() const { return state_ == State::lingering; }

    /// The kernel takes no more for now, as far as its last edge tells.
    [[nodiscard]] bool blocked() const { return blocked_ && !writable_; }

    /// Since when nothing was taken although something waited; only meaningful while blocked(). The
    /// kernel says that it has room long after the peer began to read (Linux: when a third of the
    /// buffer is free), so whoever judges a peer by this asks bytes_taken() now and then, and says
    /// note_progress().
    [[nodiscard]] TimePoint blocked_since() const { return blocked_since_; }

    /// The bytes that the kernel has taken since the stream was made, and those of them that the
    /// peer's end has taken too. Both go round at 2^32; their differences count. One system call.
    [[nodiscard]] std::uint32_t bytes_written() const { return bytes_written_; }

    [[nodiscard]] std::uint32_t bytes_taken() const;

    /// The peer was seen to take something, or it is not its fault: blocked_since() is now.
    void note_progress() { blocked_since_ = host_->loop.now(); }

    [[nodiscard]] int fd() const { return fd_.get(); }

    [[nodiscard]] bool input_ended() const { return input_ended_; }

    /// Nothing can be written any more. It closes by itself when all that came has been heard.
    [[nodiscard]] bool broken() const { return write_failed_; }

    /// What release() leaves behind. Not when closed. The view is valid until the input changes.
    [[nodiscard]] StreamSaved saved();
    /// Gives the descriptor up, open, and forgets everything: closed, but the owner is not told.
    [[nodiscard]] Fd release();
    /// Right after the construction: goes on where another process has stopped. What kernel and
    /// owner have to be asked is asked in the next tick.
    void continue_from(const StreamSaved& saved);
    /// The next window of its queue, see OutQueue::restore(). After continue_from().
    void restore_output(ChunkRef chunk, std::uint32_t from, std::uint32_t to);

    void on_ready(Ready ready) override;
    void check() const;

private:
    friend class FlushList;
    enum class State : std::uint8_t { open, draining, lingering, closed };

    void read();
    void end_input();
    void note_end();
    void charge_close();
    void charge_growth(std::size_t held, std::uint64_t bytes_read);
    void read_and_discard();
    void after_flush();
    [[nodiscard]] StreamEnd end_of(const IoResult& failure) const;
    void write_failed(const IoResult& failure);
    void dirty(Urgency urgency);
    void resolve_notices();
    /// How many bytes may be read now, of `budget`; 0: later.
    [[nodiscard]] std::size_t read_bytes_now(std::size_t budget) const;
    void put_off(std::size_t budget);
    /// At most `most` bytes, at the cost of that budget.
    [[nodiscard]] IoResult read_once(std::size_t most, std::int64_t& cost_left);
    /// One call's worth. False: no more for now.
    [[nodiscard]] bool write_once(std::size_t budget, std::size_t& written);

    // Small ones first: they fit behind what a watcher has.
    State state_ = State::open;
    Urgency urgency_ = Urgency::bulk; // the flush list's, as are place and to_flush_
    bool to_flush_ : 1 = false;
    bool blocked_ : 1 = false;       // the last write met would_block
    bool writable_ : 1 = false;      // an edge came since
    bool readable_ : 1 = false;      // an edge came and would_block has not been met since
    bool put_off_ : 1 = false;       // sends more than a first read, and waits for its turn
    bool input_pending_ : 1 = false; // the owner has not been shown all of input_
    bool reading_paused_ : 1 = false;
    bool input_ended_ : 1 = false;
    bool write_failed_ : 1 = false;
    bool peer_finished_ : 1 = false;       // before the write failed; the end is still to be read
    StreamEnd failure_ = StreamEnd::reset; // of the write
    Fd fd_;
    StreamHost* host_;
    StreamOwner* owner_;
    Key key_;
    RingBuffer input_;
    OutQueue output_;
    TimePoint blocked_since_{};
    std::uint32_t flush_place_ = 0; // in the flush list, if to_flush_
    std::uint32_t bytes_written_ = 0;
};

} // namespace roomd
