#include "daemon/outbox.h"

#include <algorithm>

namespace roomd {

bool Outbox::drop(std::uint32_t bytes_left) {
    const Dropped dropped = stream_->drop_oldest(bytes_left);
    counters_->messages_dropped += dropped.messages;
    counters_->state_dropped += dropped.state;
    return dropped.any();
}

Outbox::Verdict Outbox::enforce(const Reader& reader) {
    if (!over_hard_limit()) {
        return Verdict::fits;
    }
    if (reader.policy == SlowPolicy::wait) {
        // Its producers wait from the soft limit on: this is all there will be.
        return Verdict::fits;
    }
    if (!stream_->blocked()) {
        return Verdict::not_yet;
    }
    const OutQueue& output = stream_->output();
    counters_->hit(output.bytes() > limits_->queue_bytes_max ? Limit::queue_bytes_max
                                                             : Limit::queue_entries_max);
    if (!may_drop(reader)) {
        return Verdict::close;
    }
    // Half of what waits, so that this is not done again for every message; and on until the
    // entries fit too: many small pieces may be few bytes.
    std::uint32_t left = std::min(limits_->queue_bytes_max, output.bytes()) / 2;
    while (drop(left) && over_hard_limit()) {
        left /= 2;
    }
    return over_hard_limit() ? Verdict::close : Verdict::dropped; // what remains is for it alone
}

Outbox::Verdict Outbox::shorten(const Reader& reader) {
    counters_->hit(Limit::queue_soft_bytes);
    if (!reader.can_be_told) {
        return Verdict::close;
    }
    drop(limits_->queue_soft_bytes / 2);
    return Verdict::dropped;
}

Outbox::Verdict Outbox::shed(const Reader& reader) {
    // It goes in any case, or the memory would stay; a reader that must not lose anything loses the
    // connection with it, and hears in a last gap what that was.
    if (may_drop(reader)) {
        return drop(0) ? Verdict::dropped : Verdict::close;
    }
    static_cast<void>(stream_->drop_oldest(0)); // not counted: it is no reader any more
    return Verdict::close;
}

} // namespace roomd
