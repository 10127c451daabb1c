// Meter — the one way in: what each unit of input of one connection costs, and whether it may have
// that now.
//
// Owned by a session whose listener remote clients can reach, and by Sources for the datagrams of a
// source; others have none. Whatever comes passes it, whatever its verb and whether it will be
// accepted or refused: Charge says what it costs (rates.h). Knows no input, sends nothing, has no
// clock and no timer: who asks does what the verdict says.
//
// Two budgets pay for each unit: the connection's own and its source's, which is a few times as
// large and shared by all connections of that source. Over the own budget the client is told so
// (`rate_limited`), and as that is an answer it has a budget too. When that is used up the input is
// held for hold_after_refusals: it stays where it is, not consumed, and is shown again later. Over
// the source's budget nothing is refused: the input is held until its turn. So a flood costs what
// it may cost and nothing else, and a client that keeps its own limits loses nothing because of
// others behind its address: it waits.
//
// Invariants: over its own rates nothing is taken but a refusal. A place in the source's budget is
// taken once, and paid for at once: who waits for it is served in the order in which it came, and
// is not asked for the same tokens again.
//
// Example: a session asks judge() for the price of what comes next. On `allowed` it runs the
// command, on `refuse` it answers `rate_limited` and consumes it, on `later` it consumes nothing
// and asks again after `wait`.
#pragma once

#include "daemon/rates.h"

#include <cstdint>
#include <optional>

namespace roomd {

class Meter {
public:
    enum class Answer : std::uint8_t { allowed, refuse, later };

    /// In one piece: a client that goes on without looking at its answers is read now and then, not
    /// command by command.
    static constexpr Duration hold_after_refusals = std::chrono::seconds(5);

    struct Verdict {
        Answer answer = Answer::allowed;
        Limit limit = Limit::commands_per_second_max; // not allowed: the one that was met
        Duration wait = {};                           // later: for so long
        bool again = false; // later: this unit has been told to wait before, for the same reason
    };

    /// Whether the unit of input that comes next may be taken in. `source`: the budget of all
    /// connections of this source. O(1).
    [[nodiscard]] Verdict judge(const Limits& limits, Rates& source, const Charge& charge,
                                TimePoint now);

    /// For what can neither be refused nor held: a datagram. Takes it in, or names the limit for
    /// which it is lost.
    [[nodiscard]] std::optional<Limit> take(const Limits& limits, Rates& source,
                                            const Charge& charge, TimePoint now);

    /// For a unit that is gone already (what was skipped, what has to be taken now): it is paid for
    /// in any case. Returns how long to hold what comes behind it; zero: not at all.
    [[nodiscard]] Duration charge(const Limits& limits, Rates& source, const Charge& charge,
                                  TimePoint now);

    /// Nothing is owed to the connection's own budget, and nothing waits.
    [[nodiscard]] bool full(const Limits& limits, TimePoint now) const {
        return now >= due_ && own_.full(Rates::table(limits), now);
    }

    /// For another process, and in it.
    [[nodiscard]] Rates::Saved saved(TimePoint now) const { return own_.saved(now); }

    void restore(const Rates::Saved& saved, TimePoint now) { own_.restore(saved, now); }

private:
    [[nodiscard]] Verdict refuse_or_hold(const Limits& limits, Rates& source, Limit limit,
                                         TimePoint now);

    Rates own_;
    TimePoint due_{};   // when the unit that waits may be asked about again
    bool paid_ = false; // it has paid, and waits for its source's turn
};

} // namespace roomd
