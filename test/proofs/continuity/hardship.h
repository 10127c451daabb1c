// Hardship — those who make a restart difficult: dribblers, who are in the middle of a message when
// it comes, and sluggards, who have not read what the daemon wants to send them.
//
// Owned by the Run; borrows members of the Crowd. Between restarts dribblers go on dribbling; no
// piece is ever left unsent for longer than a second, so no patience of the daemon runs out.
#pragma once

#include "test/proofs/continuity/crowd.h"
#include "test/proofs/continuity/member.h"
#include "test/sim/random.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace roomd::continuity {

class Hardship {
public:
    explicit Hardship(Crowd& crowd);

    /// Shortly before a restart: sluggards ask for a lot and stop reading.
    void doze();
    /// Just before it: every dribbler has a message half sent. The rest follows during the restart
    /// or after it.
    void brace(TimePoint now);
    /// It has been ordered: sluggards wake up one after the other within 1.5 s, and well before the
    /// next one.
    void rouse(TimePoint now);

    /// Each tick, while there is speech.
    void step(TimePoint now);
    /// No more speech: what is half said is finished, who dozes wakes up.
    void end();

    /// Messages that were half sent when a restart came.
    [[nodiscard]] std::uint64_t half_sent() const { return half_sent_; }

    /// Readers that had stopped reading when a restart came.
    [[nodiscard]] std::uint64_t dozing() const { return dozing_; }

private:
    struct Dribble {
        Member* member;
        std::string rest;
        unsigned pieces = 0; // in which the rest is to go
        TimePoint next{};
    };

    struct Nap {
        Member* member;
        bool asleep = false;
        bool roused = false;
        TimePoint until{};
    };

    void begin(Dribble& dribble, TimePoint now);
    void go_on(Dribble& dribble);
    [[nodiscard]] Duration within(std::uint64_t least_ms, std::uint64_t most_ms);
    static void wake(Nap& nap);

    Crowd* crowd_;
    sim::Random random_;
    std::vector<Dribble> dribbles_;
    std::vector<Nap> naps_;
    std::uint64_t half_sent_ = 0;
    std::uint64_t dozing_ = 0;
};

} // namespace roomd::continuity
