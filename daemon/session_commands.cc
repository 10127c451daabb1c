#include "daemon/server.h"
#include "daemon/session.h"

#include <memory>
#include <string>

// Which commands a session may run, and those that are not the hub's.
namespace roomd {

namespace {

/// Connections by slot, as many lines at once as a portion may have.
class ConnsAnswer final : public LongAnswer {
public:
    explicit ConnsAnswer(Server& server) : server_(&server) {}

    bool write_more(std::string& out, Dialect dialect, std::uint32_t bytes_max) override {
        for (; next_ < server_->connection_slots(); ++next_) {
            if (out.size() >= bytes_max) {
                return true;
            }
            if (const std::string line = server_->connection_line(next_); !line.empty()) {
                encode(out, dialect, DebugLine{"conn", line});
                ++count_;
            }
        }
        encode(out, dialect, ConnsReply{count_});
        return false;
    }

private:
    Server* server_;
    std::uint32_t next_ = 0;
    std::uint64_t count_ = 0;
};

// A hundred numbers become text: some 15 us.
constexpr std::uint64_t stats_units = 1'500;
} // namespace

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
    const Join* const join = std::get_if<Join>(&command);
    if (join != nullptr && server_->lockdown() && !hub.has_room(join->room)) {
        hub.reply(member_, ErrorReply{"join", ErrorCode::no_permission,
                                      "no new rooms for now; those that are here can be joined"});
        return false;
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
        } else if constexpr (requires { run_own(typed); }) {
            run_own(typed);
        } else {
            hub.apply(member_, typed);
        }
    };
    std::visit(visitor, command);
}

void Session::run_own(const Quit& command) {
    end(CloseReason::quit, command.text);
}

void Session::run_own(const Help& command) {
    const CommandRow* const row = command.command ? find_command(*command.command) : nullptr;
    if (command.command && row == nullptr) {
        server_->hub().reply(member_,
                             ErrorReply{"help", ErrorCode::bad_command, "no such command"});
    } else {
        server_->hub().reply(member_, HelpReply{row, spec_->debug});
    }
}

void Session::run_own(const Trace& command) {
    server_->tracer().set(member_, command.on);
    server_->hub().reply(member_, TraceReply{command.on});
}

void Session::run_own(const Conns& /*command*/) {
    server_->hub().answer_at_length(member_, std::make_unique<ConnsAnswer>(*server_));
}

// The list that another process had begun begins anew.
void Session::list_again() {
    server_->hub().answer_at_length(member_, std::make_unique<ConnsAnswer>(*server_), true);
}

void Session::run_own(const Stats& /*command*/) {
    charge(stats_units);
    const OutQueue& output = stream_.output();
    std::string pairs = "queued_bytes=" + std::to_string(output.bytes());
    pairs += " queued_entries=" + std::to_string(output.entries());
    pairs += " unparsed_bytes=" + std::to_string(stream_.input().size());
    pairs += " " + server_->stats();
    server_->hub().reply(member_, StatsReply{pairs});
}

} // namespace roomd
