#include "daemon/meter.h"

#include <algorithm>
#include <utility>

namespace roomd {

Meter::Verdict Meter::judge(const Limits& limits, Rates& source, const Charge& charge,
                            TimePoint now) {
    if (now < due_) {
        return {Answer::later, Limit::commands_per_second_max, due_ - now, true};
    }
    if (std::exchange(paid_, false)) {
        return {};
    }
    const Rates::Table own_table = Rates::table(limits);
    if (const auto denial = own_.check(own_table, charge, now)) {
        return refuse_or_hold(limits, source, denial->limit, now);
    }
    const Rates::Table all = Rates::source_table(limits);
    const auto denial = source.check(all, charge, now);
    own_.spend(own_table, charge, now);
    source.spend(all, charge, now);
    if (denial) { // its place in the queue of the source: who comes later waits behind it
        paid_ = true;
        due_ = now + denial->wait;
        return {Answer::later, denial->limit, denial->wait, false};
    }
    return {};
}

Meter::Verdict Meter::refuse_or_hold(const Limits& limits, Rates& source, Limit limit,
                                     TimePoint now) {
    const Rates::Table own_table = Rates::table(limits);
    const Rates::Table all = Rates::source_table(limits);
    if (own_.check(own_table, charge_of_refusal, now) ||
        source.check(all, charge_of_refusal, now)) {
        due_ = now + hold_after_refusals;
        return {Answer::later, limit, hold_after_refusals, false};
    }
    own_.spend(own_table, charge_of_refusal, now);
    source.spend(all, charge_of_refusal, now);
    return {Answer::refuse, limit, {}, false};
}

std::optional<Limit> Meter::take(const Limits& limits, Rates& source, const Charge& charge,
                                 TimePoint now) {
    const Rates::Table own_table = Rates::table(limits);
    const Rates::Table all = Rates::source_table(limits);
    if (const auto denial = own_.check(own_table, charge, now)) {
        return denial->limit;
    }
    if (const auto denial = source.check(all, charge, now)) {
        return denial->limit;
    }
    own_.spend(own_table, charge, now);
    source.spend(all, charge, now);
    return std::nullopt;
}

Duration Meter::charge(const Limits& limits, Rates& source, const Charge& charge, TimePoint now) {
    const Rates::Table own_table = Rates::table(limits);
    const Rates::Table all = Rates::source_table(limits);
    const auto own_denial = own_.check(own_table, charge, now);
    const auto source_denial = source.check(all, charge, now);
    own_.spend(own_table, charge, now);
    source.spend(all, charge, now);
    return std::max(own_denial ? own_denial->wait : Duration::zero(),
                    source_denial ? source_denial->wait : Duration::zero());
}

} // namespace roomd
