#include "daemon/server.h"
#include "daemon/session.h"

#include <algorithm>

// The way in for sessions of remote clients: each unit of input passes the meter (meter.h), and
// what the meter holds stays in the input, not consumed, until a timer shows it again.
namespace roomd {

namespace {

// A hold is asked about again when it ends, so both bounds are only for the timer's sake.
constexpr Duration hold_min = std::chrono::milliseconds(1);
constexpr Duration hold_max = std::chrono::seconds(10);

} // namespace

// Whether the payload that comes next may be taken in, of a session that is limited. `command`:
// nullptr for one that is refused whatever the rates say.
Meter::Verdict Session::meter(const Command* command) {
    Charge charge = charge_of_refused;
    if (command != nullptr) {
        const Hub::Cost cost = server_->hub().cost(member_, *command);
        charge = charge_of(*command, cost.fanout_bytes, cost.answer_bytes);
    }
    const Meter::Verdict verdict = extra_->meter.judge(
        server_->limits(), server_->sources().rates(extra_->source), charge, server_->loop().now());
    if (verdict.answer != Meter::Answer::allowed && !verdict.again) {
        server_->counters().hit(verdict.limit);
    }
    return verdict;
}

// Of what has been skipped already: an empty payload, or one that was too large.
void Session::charge_for_gone() {
    if (!limited_ || ending_) {
        return;
    }
    Rates& source = server_->sources().rates(extra_->source);
    const Duration wait =
        extra_->meter.charge(server_->limits(), source, charge_of_refused, server_->loop().now());
    if (wait > Duration::zero()) {
        server_->counters().hit(Limit::commands_per_second_max);
        hold_input(wait);
    }
}

void Session::hold_input(Duration wait) {
    stream_.hold_input();
    server_->loop().cancel(extra_->hold.key);
    extra_->hold.key = server_->loop().after(std::clamp(wait, hold_min, hold_max), extra_->hold);
}

void Session::go_on_after_hold() {
    if (!stream_.open() || ending_) {
        return;
    }
    if (stream_.broken()) { // it has gone: what it sent beyond its rates is not waited for
        abort(CloseReason::reset);
        return;
    }
    hold_ = Hold::none;
    stream_.requeue_input();
}

bool Session::held_by_meter() const {
    return extra_ != nullptr && extra_->hold.key;
}

} // namespace roomd
