#include "daemon/server.h"
#include "daemon/session.h"

#include <algorithm>
#include <utility>

// How long a session may take, for whatever it is that is waited for. One timer for all of it.
namespace roomd {

namespace {

// The timer's longest and shortest step. A patience is counted in steps, so a step is no longer
// than the shortest patience, and a patience may end a step early.
constexpr std::uint32_t step_ms_max = 1000;
constexpr std::uint32_t step_ms_min = 10;

// Bytes that keep coming are progress where a person may be typing, key by key: no more than
// partial_ms_max may lie between two of them, and a line may take so many times longer in all. A
// program sends a frame in one go, so a frame has partial_ms_max in all, however it drips. Before
// its first payload a stranger's line may take so many times first_payload_ms_max.
constexpr std::uint64_t line_patience = 20;
constexpr std::uint64_t first_line_patience = 6;

// Adds to a patience that is running, or starts it anew; says when it is over.
bool run_out(std::uint32_t& waited_ms, bool running, std::uint64_t ms_max, std::uint32_t step_ms) {
    waited_ms = running ? waited_ms + step_ms : 0;
    return running && waited_ms >= ms_max;
}

} // namespace

std::uint32_t Session::step_ms() const {
    const Limits& limits = server_->limits();
    const std::uint32_t shortest =
        std::min({limits.partial_ms_max, limits.first_payload_ms_max, limits.linger_ms_max,
                  limits.stalled_ms_max, limits.queue_soft_ms});
    return std::clamp(shortest, step_ms_min, step_ms_max);
}

void Session::arm() {
    if (patience_ == nullptr) {
        patience_ = std::make_unique<Patience>(*this);
    }
    if (!patience_->timer) {
        patience_->watched = server_->loop().now();
        set_timer();
    }
}

void Session::set_timer() {
    const TimePoint now = server_->loop().now();
    TimePoint deadline = patience_->watched + std::chrono::milliseconds(step_ms());
    if (patience_->flush_at > now) { // what is due already waits for other reasons
        deadline = std::min(deadline, patience_->flush_at);
    }
    server_->loop().cancel(patience_->timer);
    patience_->timer = server_->loop().after(deadline - now, *patience_);
}

// Half a payload waits. Where it is to count as a line after a while, the while begins now.
void Session::arm_for_partial() {
    arm();
    if (patience_->partial_since == TimePoint{}) {
        patience_->partial_since = server_->loop().now();
    }
    if (spec_->flush_ms != 0 && patience_->flush_at == TimePoint{}) {
        patience_->flush_at = server_->loop().now() + std::chrono::milliseconds(spec_->flush_ms);
        set_timer();
    }
}

void Session::on_patience() {
    patience_->timer = {};
    if (stream_.closed()) {
        return;
    }
    server_->tell_time();
    // Time that the whole process stood still is nobody's fault: at most a step is counted.
    const TimePoint now = server_->loop().now();
    const auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - patience_->watched);
    patience_->watched += waited;
    const auto counted = std::min<std::int64_t>(waited.count(), step_ms());
    if (flush_due() && !stream_.reading_paused()) {
        on_input(stream_);
    }
    if (stream_.closed() || !watch(static_cast<std::uint32_t>(counted))) {
        server_->loop().cancel(patience_->timer);
        patience_.reset(); // nothing waits any more
    } else if (!patience_->timer) {
        set_timer();
    }
}

bool Session::flush_due() const {
    return patience_ != nullptr && patience_->flush_at != TimePoint{} &&
           server_->loop().now() >= patience_->flush_at;
}

// The line so far counts as a line. If it has to wait it stays due and is taken when its turn has
// come: it would wait for ever if its time began anew each time.
void Session::flush_line() {
    if (!decoder_.partial(stream_.input().size())) {
        patience_->flush_at = {};
        return;
    }
    hold_ = next_hold();
    if (hold_ != Hold::none) {
        hold_for(hold_);
        return;
    }
    const Decoder before = decoder_;
    if (take_step(decoder_.flush_line(stream_.input().readable())) == Next::held && !ending_) {
        decoder_ = before; // not consumed: it is a line once it is taken
    } else if (patience_ != nullptr) {
        patience_->flush_at = {};
    }
}

// Counts every patience. True while there is something to be patient about.
bool Session::watch(std::uint32_t step_ms) {
    const std::uint32_t taken = look_at_progress();
    if (ending_) {
        return watch_goodbye(step_ms);
    }
    const Limits& limits = server_->limits();
    Counters& counters = server_->counters();
    const bool unsent = !stream_.output().empty();
    if (unsent && has_stalled(limits.stalled_ms_max)) {
        counters.hit(Limit::stalled_ms_max);
        end(CloseReason::slow, "you have read nothing for too long");
        return true;
    }
    if (keeps_waiting(taken, step_ms)) {
        counters.hit(Limit::wait_bytes_per_second_min);
        end(CloseReason::slow, "you read more slowly than others can wait for you");
        return true;
    }
    if (over_soft_limit(step_ms)) {
        return true;
    }
    // Whose turn to speak has not come yet waits for us, not we for it.
    const bool put_off = hold_ == Hold::turn || hold_ == Hold::throttle || hold_ == Hold::meter;
    const bool partial =
        decoder_.partial(stream_.input().size()) && !stream_.reading_paused() && !put_off;
    const bool silent = strangers_ && !heard_ && !put_off;
    if (watch_input(partial, silent, step_ms)) {
        return true;
    }
    return unsent || partial || silent || put_off || patience_->flush_at != TimePoint{};
}

