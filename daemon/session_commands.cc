#include "daemon/server.h"
#include "daemon/session.h"

#include <string>

// Which commands a session may run, and those that are not the hub's.
namespace roomd {

Session::Next Session::run(const Command& command, bool harmless) {
    if (!allowed(command)) {
        return Next::go_on;
    }
    run_now(command, harmless);
    return ending_ ? Next::done : Next::go_on;
}

bool Session::allowed(const Command& command) {
    const bool debug =
        std::holds_alternative<Trace>(command) || std::holds_alternative<Conns>(command);
    Hub& hub = server_->hub();
    if (debug && !spec_->debug) {
        hub.reply(member_, ErrorReply{verb_of(command), ErrorCode::no_permission,
                                      "only on a listener with debug=on"});
        return false;
    }
    if (!limited_) {
        return true;
    }
    std::uint64_t fanout_bytes = 0;
    if (const Text* const text = std::get_if<Text>(&command); text != nullptr) {
        fanout_bytes = text->text.size() * hub.audience(member_, command);
    } else if (const Say* const said = std::get_if<Say>(&command); said != nullptr) {
        fanout_bytes = said->text.size() * hub.audience(member_, command);
    } else if (const Me* const action = std::get_if<Me>(&command); action != nullptr) {
        fanout_bytes = action->text.size() * hub.audience(member_, command);
    }
    const std::optional<Limit> met =
        extra_->rates.judge(server_->limits(), command, fanout_bytes, server_->loop().now());
    if (!met) {
        return true;
    }
    server_->counters().hit(*met);
    hub.reply(member_, ErrorReply{verb_of(command), ErrorCode::rate_limited, "not so fast"});
    return false;
}

void Session::run_now(const Command& command, bool harmless) {
    Hub& hub = server_->hub();
    const auto visitor = [&](const auto& typed) {
        using T = std::decay_t<decltype(typed)>;
        if constexpr (std::is_same_v<T, Text> || std::is_same_v<T, Say> || std::is_same_v<T, Me>) {
            hub.apply(member_, typed, harmless);
        } else if constexpr (std::is_same_v<T, Quit>) {
            end(CloseReason::quit, typed.text);
        } else if constexpr (std::is_same_v<T, Help>) {
            const CommandRow* const row = typed.command ? find_command(*typed.command) : nullptr;
            if (typed.command && row == nullptr) {
                hub.reply(member_, ErrorReply{"help", ErrorCode::bad_command, "no such command"});
            } else {
                hub.reply(member_, HelpReply{row, spec_->debug});
            }
        } else if constexpr (std::is_same_v<T, Stats>) {
            show_stats();
        } else if constexpr (std::is_same_v<T, Trace>) {
            server_->tracer().set(member_, typed.on);
            hub.reply(member_, TraceReply{typed.on});
        } else if constexpr (std::is_same_v<T, Conns>) {
            const std::vector<std::string> lines = server_->connection_lines();
            for (const std::string& line : lines) {
                hub.reply(member_, DebugLine{"conn", line});
            }
            hub.reply(member_, ConnsReply{lines.size()});
        } else {
            hub.apply(member_, typed);
        }
    };
    std::visit(visitor, command);
}

void Session::show_stats() {
    const OutQueue& output = stream_.output();
    std::string pairs = "queued_bytes=" + std::to_string(output.bytes());
    pairs += " queued_entries=" + std::to_string(output.entries());
    pairs += " unparsed_bytes=" + std::to_string(stream_.input().size());
    pairs += " " + server_->stats();
    server_->hub().reply(member_, StatsReply{pairs});
}

} // namespace roomd
