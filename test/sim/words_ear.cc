#include "test/sim/ear.h"

#include <algorithm>
#include <utility>

namespace roomd::sim {

namespace {
// After these roomd closes; plain and human show the code or only its words.
constexpr std::array<std::string_view, 9> closing{"slow",      "idle", "full", "shutting_down",
                                                  "bad_frame", "http", "tls",  "unknown_protocol",
                                                  "internal"};
} // namespace

void WordsEar::expect(const Expectation& expectation) {
    if (expectation.verb == "ping" && !expectation.bad) {
        pings_.push_back(expectation.ping);
    }
}

void WordsEar::pong(std::string_view token) {
    while (hearer_.limited && !pings_.empty() && pings_.front() != token) {
        pings_.pop_front(); // refused
    }
    if (pings_.empty() || pings_.front() != token) {
        fail("hears a pong out of order: " + std::string(token));
        return;
    }
    pings_.pop_front();
}

void WordsEar::hear(std::string_view payload) {
    world_->say(hearer_.name + " < " + std::string(payload.substr(0, 120)));
    if (human_) {
        hear_human(payload);
        return;
    }
    if (payload.starts_with("~")) {
        const std::uint32_t known = ledger_->find(payload);
        const bool action = known != nobody && ledger_->at(known).action;
        const std::uint32_t token =
            ledger_->heard(hearer_.name, payload, {}, hearer_.visible, action);
        if (token != nobody && !ledger_->at(token).to_one) {
            items_.push_back({token, {}, 0});
        }
    } else if (payload.starts_with("ping ")) {
        pong(payload.substr(5));
    } else if (payload.starts_with("! ")) {
        const std::string_view code = Words(payload.substr(2)).next();
        if (std::find(closing.begin(), closing.end(), code) != closing.end() &&
            !payload.ends_with("the room is full")) {
            goodbye_ = code;
        }
    }
}

void WordsEar::hear_human(std::string_view payload) {
    if (payload.starts_with("* ")) {
        hear_notice(payload.substr(2));
        return;
    }
    if (payload.starts_with("! ")) {
        if (payload.starts_with("! bye")) {
            goodbye_ = "bye";
        }
        return;
    }
    const std::size_t bracket = payload.find("] ");
    if (!payload.starts_with("[") || bracket == std::string_view::npos) {
        fail("hears a line without a shape: " + std::string(payload.substr(0, 80)));
        return;
    }
    const bool direct = payload.substr(0, bracket).ends_with("-> you");
    std::string_view said = payload.substr(bracket + 2);
    const bool action = !direct && said.starts_with("* ");
    said.remove_prefix(action ? 2 : 0);
    std::string_view nick;
    if (direct) {
        nick = Words(payload.substr(1)).next();
    } else {
        nick = Words(said).next();
        said.remove_prefix(std::min(said.size(), nick.size() + 1));
        nick.remove_suffix(action || nick.empty() ? 0 : 1); // the colon
    }
    const std::uint32_t token = ledger_->heard(hearer_.name, said, nick, hearer_.visible, action);
    if (token == nobody) {
        return;
    }
    if (ledger_->at(token).author == hearer_.number && !direct &&
        ledger_->at(token).connection == hearer_.connection) {
        fail("hears itself");
    }
    if (!direct) {
        items_.push_back({token, {}, 0});
    }
}

void WordsEar::hear_notice(std::string_view notice) {
    Words words(notice);
    const std::string_view first = words.next();
    if (first == "pong") {
        pong(words.rest());
    } else if (first == "bye" || first == "bye:") {
        goodbye_ = "quit";
    } else if (first == "you" &&
               (words.rest().starts_with("are in ") || words.rest().starts_with("left "))) {
        const std::size_t skip = words.rest().starts_with("are in ") ? 7 : 5;
        items_.push_back({nobody, std::string(Words(words.rest().substr(skip)).next()), 0});
    } else if (const std::size_t in = notice.find(" skipped in "); in != std::string_view::npos) {
        const std::uint64_t count = Words(notice).number();
        items_.push_back({nobody, std::string(notice.substr(in + 12)), count});
    }
}

void WordsEar::step(Track& track, const Place& place) {
    const bool begins = track.last == 0 || track.epoch != place.epoch;
    if (!begins && place.id <= track.last) {
        fail("hears " + place.room + " " + std::to_string(place.id) + " after " +
             std::to_string(track.last));
    }
    if (!begins && !track.loose) {
        std::uint64_t missing = 0;
        for (std::uint64_t id = track.last + 1; id < place.id; ++id) {
            const std::uint32_t token = ledger_->token_at(place.room, place.epoch, id);
            // Whose it was is only known if an event member told; people do not hear themselves.
            const bool excused =
                token == nobody || (human_ && ledger_->at(token).author == hearer_.number);
            missing += excused ? 0U : 1U;
        }
        if (missing > track.skipped) {
            fail("misses " + std::to_string(missing) + " messages of " + place.room + " between " +
                 std::to_string(track.last) + " and " + std::to_string(place.id) +
                 ", and was told of " + std::to_string(track.skipped));
        }
    }
    track = {place.epoch, place.id, 0, false};
}

std::map<std::string, WordsEar::Track> WordsEar::walk() {
    std::map<std::string, Track> tracks;
    for (const Item& item : items_) {
        if (item.token == nobody) {
            Track& track = tracks[item.room];
            track.skipped += item.skipped;
            if (item.skipped == 0) {
                track = {};
            }
            continue;
        }
        const Place& place = ledger_->at(item.token).place;
        if (place.id == 0) {
            for (auto& [room, track] : tracks) {
                track.loose = true;
            }
            continue;
        }
        step(tracks[place.room], place);
    }
    return tracks;
}

void WordsEar::check_order() {
    static_cast<void>(walk());
}

void WordsEar::check_settled() {
    if (!goodbye_.empty()) {
        return;
    }
    if (!pings_.empty() && !hearer_.limited) {
        fail("never heard the pong " + pings_.front());
    }
    for (auto& [room, track] : walk()) {
        const std::uint64_t last = ledger_->last_id(room, track.epoch);
        if (track.last != 0 && !track.loose && track.last < last && !human_) {
            fail("has heard " + room + " up to " + std::to_string(track.last) + ", but " +
                 std::to_string(last) + " messages were said");
        }
    }
}

} // namespace roomd::sim
