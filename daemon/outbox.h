// Outbox — the policy for what waits to be sent to one client.
//
// A view of one session's stream, made when it is needed; owns nothing. Limits of a queue are
// judged behind the tick's flush and only where the kernel has refused bytes: what was added in
// this tick is not held against a reader that takes all it is given. Never ends a session itself:
// the verdict says so, and the session decides when that is safe.
#pragma once

#include "daemon/config.h"
#include "daemon/counters.h"
#include "reactor/stream.h"

#include <cstdint>

namespace roomd {

/// What the policy has to know of the reader.
struct Reader {
    bool can_be_told = true;                   // its format has words for a loss
    bool must_not_lose = false;                // a room of slow policy `wait` waits for it
    SlowPolicy policy = SlowPolicy::by_format; // of the room that has filled the queue
};

class Outbox {
public:
    enum class Verdict : std::uint8_t {
        fits,    // nothing to do
        not_yet, // too much, but not all was offered to the kernel: ask after the next flush
        dropped, // the oldest went; the reader will be told
        close    // nothing (more) may be dropped
    };

    Outbox(Stream& stream, const Limits& limits, Counters& counters)
        : stream_(&stream), limits_(&limits), counters_(&counters) {}

    [[nodiscard]] bool over_soft_limit() const {
        return stream_->output().bytes() > limits_->queue_soft_bytes;
    }

    /// What others have said; own answers have a limit of their own, reply_bytes_max.
    [[nodiscard]] bool over_hard_limit() const {
        const OutQueue& output = stream_->output();
        return output.bytes() - output.own_bytes() > limits_->queue_bytes_max ||
               output.entries() > limits_->queue_entries_max;
    }

    /// Behind the flush: what becomes of a queue that is over queue_bytes_max or queue_entries_max.
    /// O(entries + units dropped).
    [[nodiscard]] Verdict enforce(const Reader& reader);

    /// The soft limit was exceeded for too long: down to half of it. `close`: it cannot be told.
    [[nodiscard]] Verdict shorten(const Reader& reader);

    /// Memory is short and this queue was chosen: all that can be dropped goes.
    [[nodiscard]] Verdict shed(const Reader& reader);

private:
    [[nodiscard]] static bool may_drop(const Reader& reader) {
        return reader.can_be_told && !reader.must_not_lose &&
               reader.policy != SlowPolicy::disconnect;
    }

    /// Drops down to `bytes_left` and says whether anything went.
    bool drop(std::uint32_t bytes_left);

    Stream* stream_;
    const Limits* limits_;
    Counters* counters_;
};

} // namespace roomd
