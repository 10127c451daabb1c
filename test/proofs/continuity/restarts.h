// Restarts — when the daemon is restarted, by which command, and what is looked at around it.
//
// Owned by the Run. A cycle without a command is one all the same: the hardship comes, only the
// restart does not.
//
//   waiting ─▶ dozing (0.3 s before) ─▶ braced (a tick before) ─▶ running ─▶ recovering ─▶ waiting
//                                                                                     └──▶ over
#pragma once

#include "test/proofs/continuity/crowd.h"
#include "test/proofs/continuity/hardship.h"
#include "test/proofs/continuity/probes.h"

#include <cstdint>

#include <sys/types.h>

namespace roomd::continuity {

class Restarts {
public:
    Restarts(Crowd& crowd, Hardship& hardship, Probes& probes, Findings& findings)
        : crowd_(&crowd), hardship_(&hardship), probes_(&probes), findings_(&findings) {}

    void begin(TimePoint now);
    /// Each tick.
    void step(TimePoint now);

    [[nodiscard]] bool over() const { return state_ == State::over; }

    [[nodiscard]] std::uint32_t done() const { return done_; }

    /// A command is running.
    [[nodiscard]] bool running() const { return child_ > 0; }

private:
    enum class State : std::uint8_t { waiting, dozing, braced, running, recovering, over };

    void fire(TimePoint now);
    void await_command(TimePoint now);
    void recover(TimePoint now);
    void fault(FaultKind kind, const std::string& text);

    Crowd* crowd_;
    Hardship* hardship_;
    Probes* probes_;
    Findings* findings_;
    State state_ = State::waiting;
    TimePoint next_{};
    TimePoint fired_{};
    pid_t child_ = -1;
    std::uint32_t done_ = 0;
};

} // namespace roomd::continuity
