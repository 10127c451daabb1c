#include "test/sim/ledger.h"

#include <charconv>
#include <utility>

namespace roomd::sim {

std::string made_visible(std::string_view text) {
    std::string shown;
    for (const char letter : text) {
        const auto code = static_cast<unsigned char>(letter);
        if (code < 0x20 && code != '\t') {
            shown += '^';
            shown += static_cast<char>(code + 0x40);
        } else if (code == 0x7F) {
            shown += "^?";
        } else {
            shown += letter;
        }
    }
    return shown;
}

std::uint32_t Ledger::add(Saying saying) {
    const auto token = static_cast<std::uint32_t>(sayings_.size());
    saying.text = "~" + std::to_string(token) + "~" + saying.text;
    sayings_.push_back(std::move(saying));
    return token;
}

std::uint32_t Ledger::find(std::string_view text) const {
    const std::size_t begin = text.find('~');
    if (begin == std::string_view::npos) {
        return nobody;
    }
    std::uint32_t token = nobody;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + begin + 1, end, token);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr != end && *parsed.ptr == '~';
    return whole && token < sayings_.size() ? token : nobody;
}

std::uint32_t Ledger::heard(const std::string& who, std::string_view text, std::string_view nick,
                            bool visible, bool action) {
    const std::uint32_t token = find(text);
    if (token == nobody) {
        world_->fail(who + " heard something that nobody said: " + std::string(text.substr(0, 80)));
        return nobody;
    }
    Saying& saying = sayings_[token];
    const std::string expected = visible ? made_visible(saying.text) : saying.text;
    if (text != expected) {
        world_->fail(who + " heard \"" + std::string(text.substr(0, 200)) +
                     "\", what was said is \"" + expected.substr(0, 200) + "\"");
        return nobody;
    }
    if (saying.forbidden) {
        world_->fail(who + " heard what no command may have said: " + expected.substr(0, 80));
    }
    if (action != saying.action) {
        world_->fail(who + " heard an action as a message, or the other way round: " + expected);
    }
    if (!nick.empty()) {
        if (saying.nick.empty()) {
            saying.nick = nick;
        } else if (saying.nick != nick) {
            world_->fail(who + " heard " + expected.substr(0, 40) + " from " + std::string(nick) +
                         ", others from " + saying.nick);
        }
    }
    return token;
}

void Ledger::placed(const std::string& who, std::uint32_t token, const Place& place) {
    Saying& saying = sayings_[token];
    const std::string where = place.room + " " + place.epoch + ":" + std::to_string(place.id);
    if (!saying.room.empty() && saying.room != place.room) {
        world_->fail(who + " was told of ~" + std::to_string(token) + "~ in " + where +
                     ", it was said in " + saying.room);
    }
    if (saying.place.id == 0) {
        saying.place = place;
    } else if (saying.place.room != place.room || saying.place.epoch != place.epoch ||
               saying.place.id != place.id) {
        world_->fail(who + " was told that ~" + std::to_string(token) + "~ stands at " + where +
                     ", others that it stands at " + saying.place.room + " " + saying.place.epoch +
                     ":" + std::to_string(saying.place.id));
    }
    Sequence& sequence = rooms_[{place.room, place.epoch}];
    if (sequence.size() <= place.id) {
        sequence.resize(place.id + 1, nobody);
    }
    if (sequence[place.id] != nobody && sequence[place.id] != token) {
        world_->fail(who + " was told that " + where + " is ~" + std::to_string(token) +
                     "~, others that it is ~" + std::to_string(sequence[place.id]) + "~");
    }
    sequence[place.id] = token;
}

std::uint32_t Ledger::token_at(const std::string& room, const std::string& epoch,
                               std::uint64_t id) const {
    const auto found = rooms_.find({room, epoch});
    if (found == rooms_.end() || id >= found->second.size()) {
        return nobody;
    }
    return found->second[id];
}

Ledger::Departure& Ledger::departure(const std::string& room, const std::string& epoch,
                                     const std::string& nick) {
    return departures_[room + " " + epoch + " " + nick];
}

void Ledger::left(const std::string& room, const std::string& epoch, const std::string& nick,
                  std::uint64_t next) {
    // Only the name of a guest, and one with an x, is never another's.
    const bool own = nick.starts_with("guest-") || nick.find('x') != std::string::npos;
    if (!own || epoch.empty() || next == 0) {
        distrust(nick);
        return;
    }
    departure(room, epoch, nick).told.insert(next);
}

void Ledger::saw_leave(const std::string& room, const std::string& epoch, const std::string& nick,
                       std::uint64_t next) {
    departure(room, epoch, nick).seen.insert(next);
}

void Ledger::check_leaves() {
    for (const auto& [who, departure] : departures_) {
        if (departure.told.empty() || distrusted_.contains(who.substr(who.rfind(' ') + 1))) {
            continue;
        }
        for (const std::uint64_t seen : departure.seen) {
            if (!departure.told.contains(seen)) {
                world_->fail(who + " left when " + std::to_string(seen) +
                             " was next, and had not heard all before that");
            }
        }
    }
}

std::uint64_t Ledger::last_id(const std::string& room, const std::string& epoch) const {
    const auto found = rooms_.find({room, epoch});
    return found == rooms_.end() ? 0 : found->second.size() - 1;
}

} // namespace roomd::sim
