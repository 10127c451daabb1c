#include "test/proofs/continuity/crowd.h"
#include "test/proofs/continuity/member.h"

#include <algorithm>

// What a member hears, in each format.
namespace roomd::continuity {

void Member::judge(Verdict verdict) {
    if (verdict) {
        crowd_->fault(*this, std::move(*verdict));
    }
}

void Member::fault(FaultKind kind, std::string text) {
    crowd_->fault(*this, Fault{kind, std::move(text)});
}

Ear* Member::ear_in(std::string_view room) {
    std::uint32_t number = 0;
    if (!read_room(room, number)) {
        return nullptr;
    }
    const auto found = std::ranges::find_if(
        ears_, [number](const Ear& ear) { return ear.room().number == number; });
    return found == ears_.end() ? nullptr : &*found;
}

void Member::hear(std::string_view payload) {
    if (part.dialect.format == Format::event) {
        hear_event(payload);
    } else if (payload.starts_with("! ")) {
        last_words_ = quoted(payload);
        fault(FaultKind::foreign, "is told " + quoted(payload));
    } else if (state_ == State::entering && (payload == "ping in" || payload == "* pong in")) {
        entered();
    } else if (part.dialect.format == Format::human) {
        hear_human(payload);
    } else if (state_ != State::entering) { // a line is human until it has become plain
        hear_text(payload, {}, {});
    }
}

void Member::hear_human(std::string_view payload) {
    if (state_ == State::entering) {
        return;
    }
    const std::size_t bracket = payload.find("] ");
    const std::size_t colon = payload.find(": ");
    if (payload.starts_with('[') && bracket < colon && colon != std::string_view::npos) {
        hear_text(payload.substr(colon + 2), payload.substr(1, bracket - 1),
                  payload.substr(bracket + 2, colon - bracket - 2));
    } else if (crowd_->steady() || !payload.starts_with("* ")) {
        fault(payload.ends_with(" here") || payload.starts_with("* c") ? FaultKind::identity
                                                                       : FaultKind::foreign,
              "is told " + quoted(payload));
    }
}

/// A message without an id. Plain has neither room nor nick.
void Member::hear_text(std::string_view text, std::string_view room, std::string_view nick) {
    Stamp stamp;
    if (!read_text(text, stamp)) {
        fault(FaultKind::foreign, "hears what nobody has said: " + quoted(text));
        return;
    }
    const std::string name = room_name(stamp.room);
    Ear* const ear = ear_in(name);
    if (ear == nullptr || (!room.empty() && room != name)) {
        fault(FaultKind::foreign, "hears what was said in " + name + ": " + quoted(text));
        return;
    }
    if (!nick.empty() && !crowd_->options().crash) {
        judge(ear->room().known_as(stamp.speaker, nick));
    }
    crowd_->delivered(*this, stamp, heard_at_);
    judge(ear->heard({stamp.speaker, stamp.number}));
}

void Member::hear_event(std::string_view payload) {
    const ParsedEvent event = parse_event(payload);
    if (event.verb == "msg" || event.verb == "old") {
        hear_message(event, event.verb == "old");
    } else if (event.verb == "ok" && event.known) {
        hear_reply(event, payload);
    } else if (event.verb == "gap") {
        hear_gap(event);
    } else if (event.verb == "err" || event.verb == "bye" || !event.known) {
        last_words_ = quoted(payload);
        fault(FaultKind::foreign, "is told " + quoted(payload));
    } else if (event.verb != "welcome" && crowd_->steady()) {
        fault(FaultKind::identity, "is told " + quoted(payload)); // who came, went, was renamed
    }
}

void Member::hear_message(const ParsedEvent& event, bool old) {
    Stamp stamp;
    std::uint64_t id = 0;
    Ear* const ear = ear_in(event.fields[0]);
    if (ear == nullptr || !read_number(event.fields[1], id) || !read_text(event.text, stamp) ||
        room_name(stamp.room) != event.fields[0]) {
        fault(FaultKind::foreign, "hears what nobody has said: " + std::string(event.verb) + " " +
                                      std::string(event.fields[0]) + " " +
                                      std::string(event.fields[1]) + " " + quoted(event.text));
        return;
    }
    if (old) {
        ear->replayed(id, {stamp.speaker, stamp.number});
        return;
    }
    if (!crowd_->options().crash) { // else a speaker who came back has another name
        judge(ear->room().known_as(stamp.speaker, event.fields[3]));
    }
    crowd_->delivered(*this, stamp, heard_at_);
    judge(ear->heard(id, {stamp.speaker, stamp.number}));
}

void Member::hear_gap(const ParsedEvent& event) {
    Ear* const ear = ear_in(event.fields[0]);
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    if (ear == nullptr || !read_number(event.fields[1], first) ||
        !read_number(event.fields[2], last) || last < first) {
        fault(FaultKind::foreign, "is told of a gap that cannot be");
        return;
    }
    const bool replaying = state_ == State::entering || histories_ > 0;
    crowd_->gap_told(last - first + 1);
    judge(ear->skipped(first, last, replaying));
}

void Member::hear_acknowledgement(const ParsedEvent& event) {
    Ear* const ear = ear_in(event.fields[1]);
    std::uint64_t id = 0;
    if (ear == nullptr || !read_number(event.fields[2], id) || unanswered_.empty() ||
        ear != &ears_[unanswered_.front().ear]) {
        fault(FaultKind::unacknowledged, "is told ok say " + std::string(event.fields[1]) + " " +
                                             std::string(event.fields[2]) +
                                             ", and has said nothing there that was due");
        return;
    }
    const std::uint32_t number = unanswered_.front().number;
    unanswered_.pop_front();
    crowd_->acknowledged();
    if (Verdict wrong = ear->said(id, {part.number, number}, part.echo); wrong) {
        wrong->text = "as acknowledged: " + wrong->text;
        judge(std::move(wrong));
    }
}

void Member::hear_reply(const ParsedEvent& event, std::string_view payload) {
    const std::string_view verb = event.fields[0];
    if (verb == "say") {
        hear_acknowledgement(event);
        return;
    }
    if (verb == "ping" && state_ == State::entering && event.text == "in") {
        entered();
        return;
    }
    std::uint64_t first = 0;
    std::uint64_t next = 0;
    Ear* const ear = ear_in(event.fields[1]);
    if (verb == "join" && state_ == State::entering && ear != nullptr &&
        read_number(event.fields[3], first) && read_number(event.fields[4], next)) {
        judge(ear->joined(event.fields[2], first, next));
    } else if (verb == "history" && histories_ > 0 && ear != nullptr &&
               read_number(event.fields[2], first) && read_number(event.fields[3], next)) {
        --histories_;
        crowd_->history_shown();
        judge(ear->shown(first, next));
    } else {
        fault(FaultKind::foreign, "is told " + quoted(payload));
    }
}

} // namespace roomd::continuity
