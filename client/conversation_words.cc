#include "client/conversation.h"
#include "client/render.h"
#include "client/typed.h"
#include "protocol/text.h"

#include <algorithm>

// What a conversation hears from its person and tells them; conversation.cc decides when.
namespace roomd {

void Conversation::show_event(const ParsedEvent& event) {
    scratch_.clear();
    if (append_rendered(scratch_, event)) {
        partner_->show(scratch_);
    }
}

void Conversation::on_typed(const Line& line) {
    const Typed typed = understand_typed(line.text);
    switch (typed.kind) {
    case TypedKind::nothing:
        break;
    case TypedKind::payload:
        ask(AskedKind::command, typed.payload, line.number);
        break;
    case TypedKind::leave:
        state_ = State::leaving;
        ask(AskedKind::quit, typed.payload);
        break;
    case TypedKind::help:
        show_help();
        break;
    case TypedKind::refused:
        partner_->show("! " + typed.payload);
        break;
    }
}

void Conversation::show_help() {
    partner_->show("* What does not begin with / is said; //x says /x. quit or Ctrl-D leaves.");
    for (const CommandRow& row : command_table()) {
        if (!row.debug && row.verb != "hello" && row.verb != "format") {
            partner_->show("* " + std::string(row.usage) + " - " + std::string(row.help));
        }
    }
}

/// What `room` itself has to say: to a person among the events, of a pipe's lines on stderr.
void Conversation::tell(const std::string& text) {
    if (options_.interactive) {
        partner_->show("! " + text);
    } else {
        partner_->warn(text);
    }
}

void Conversation::tell_of_pause(const Asked& asked, std::string_view why) {
    std::string text = "roomd takes nothing more for now (";
    append_visible(text, why);
    if (asked.line_number == 0) {
        tell(text + "); asking again");
    } else if (options_.interactive) {
        tell(text + "); what you typed is sent again, in order, until it is taken");
    } else {
        tell(text + "); from line " + std::to_string(asked.line_number) +
             " on, lines are sent again, in order, until they are taken");
    }
}

void Conversation::tell_overtaken(std::uint64_t refused, std::uint64_t taken) {
    tell("line " + std::to_string(taken) + " was said before line " + std::to_string(refused) +
         ", which is sent again");
}

/// It leaves although something was to be sent again.
void Conversation::warn_unsaid() {
    const auto is_text = [](const Asked& asked) { return asked.line_number != 0; };
    const auto first = std::find_if(again_.begin(), again_.end(), is_text);
    if (first == again_.end()) {
        return;
    }
    failed_ = true;
    const auto count = std::count_if(first, again_.end(), is_text);
    tell("not said: line " + std::to_string(first->line_number) +
         (count == 1 ? "" : " and " + std::to_string(count - 1) + " behind it"));
    again_.clear();
}

void Conversation::refuse_line(std::uint64_t number, std::string_view code, std::string_view text) {
    failed_ = true;
    scratch_ = "line " + std::to_string(number) + " was refused: ";
    append_visible(scratch_, code);
    if (!text.empty()) {
        scratch_ += ": ";
        append_visible(scratch_, text);
    }
    partner_->warn(scratch_);
}

void Conversation::warn_not_roomd(std::string_view what) {
    partner_->warn(options_.address + " does not speak as roomd does: " + std::string(what));
    finish(ExitStatus::protocol);
}

// Whether those on their way were said, nobody knows; those to be sent again were not.
Conversation::Unacknowledged Conversation::unacknowledged() const {
    Unacknowledged lines;
    for (const std::deque<Asked>* const waiting : {&asked_, &again_}) {
        for (const Asked& asked : *waiting) {
            if (asked.line_number != 0 && (asked.kind == AskedKind::line || waiting == &again_)) {
                const bool none = lines.count == 0;
                lines.first = none ? asked.line_number : std::min(lines.first, asked.line_number);
                ++lines.count;
            }
        }
    }
    return lines;
}

void Conversation::warn_lost(std::string_view why) {
    std::string text = "the connection to " + options_.address + " was lost";
    text += why.empty() ? "" : " (" + std::string(why) + ")";
    const auto [count, first] = unacknowledged();
    if (count > 0 && options_.interactive) {
        text += "; of what you typed, " + std::to_string(count) + " was not said";
    } else if (count > 0) {
        text += "; not acknowledged: line " + std::to_string(first);
        text += count == 1 ? "" : " and " + std::to_string(count - 1) + " behind it";
    } else if (last_taken_ > 0 && !options_.interactive) {
        text += "; the last line acknowledged: line " + std::to_string(last_taken_);
    }
    partner_->warn(text);
}

} // namespace roomd
