#include "client/conversation.h"

#include "client/render.h"
#include "client/typed.h"
#include "protocol/text.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace roomd {

namespace {

// Of what something unknown said: enough to recognise it by.
constexpr std::size_t quoted_bytes_max = 80;

std::string visible(std::string_view text) {
    std::string shown;
    append_visible(shown, text);
    return shown;
}

/// "CODE words" of a plain error, `! CODE words`.
std::pair<std::string_view, std::string_view> code_and_text(std::string_view error) {
    const std::size_t space = error.find(' ');
    return {error.substr(0, space),
            space == std::string_view::npos ? std::string_view{} : error.substr(space + 1)};
}

constexpr std::string_view plain_error = "! ";

} // namespace

Conversation::Conversation(ConversationOptions options, ConversationPartner& partner)
    : options_(std::move(options)), partner_(&partner) {}

void Conversation::begin() {
    assert(state_ == State::unconnected);
    state_ = State::greeting;
    greet(!options_.nick.empty());
}

void Conversation::greet(bool by_name) {
    greeted_by_name_ = by_name;
    ask(AskedKind::hello, by_name ? "/hello 1 nick=" + options_.nick : "/hello 1");
}

void Conversation::ask(AskedKind kind, std::string_view payload, std::uint64_t line_number) {
    send({kind, line_number, std::string(payload)});
}

void Conversation::send(Asked asked) {
    partner_->send(asked.payload);
    if (!may_be_asked_again(asked.kind, asked.payload)) {
        asked.payload = std::string();
    }
    asked_bytes_ += asked.payload.size();
    asked_.push_back(std::move(asked));
}

Conversation::Asked Conversation::take_asked() {
    Asked asked = std::move(asked_.front());
    asked_.pop_front();
    asked_bytes_ -= asked.payload.size();
    return asked;
}

/// Messages, and what they depend on. Anything else is a person's to try again.
bool Conversation::may_be_asked_again(AskedKind kind, std::string_view payload) {
    if (kind != AskedKind::command) {
        return kind != AskedKind::quit;
    }
    const std::string_view verb = payload.substr(0, payload.find(' '));
    return !verb.starts_with('/') || verb.starts_with("//") || verb == "/say" || verb == "/me" ||
           verb == "/msg" || verb == "/join";
}

/// Whether `asked` was refused only for now; then it is moved to those that are asked again.
bool Conversation::ask_again(Asked& asked, std::string_view code, std::string_view text) {
    const bool for_now = code == "rate_limited" || code == "busy" || code == "slow";
    if (!for_now || asked.payload.empty() || asked.attempts >= attempts_max) {
        return false;
    }
    if (pause_ == Duration::zero()) {
        tell_of_pause(asked, text.empty() ? code : text);
    }
    was_refused_ = true;
    pause_ = std::clamp(2 * pause_, pause_min, pause_max);
    ++asked.attempts;
    const auto behind = std::find_if(again_.begin(), again_.end(), [&](const Asked& other) {
        return other.line_number > asked.line_number;
    });
    again_.insert(behind, std::move(asked));
    begin_pause();
    return true;
}

void Conversation::begin_pause() {
    if (!pausing_) {
        pausing_ = true;
        partner_->pause(pause_);
    }
}

// What is on its way is answered first: it may be refused, too, and then stands behind.
void Conversation::on_pause_over() {
    pausing_ = false;
    ask_next_again();
}

void Conversation::ask_next_again() {
    const bool sending = state_ != State::leaving && state_ != State::over;
    if (sending && !pausing_ && asked_.empty() && !again_.empty()) {
        Asked next = std::move(again_.front());
        again_.pop_front();
        send(std::move(next));
    }
}

/// roomd has taken a message, or let us in.
void Conversation::on_taken(const Asked& asked) {
    ++taken_in_row_;
    last_taken_ = std::max(last_taken_, asked.line_number);
    constexpr Duration no_longer_felt = std::chrono::milliseconds(10);
    pause_ = pause_ * 7 / 8;
    if (pause_ < no_longer_felt) {
        pause_ = Duration::zero();
    }
    if (!again_.empty() && asked.line_number > again_.front().line_number) {
        tell_overtaken(again_.front().line_number, asked.line_number);
    }
    if (pause_ != Duration::zero()) {
        begin_pause();
    }
}

