#include "test/proofs/continuity/speech.h"

#include "reactor/sys.h"

#include <utility>

namespace roomd::continuity {

Speech::Speech(Crowd& crowd) : crowd_(&crowd) {
    for (Member& member : crowd.members()) {
        if (member.part.duty == Duty::speaker) {
            speakers_.push_back(&member);
        }
    }
    sim::Random random(crowd.options().seed + 2);
    for (std::size_t left = speakers_.size(); left > 1; --left) {
        std::swap(speakers_[left - 1], speakers_[random.below(left)]);
    }
}

void Speech::step(TimePoint now) {
    if (speakers_.empty()) {
        return;
    }
    const Duration between = Duration(std::chrono::seconds(1)) / crowd_->options().rate;
    for (TimePoint intended = began_ + between * static_cast<Duration::rep>(turns_);
         intended <= now; intended += between) {
        Member& speaker = *speakers_[turns_ % speakers_.size()];
        const std::uint64_t round = turns_++ / speakers_.size();
        if (!speaker.present()) {
            ++crowd_->tally().unsaid;
            continue;
        }
        speaker.send(speaker.next_message(round % speaker.ears(), crowd_->us(intended), true));
        ++crowd_->tally().said;
        late_us_.record(crowd_->us(sys::monotonic_now()) - crowd_->us(intended));
    }
}

} // namespace roomd::continuity
