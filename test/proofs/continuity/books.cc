#include "test/proofs/continuity/books.h"

#include "test/proofs/continuity/text.h"

#include <algorithm>
#include <array>

namespace roomd::continuity {

const char* word(FaultKind kind) {
    constexpr std::array<const char*, fault_kinds> words{
        "lost",           "refused", "unanswered", "hole",    "repeat", "disorder",
        "unacknowledged", "gap",     "identity",   "foreign", "pause",  "command"};
    return words.at(static_cast<std::size_t>(kind));
}

std::string to_string(const Entry& entry) {
    if (entry.speaker == Entry::nobody) {
        return "nothing";
    }
    return "message " + std::to_string(entry.number) + " of speaker " +
           std::to_string(entry.speaker);
}

bool Voice::may_follow(std::uint32_t before, std::uint32_t number) const {
    return number > before &&
           ((number == before + 1 && before != 0) || std::ranges::binary_search(begins, number));
}

Verdict Minutes::note(std::uint64_t id, const Entry& entry, const Voices& voices) {
    if (id < first_) {
        return Fault{FaultKind::disorder,
                     "id " + std::to_string(id) + ", and the first was " + std::to_string(first_)};
    }
    const auto index = static_cast<std::size_t>(id - first_);
    if (index >= entries_.size()) {
        entries_.resize(index + 1);
    }
    if (entries_[index].speaker != Entry::nobody) {
        return entries_[index] == entry
                   ? Verdict()
                   : Fault{FaultKind::disorder, "id " + std::to_string(id) + " is " +
                                                    to_string(entry) + ", and for others " +
                                                    to_string(entries_[index])};
    }
    entries_[index] = entry;
    Verdict verdict;
    for (; checked_ < end() && at(checked_).speaker != Entry::nobody; ++checked_) {
        const Entry next = at(checked_);
        std::uint32_t& last = last_[next.speaker];
        const auto voice = voices.find(next.speaker);
        if (voice == voices.end() || !voice->second.may_follow(last, next.number)) {
            verdict = Fault{next.number > last ? FaultKind::hole : FaultKind::repeat,
                            "id " + std::to_string(checked_) + " is " + to_string(next) +
                                ", the one before it was " + std::to_string(last)};
        }
        last = next.number;
    }
    return verdict;
}

Entry Minutes::at(std::uint64_t id) const {
    return id < first_ || id >= end() ? Entry() : entries_[static_cast<std::size_t>(id - first_)];
}

std::uint32_t Minutes::last_of(std::uint32_t speaker) const {
    const auto found = last_.find(speaker);
    return found == last_.end() ? 0 : found->second;
}

std::size_t Room::epoch(const std::string& name, std::uint64_t first) {
    const auto found = std::ranges::find(minutes, name, &Minutes::epoch);
    const auto index = static_cast<std::size_t>(found - minutes.begin());
    if (found == minutes.end()) {
        minutes.emplace_back(name, first);
    }
    return index;
}

Verdict Room::known_as(std::uint32_t speaker, std::string_view nick) {
    const auto voice = voices.find(speaker);
    if (voice == voices.end()) {
        return Fault{FaultKind::foreign, "speaker " + std::to_string(speaker) +
                                             " is heard, and never speaks in " + room_name(number)};
    }
    if (voice->second.nick.empty()) {
        voice->second.nick = nick;
    }
    if (voice->second.nick != nick) {
        return Fault{FaultKind::identity, "speaker " + std::to_string(speaker) + " is called " +
                                              std::string(nick) + " in " + room_name(number) +
                                              ", and was " + voice->second.nick};
    }
    return {};
}

Verdict Room::complete() const {
    for (const auto& [speaker, voice] : voices) {
        const std::uint32_t last = minutes.empty() ? 0 : minutes.back().last_of(speaker);
        if (last != voice.said) {
            return Fault{FaultKind::hole,
                         room_name(number) + ": speaker " + std::to_string(speaker) + " has said " +
                             std::to_string(voice.said) + " and nobody heard more than " +
                             std::to_string(last)};
        }
    }
    return {};
}

} // namespace roomd::continuity