void Conversation::on_payload(std::string_view payload) {
    if (over()) {
        return;
    }
    if (!check_text(payload).valid) {
        warn_not_roomd("what came is no text");
        return;
    }
    const ParsedEvent event = parse_event(payload);
    if (event.verb == "bye") {
        on_bye(event);
    } else if (!asked_.empty() && asked_.front().kind == AskedKind::hello) {
        on_greeting(payload, event);
    } else if (event.verb == "ok") {
        on_ok(event);
    } else if (event.verb == "err") {
        on_error(event);
    } else if (options_.interactive || is_said(event)) {
        show_event(event);
    }
}

void Conversation::on_greeting(std::string_view payload, const ParsedEvent& event) {
    if (event.verb == "welcome" && event.known) {
        static_cast<void>(take_asked());
        last_words_.clear();
        if (options_.interactive) {
            show_event(event);
        }
        if (state_ == State::greeting) {
            state_ = State::joining;
            ask(AskedKind::join, "/join " + options_.room);
        }
    } else if (event.verb == "err" && event.known) {
        on_greeting_refused(event.fields[1], event.text);
    } else if (payload.starts_with(plain_error)) {
        const auto [code, text] = code_and_text(payload.substr(plain_error.size()));
        on_greeting_refused(code, text);
    } else if (payload.starts_with("/hello ")) {
        warn_not_roomd("it sends back what it gets");
    }
    // Else somebody said something in a room the listener put us in, before we spoke events.
}

void Conversation::on_greeting_refused(std::string_view code, std::string_view text) {
    const std::string why = visible(code) + (text.empty() ? "" : ": " + visible(text));
    if (state_ == State::greeting) {
        last_words_ = why; // if that is the last that is heard
        Asked asked = take_asked();
        if (ask_again(asked, code, text)) {
            return;
        }
        asked_bytes_ += asked.payload.size();
        asked_.push_front(std::move(asked)); // else it still stands
    }
    const bool because_of_name = code == "name_taken" || code == "bad_name";
    if (state_ != State::greeting || !greeted_by_name_ || !because_of_name) {
        last_words_ = why;
        return;
    }
    if (options_.interactive || options_.nick_required) {
        partner_->warn("cannot be " + options_.nick + " (" + why + "); going on as a guest");
    }
    failed_ = failed_ || options_.nick_required;
    static_cast<void>(take_asked());
    greet(false);
}

void Conversation::on_ok(const ParsedEvent& event) {
    if (asked_.empty()) {
        return;
    }
    const Asked asked = take_asked();
    switch (asked.kind) {
    case AskedKind::line:
        if (event.fields[0] != "say") {
            warn_not_roomd("its answers are not in the order of the questions");
            return;
        }
        break;
    case AskedKind::join:
        on_joined(event);
        break;
    default:
        show_event(event);
        break;
    }
    if (!asked.payload.empty()) {
        on_taken(asked);
    }
    ask_next_again();
    leave_when_answered();
}

void Conversation::on_joined(const ParsedEvent& event) {
    if (options_.interactive) {
        show_event(event);
        partner_->show("* type to talk; /help shows the commands, quit leaves");
    }
    if (state_ == State::joining) {
        state_ = State::talking;
    }
}

void Conversation::on_error(const ParsedEvent& event) {
    if (asked_.empty()) {
        show_event(event);
        return;
    }
    Asked asked = take_asked();
    if (ask_again(asked, event.fields[1], event.text)) {
        return;
    }
    if (asked.kind == AskedKind::line) {
        refuse_line(asked.line_number, event.fields[1], event.text);
    } else if (asked.kind == AskedKind::join && state_ == State::joining) {
        if (!options_.interactive) {
            partner_->warn("cannot join " + options_.room + ": " + visible(event.fields[1]) + ": " +
                           visible(event.text));
            failed_ = true;
            finish(ExitStatus::refused);
            return;
        }
        show_event(event);
        state_ = State::talking;
    } else {
        show_event(event);
    }
    ask_next_again();
    leave_when_answered();
}

