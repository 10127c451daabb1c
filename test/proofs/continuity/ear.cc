#include "test/proofs/continuity/ear.h"

#include "test/proofs/continuity/text.h"

#include <algorithm>

namespace roomd::continuity {

std::string Ear::here(std::uint64_t id) const {
    return room_name(room_->number) + " " + std::to_string(id);
}

void Ear::enter() {
    waiting_.clear();
    replay_.clear();
    last_.clear();
    if (manner_ != Manner::ids) {
        inside_ = false; // its place is known when the first text comes
    }
}

std::string Ear::since() const {
    return inside_ && manner_ == Manner::ids ? minutes().epoch + ":" + std::to_string(next_ - 1)
                                             : std::string();
}

Verdict Ear::joined(std::string_view epoch, std::uint64_t first, std::uint64_t next) {
    const std::string name(epoch);
    const bool again = inside_;
    const bool same = again && minutes().epoch == name;
    epoch_ = room_->epoch(name, again ? 1 : next);
    const std::uint64_t due = !again ? next : same ? next_ : 1;
    inside_ = true;
    next_ = next;
    if (due > next) {
        replay_.clear();
        return Fault{FaultKind::repeat, here(next) + " is to come next, and " +
                                            std::to_string(due - 1) + " was heard before"};
    }
    static_cast<void>(first);
    return judge_replay(due, next);
}

void Ear::replayed(std::uint64_t id, const Entry& entry) {
    replay_.push_back({id, id, entry});
}

Verdict Ear::shown(std::uint64_t first, std::uint64_t last) {
    return judge_replay(first, last + 1);
}

/// What was replayed must be first .. next-1, each once, and what everybody else heard.
Verdict Ear::judge_replay(std::uint64_t first, std::uint64_t next) {
    const std::vector<Old> replay = std::exchange(replay_, {});
    std::uint64_t due = first;
    for (const Old& old : replay) {
        if (old.first != due) {
            return Fault{old.first > due ? FaultKind::hole : FaultKind::repeat,
                         here(old.first) + " is replayed where " + std::to_string(due) +
                             " was due"};
        }
        due = old.last + 1;
        if (old.entry.speaker == Entry::nobody) {
            continue;
        }
        if (Verdict wrong = minutes().note(old.first, old.entry, room_->voices); wrong) {
            wrong->text = room_name(room_->number) + " (replayed) " + wrong->text;
            return wrong;
        }
    }
    if (due != next) {
        return Fault{due < next ? FaultKind::hole : FaultKind::repeat,
                     here(due) + " ends a replay of what comes before " + std::to_string(next)};
    }
    return {};
}

Verdict Ear::skipped(std::uint64_t first, std::uint64_t last, bool replaying) {
    if (replaying) {
        replay_.push_back({first, last, {}});
        return {};
    }
    next_ = std::max(next_, last + 1);
    return Fault{FaultKind::gap, here(first) + " to " + std::to_string(last) + " were skipped"};
}

/// The next id it accounts for.
Verdict Ear::take(std::uint64_t id) {
    if (!inside_) {
        return Fault{FaultKind::foreign, here(id) + " is heard without being in the room"};
    }
    const std::uint64_t due = next_;
    next_ = std::max(next_, id + 1);
    if (id != due) {
        return Fault{id < due ? FaultKind::repeat : FaultKind::hole,
                     here(id) + " came where " + std::to_string(due) + " was due"};
    }
    return {};
}

Verdict Ear::heard(std::uint64_t id, const Entry& entry) {
    if (Verdict wrong = take(id); wrong) {
        return wrong;
    }
    if (entry.speaker == own_) {
        return Fault{FaultKind::foreign, here(id) + " is its own"};
    }
    Verdict wrong = minutes().note(id, entry, room_->voices);
    if (wrong) {
        wrong->text = room_name(room_->number) + " " + wrong->text;
    }
    return wrong;
}

Verdict Ear::said(std::uint64_t id, const Entry& entry, bool heard_too) {
    Verdict wrong = heard_too ? Verdict() : take(id);
    if (!wrong && heard_too && id >= next_) {
        wrong = Fault{FaultKind::hole, here(id) + " is acknowledged before it is heard"};
    }
    if (!wrong) {
        wrong = minutes().note(id, entry, room_->voices);
    }
    return wrong;
}

Verdict Ear::heard(const Entry& entry) {
    if (manner_ == Manner::loose) {
        return heard_loosely(entry);
    }
    waiting_.push_back(entry);
    return compare();
}

void Ear::skip_own() {
    while (own_ != Entry::nobody && minutes().at(next_).speaker == own_) {
        ++next_;
    }
}

/// As much as the minutes know already.
Verdict Ear::compare() {
    if (!inside_) {
        if (room_->minutes.empty()) {
            return {};
        }
        inside_ = true;
        epoch_ = room_->minutes.size() - 1;
        next_ = minutes().first();
    }
    while (!waiting_.empty()) {
        skip_own();
        if (next_ >= minutes().checked()) {
            return {};
        }
        const Entry heard = waiting_.front();
        waiting_.pop_front();
        if (heard == minutes().at(next_)) {
            ++next_;
        } else {
            return differs(heard);
        }
    }
    return {};
}

/// Something else was due. Goes on behind it if it is known, so that one fault is told once.
Verdict Ear::differs(const Entry& heard) {
    const std::uint64_t due = next_;
    const auto wrong = [&](FaultKind kind) {
        return Fault{kind, to_string(heard) + " came where " + here(due) + ", " +
                               to_string(minutes().at(due)) + ", was due"};
    };
    for (std::uint64_t id = due; id < minutes().end(); ++id) {
        if (minutes().at(id) == heard) {
            next_ = id + 1;
            return wrong(FaultKind::hole);
        }
    }
    for (std::uint64_t id = due; id > minutes().first(); --id) {
        if (minutes().at(id - 1) == heard) {
            return wrong(FaultKind::repeat);
        }
    }
    next_ = minutes().end(); // it has not been heard by anybody else yet
    return wrong(FaultKind::hole);
}

Verdict Ear::heard_loosely(const Entry& entry) {
    const auto [place, fresh] = last_.try_emplace(entry.speaker, entry.number);
    const std::uint32_t before = std::exchange(place->second, entry.number);
    const auto voice = room_->voices.find(entry.speaker);
    if (!fresh &&
        (voice == room_->voices.end() || !voice->second.may_follow(before, entry.number))) {
        return Fault{entry.number > before ? FaultKind::hole : FaultKind::repeat,
                     room_name(room_->number) + ": " + to_string(entry) + " came behind " +
                         std::to_string(before)};
    }
    return {};
}

Verdict Ear::finish() {
    if (manner_ == Manner::loose || room_->minutes.empty()) {
        return {};
    }
    if (Verdict wrong = manner_ == Manner::texts ? compare() : Verdict(); wrong) {
        return wrong;
    }
    if (manner_ == Manner::texts) {
        skip_own();
    }
    if (!waiting_.empty()) {
        return Fault{FaultKind::disorder, to_string(waiting_.front()) + " in " +
                                              room_name(room_->number) +
                                              " was heard by nobody else"};
    }
    if (inside_ && next_ < minutes().end()) {
        return Fault{FaultKind::hole, here(next_) + ", " + to_string(minutes().at(next_)) +
                                          ", never came, nor what was behind it up to " +
                                          std::to_string(minutes().end() - 1)};
    }
    return {};
}

} // namespace roomd::continuity