// Half a payload, and a stranger who says nothing: true if one of them has lasted too long.
bool Session::watch_input(bool partial, bool silent, std::uint32_t step_ms) {
    const Limits& limits = server_->limits();
    Counters& counters = server_->counters();
    const bool line = framing() == Framing::line;
    // A step in which bytes came is no quiet one, however late in it they came.
    const bool still = partial && !std::exchange(patience_->fed, false);
    const bool quiet = run_out(patience_->quiet_ms, still, limits.partial_ms_max, step_ms);
    const std::uint64_t whole_ms_max = limits.partial_ms_max * (line ? line_patience : 1);
    if (run_out(patience_->partial_ms, partial, whole_ms_max, step_ms) || quiet) {
        counters.hit(Limit::partial_ms_max);
        end(CloseReason::idle, "what you began to send did not end in time");
        return true;
    }
    const std::uint64_t first_ms_max =
        limits.first_payload_ms_max * (line && partial ? first_line_patience : 1);
    if (run_out(patience_->silent_ms, silent, first_ms_max, step_ms)) {
        counters.hit(Limit::first_payload_ms_max);
        end(CloseReason::idle, "you have said nothing");
        return true;
    }
    return false;
}

// A goodbye is waited for while it makes progress, but not for ever; and then, for a while, the
// peer's own close, so that nothing it still sends destroys what it has not read.
bool Session::watch_goodbye(std::uint32_t step_ms) {
    const Limits& limits = server_->limits();
    const bool unsent = !stream_.output().empty();
    // Who leaves of its own accord may take its answers as slowly as it likes, if it takes them.
    const bool own_wish = reason_ == CloseReason::end || reason_ == CloseReason::quit;
    // Where the kernel would take more, it is our own budget that is slow.
    const std::uint32_t waited_ms = stream_.blocked() ? step_ms : 0;
    const bool over =
        unsent ? run_out(patience_->leaving_ms, !own_wish, limits.stalled_ms_max, waited_ms)
               : run_out(patience_->lingering_ms, true, limits.linger_ms_max, step_ms);
    if (over || (unsent && has_stalled(own_wish ? limits.stalled_ms_max : limits.linger_ms_max))) {
        server_->counters().hit(Limit::linger_ms_max);
        stream_.close_now();
        return false;
    }
    return true;
}

// What the peer has taken since the last look, one step ago. The kernel tells of room only when
// much of it is free: a reader that takes less than that in `stalled_ms_max` is slow and not
// stalled, and only the kernel can tell the two apart. Where it holds nothing, the peer has taken
// all there was and the kernel is out of memory.
//
// Bytes acknowledged by the peer's kernel would also do (TCP_INFO), but Unix sockets have no such
// count. That new writes change what waits is no trouble: a write that the kernel takes ends the
// wait, and begins a new clock.
std::uint32_t Session::look_at_progress() {
    if (stream_.closed() || stream_.output().empty()) {
        patience_->looks = 0;
        patience_->behind_bytes = 0;
        return 0;
    }
    const std::uint32_t taken = stream_.bytes_taken();
    const std::uint32_t step = patience_->looks > 0 ? taken - patience_->taken : 0;
    if (step != 0 && static_cast<std::int32_t>(step) > 0) {
        // What comes in one leap may be seen in several looks, the last of them small.
        patience_->leap = std::max(step, patience_->leap - patience_->leap / 16);
    }
    if (step != 0 || taken == stream_.bytes_written()) {
        stream_.note_progress();
    }
    patience_->taken = taken;
    ++patience_->looks;
    return step;
}

// Never at the first look: it has nothing to compare with. A receiver's kernel opens its window in
// leaps, of up to all of its buffer (measured on loopback: 59 KiB where messages are small, 128 KiB
// where they are large), which a reader of 2 kB/s takes a minute to read: who has been seen to take
// that much at once has the time in which a reader of half that rate would need the next.
bool Session::has_stalled(std::uint32_t ms_max) const {
    constexpr std::uint64_t bytes_per_ms_min = 1;
    constexpr std::uint64_t patience_max = 10; // times ms_max
    const std::uint64_t for_leap = patience_->leap / bytes_per_ms_min;
    const std::chrono::milliseconds most(
        std::clamp<std::uint64_t>(for_leap, ms_max, ms_max * patience_max));
    return stream_.blocked() && patience_->looks > 1 &&
           server_->loop().now() - stream_.blocked_since() >= most;
}

// In a room of policy `wait` everybody is as slow as the slowest reader, so that one owes the
// others a rate. It is behind by what it should have taken while they waited, and catches up by
// taking more; a pause of queue_soft_ms is nobody's offence.
bool Session::keeps_waiting(std::uint32_t taken, std::uint32_t step_ms) {
    const Limits& limits = server_->limits();
    std::uint64_t& behind = patience_->behind_bytes;
    const std::uint64_t rate = limits.wait_bytes_per_second_min;
    if (rate > 0 && blocked_ && server_->hub().is_waited_for(member_)) {
        behind += rate * step_ms / 1000;
    }
    // A Unix socket counts what the kernel adds to a write against the peer until it is read.
    const auto step = static_cast<std::int32_t>(taken);
    behind -= std::min<std::uint64_t>(behind, step > 0 ? static_cast<std::uint64_t>(step) : 0);
    return behind > 0 && behind > rate * limits.queue_soft_ms / 1000;
}

bool Session::over_soft_limit(std::uint32_t step_ms) {
    const Limits& limits = server_->limits();
    const bool over = stream_.output().bytes() > limits.queue_soft_bytes &&
                      !server_->hub().is_waited_for(member_);
    if (!run_out(patience_->soft_ms, over, limits.queue_soft_ms, step_ms)) {
        return false;
    }
    patience_->soft_ms = 0;
    if (outbox().shorten(reader()) == Outbox::Verdict::close) {
        end(CloseReason::slow, "you read more slowly than your rooms speak");
        return true;
    }
    return false;
}

} // namespace roomd
