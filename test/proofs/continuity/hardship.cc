#include "test/proofs/continuity/hardship.h"

#include <algorithm>

namespace roomd::continuity {

Hardship::Hardship(Crowd& crowd) : crowd_(&crowd), random_(crowd.options().seed + 1) {
    for (Member& member : crowd.members()) {
        if (member.part.duty == Duty::dribbler) {
            dribbles_.push_back({&member, {}, 0, {}});
        } else if (member.part.duty == Duty::sluggard) {
            naps_.push_back({&member, false, false, {}});
        }
    }
}

Duration Hardship::within(std::uint64_t least_ms, std::uint64_t most_ms) {
    return std::chrono::milliseconds(random_.between(least_ms, most_ms));
}

void Hardship::doze() {
    for (Nap& nap : naps_) {
        if (!nap.asleep && nap.member->present()) {
            // Who has not been shown the last one is served: it would only be owed more and more.
            if (nap.member->part.dialect.format == Format::event && !nap.member->awaits_history()) {
                nap.member->ask_history();
            }
            nap.member->stream().pause_reading();
            nap.asleep = true;
            nap.roused = false;
        }
    }
}

void Hardship::brace(TimePoint now) {
    for (Dribble& dribble : dribbles_) {
        if (!dribble.member->present()) {
            continue;
        }
        if (dribble.rest.empty()) {
            begin(dribble, now);
        }
        dribble.next = now + within(5, 600);
        ++half_sent_;
    }
    dozing_ += static_cast<std::uint64_t>(
        std::ranges::count_if(naps_, [](const Nap& nap) { return nap.asleep; }));
}

void Hardship::rouse(TimePoint now) {
    const Options& options = crowd_->options();
    // After a crash they are to notice it at once, like everybody else.
    const auto most_ms =
        options.crash
            ? std::uint64_t{50}
            : std::min<std::uint64_t>(static_cast<std::uint64_t>(options.every_s * 500), 1500);
    for (Nap& nap : naps_) {
        nap.until = now + within(0, most_ms);
        nap.roused = true;
    }
}

/// The first of two or three pieces; every third time it ends within the header.
void Hardship::begin(Dribble& dribble, TimePoint now) {
    const std::string bytes =
        dribble.member->next_message(random_.below(dribble.member->ears()), crowd_->us(now), false);
    ++crowd_->tally().said;
    const std::size_t size =
        random_.below(3) == 0 ? random_.between(1, 4) : random_.between(1, bytes.size() - 1);
    dribble.member->send(std::string_view(bytes).substr(0, size));
    dribble.rest = bytes.substr(size);
    dribble.pieces = 1 + static_cast<unsigned>(random_.below(2));
    dribble.next = now + within(5, 300);
}

void Hardship::go_on(Dribble& dribble) {
    std::string& rest = dribble.rest;
    const std::size_t size =
        dribble.pieces < 2 || rest.size() < 2 ? rest.size() : random_.between(1, rest.size() - 1);
    dribble.member->send(std::string_view(rest).substr(0, size));
    rest.erase(0, size);
    dribble.pieces = 1;
}

void Hardship::wake(Nap& nap) {
    nap.asleep = false;
    if (!nap.member->away()) {
        nap.member->stream().resume_reading();
    }
}

void Hardship::step(TimePoint now) {
    for (Dribble& dribble : dribbles_) {
        if (!dribble.member->present()) {
            dribble.rest.clear(); // lost with its connection
        } else if (now < dribble.next) {
            continue;
        } else if (dribble.rest.empty()) {
            begin(dribble, now);
        } else {
            go_on(dribble);
            dribble.next = now + (dribble.rest.empty() ? within(200, 1500) : within(5, 300));
        }
    }
    for (Nap& nap : naps_) {
        if (nap.asleep && (!nap.member->present() || (nap.roused && now >= nap.until))) {
            wake(nap);
        }
    }
}

void Hardship::end() {
    for (Dribble& dribble : dribbles_) {
        if (!dribble.rest.empty() && dribble.member->present()) {
            dribble.pieces = 1;
            go_on(dribble);
        }
    }
    for (Nap& nap : naps_) {
        if (nap.asleep) {
            wake(nap);
        }
    }
}

} // namespace roomd::continuity
