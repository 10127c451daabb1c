// continuity — a daemon is restarted, again and again, under thousands of members: what each of
// them hears, how late, and that nobody notices more than a pause. See continuity/README.md.
#include "reactor/sys.h"
#include "test/proofs/continuity/crowd.h"
#include "test/proofs/continuity/hardship.h"
#include "test/proofs/continuity/probes.h"
#include "test/proofs/continuity/report.h"
#include "test/proofs/continuity/restarts.h"
#include "test/proofs/continuity/speech.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

namespace roomd::continuity {

namespace {

constexpr int status_failed = 1;
constexpr int status_cannot = 2;
constexpr int status_usage = 64;
constexpr Duration settle_time = std::chrono::seconds(2);

class Run final : public Ticking {
public:
    explicit Run(const Options& options)
        : options_(&options), crowd_(options, findings_, *this), speech_(crowd_), hardship_(crowd_),
          probes_(crowd_, findings_), restarts_(crowd_, hardship_, probes_, findings_) {}

    int run() {
        crowd_.gather();
        if (!until([&] { return crowd_.all_present(); })) {
            complain("not all connections came in: " + std::to_string(crowd_.present()));
            return status_cannot;
        }
        const TimePoint entered = crowd_.loop().now();
        // Who came in is still being told to those who were there.
        while (crowd_.loop().now() < entered + settle_time) {
            crowd_.tick();
        }
        if (!options_->crash) {
            crowd_.hold_steady();
        }
        speech_.begin(crowd_.loop().now());
        restarts_.begin(crowd_.loop().now());
        speaking_ = true;
        while (!restarts_.over()) {
            crowd_.tick();
        }
        speaking_ = false;
        hardship_.end();
        static_cast<void>(until([&] { return settled(); }));
        judge();
        const Report report{*options_, findings_, crowd_, speech_, hardship_, probes_, restarts_};
        print(report);
        return !write_json(report) ? status_cannot : findings_.total() > 0 ? status_failed : 0;
    }

    void on_tick(TimePoint now) override {
        if (!speaking_) {
            return;
        }
        speech_.step(now);
        hardship_.step(now);
        restarts_.step(now);
        probes_.step(now);
    }

private:
    static void complain(const std::string& what) {
        static_cast<void>(std::fprintf(stderr, "continuity: %s\n", what.c_str()));
    }

    /// Ticks until it is so. False: nothing has moved for as long as the patience goes.
    template <typename Condition>
    bool until(Condition condition) {
        const auto patience = std::chrono::duration<double>(options_->patience_s);
        std::uint64_t moved = 0;
        TimePoint moved_at = crowd_.loop().now();
        TimePoint asked_at{};
        for (;; crowd_.tick()) {
            const TimePoint now = crowd_.loop().now();
            const Tally& tally = crowd_.tally();
            const std::uint64_t moves =
                tally.deliveries + tally.entered + tally.acknowledged + tally.histories;
            if (moves != moved) {
                moved = moves;
                moved_at = now;
            }
            if (now - asked_at > std::chrono::milliseconds(50)) { // it looks at every member
                asked_at = now;
                if (condition()) {
                    return true;
                }
            }
            if (now - moved_at > patience) {
                return false;
            }
        }
    }

    /// Everybody has heard everything.
    bool settled() {
        probes_.step(crowd_.loop().now());
        for (Member& member : crowd_.members()) {
            if (member.finish()) {
                return false;
            }
        }
        // Who hears no acknowledgement cannot tell whether the last thing it said has arrived.
        return options_->crash || std::ranges::none_of(crowd_.rooms(), [](const Room& room) {
                   return room.complete().has_value();
               });
    }

    void judge() {
        for (Member& member : crowd_.members()) {
            if (Verdict wrong = member.finish(); wrong) {
                crowd_.fault(member, *wrong);
            }
            crowd_.windows().close(member.window, member.worst_us);
        }
        const std::uint64_t now_us = crowd_.us(crowd_.loop().now());
        for (const Room& room : crowd_.rooms()) {
            if (Verdict wrong = options_->crash ? Verdict() : room.complete(); wrong) {
                findings_.add(now_us, {}, *wrong);
            }
        }
        if (const double pause = pause_p99_ms(crowd_.windows());
            !options_->crash && options_->pause_ms_max > 0 && pause > options_->pause_ms_max) {
            findings_.add(now_us, {},
                          {FaultKind::pause, std::to_string(pause) + " ms at p99, over " +
                                                 std::to_string(options_->pause_ms_max)});
        }
    }

    const Options* options_;
    Findings findings_;
    Crowd crowd_;
    Speech speech_;
    Hardship hardship_;
    Probes probes_;
    Restarts restarts_;
    bool speaking_ = false;
};

} // namespace

int prove(int argc, char** argv) {
    Options options;
    std::string error;
    if (!read_options(argc, argv, options, error)) {
        static_cast<void>(std::fprintf(stderr, "%s\n", error.c_str()));
        return status_usage;
    }
    if (options.help) {
        static_cast<void>(std::fprintf(stdout, "%s", std::string(usage()).c_str()));
        return 0;
    }
    try {
        return Run(options).run();
    } catch (const std::exception& failure) {
        static_cast<void>(std::fprintf(stderr, "continuity: %s\n", failure.what()));
        return status_cannot;
    }
}

} // namespace roomd::continuity

int main(int argc, char** argv) {
    return roomd::continuity::prove(argc, argv);
}