void Conversation::on_bye(const ParsedEvent& event) {
    const std::string_view code = event.fields[0];
    if (options_.interactive) {
        show_event(event);
    }
    if (state_ == State::leaving && code == "quit") {
        finish(ExitStatus::done);
        return;
    }
    last_words_ = visible(code) + (event.text.empty() ? "" : ": " + visible(event.text));
    on_disconnected();
}

void Conversation::on_text(std::string_view text) {
    if (over()) {
        return;
    }
    if (text.starts_with(plain_error)) {
        last_words_ = quoted(text.substr(plain_error.size()), quoted_bytes_max);
        on_disconnected();
        return;
    }
    warn_not_roomd("it said " + quoted(text, quoted_bytes_max) +
                   ", which is no frame; a listener of framing auto or frame is needed");
}

void Conversation::on_bad_frame() {
    if (!over()) {
        warn_not_roomd("it sent a frame of impossible size");
    }
}

void Conversation::on_timeout() {
    if (state_ == State::greeting || state_ == State::joining) {
        warn_not_roomd("it does not answer");
    }
}

void Conversation::on_disconnected() {
    switch (state_) {
    case State::over:
        return;
    case State::unconnected:
    case State::greeting:
    case State::joining:
        partner_->warn(options_.address + " let us go at once" +
                       (last_words_.empty() ? "" : ": " + last_words_));
        finish(ExitStatus::unavailable);
        return;
    case State::talking:
        break;
    case State::leaving:
        if (options_.interactive || (lines_ended_ && asked_.size() <= 1)) {
            finish(ExitStatus::done); // only the goodbye itself went unanswered
            return;
        }
        break;
    }
    warn_lost(last_words_);
    finish(ExitStatus::lost);
}

bool Conversation::wants_line() const {
    if (state_ != State::talking || lines_ended_ || is_asking_again()) {
        return false;
    }
    const bool trusted = taken_in_row_ >= trusted_after && !was_refused_;
    return asked_.size() < (trusted ? unanswered_max : 1) && asked_bytes_ < unanswered_bytes_max;
}

void Conversation::on_line(const Line& line) {
    assert(wants_line());
    if (line.too_large) {
        refuse_line(line.number, "too_large", "no frame holds a line this long");
    } else if (line.cut) {
        failed_ = true;
        tell("a terminal keeps " + std::to_string(line.text.size()) +
             " bytes of a line and drops the rest, so this line was not said; shorter lines, or a "
             "file (room ... <FILE), are said whole");
    } else if (options_.interactive) {
        on_typed(line);
    } else if (!line.text.empty()) {
        ask(AskedKind::line, payload_saying(line.text), line.number);
    }
}

void Conversation::on_lines_ended() {
    lines_ended_ = true;
    leave_when_answered();
}

void Conversation::on_lines_failed(std::string_view reason) {
    partner_->warn("cannot read stdin: " + std::string(reason));
    finish(ExitStatus::input_output);
}

void Conversation::leave_when_answered() {
    // A person's answers are not waited for, but what is to be said again is.
    const bool answered = asked_.empty() || (options_.interactive && !was_refused_);
    if (lines_ended_ && answered && again_.empty()) {
        leave();
    }
}

void Conversation::leave() {
    if (state_ == State::unconnected) {
        finish(ExitStatus::done);
    } else if (state_ != State::leaving && state_ != State::over) {
        warn_unsaid();
        state_ = State::leaving;
        ask(AskedKind::quit, "/quit");
    }
}

void Conversation::finish(ExitStatus status) {
    assert(state_ != State::over);
    state_ = State::over;
    const bool refused = failed_ && !options_.interactive && status == ExitStatus::done;
    status_ = refused ? ExitStatus::refused : status;
}

void Conversation::check() const {
    assert(asked_.size() <= unanswered_max + 1); // and the goodbye
    assert(state_ != State::unconnected || asked_.empty());
    assert(state_ == State::over || status_ == ExitStatus::done);
    assert(again_.empty() || was_refused_);
    assert(again_.size() <= unanswered_max);
    assert(std::is_sorted(again_.begin(), again_.end(), [](const Asked& one, const Asked& other) {
        return one.line_number < other.line_number;
    }));
}

} // namespace roomd
