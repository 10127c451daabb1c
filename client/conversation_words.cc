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

void Conversation::on_typed(std::string_view text) {
    const Typed typed = understand_typed(text);
    switch (typed.kind) {
    case TypedKind::nothing:
        break;
    case TypedKind::payload:
        ask(AskedKind::command, typed.payload);
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

void Conversation::warn_lost(std::string_view why) {
    std::string text = "the connection to " + options_.address + " was lost";
    text += why.empty() ? "" : " (" + std::string(why) + ")";
    const auto is_line = [](const Asked& asked) { return asked.kind == AskedKind::line; };
    const auto first = std::find_if(asked_.begin(), asked_.end(), is_line);
    if (first != asked_.end()) {
        const auto count = std::count_if(first, asked_.end(), is_line);
        text += "; not acknowledged: line " + std::to_string(first->line_number);
        text += count == 1 ? "" : " and " + std::to_string(count - 1) + " behind it";
    }
    partner_->warn(text);
}

} // namespace roomd
