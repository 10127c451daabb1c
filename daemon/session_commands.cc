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

    bool write_more(std::string& out, Dialect dialect, std::uint32_t bytes_max,
                    std::uint64_t& units) override {
        std::uint32_t lines = 0;
        for (; next_ < server_->connection_slots(); ++next_) {
            if (out.size() >= bytes_max || lines == lines_max) {
                return true;
            }
            ++units;
            if (const std::string line = server_->connection_line(next_); !line.empty()) {
                encode(out, dialect, DebugLine{"conn", line});
                units += line_units;
                ++lines;
                ++count_;
            }
        }
        encode(out, dialect, ConnsReply{count_});
        return false;
    }

private:
    static constexpr std::uint32_t lines_max = 64;
    // The kernel is asked for the address, and a dozen numbers become text: some 6 us.
    static constexpr std::uint64_t line_units = 600;

    Server* server_;
    std::uint32_t next_ = 0;
    std::uint64_t count_ = 0;
};

// A hundred numbers become text: some 15 us.
constexpr std::uint64_t stats_units = 1'500;

// Nothing is different afterwards but what has been answered.
bool only_asks(const Command& command) {
    return std::visit(
        [](const auto& typed) {
            using T = std::decay_t<decltype(typed)>;
            return std::is_same_v<T, Who> || std::is_same_v<T, Rooms> ||
                   std::is_same_v<T, History> || std::is_same_v<T, Ping> ||
                   std::is_same_v<T, Stats> || std::is_same_v<T, Help> ||
                   std::is_same_v<T, Ignores> || std::is_same_v<T, Conns>;
        },
        command);
}

} // namespace

Session::Next Session::run(const Command& command, bool harmless) {
    if (stream_.broken() && only_asks(command)) {
        return Next::go_on; // nobody is there to be answered; what it said is still heard
    }
    if (!permitted(command)) {
        return Next::go_on;
    }
    run_now(command, harmless);
    return ending_ ? Next::done : Next::go_on;
}

bool Session::permitted(const Command& command) {
    const bool debug =
        std::holds_alternative<Trace>(command) || std::holds_alternative<Conns>(command);
    if (debug && !spec_->debug) {
        refuse(verb_of(command), ErrorCode::no_permission, "only on a listener with debug=on");
        return false;
    }
    const Join* const join = std::get_if<Join>(&command);
    if (limited_ && join != nullptr && server_->lockdown() &&
        !server_->hub().has_room(join->room)) {
        refuse("join", ErrorCode::no_permission,
               "no new rooms for now; those that are here can be joined");
        return false;
    }
    return true;
}

// Whatever the session itself refuses is answered and counted here.
void Session::refuse(std::string_view verb, ErrorCode code, std::string_view text) {
    ++server_->counters().commands_refused;
    server_->hub().reply(member_, ErrorReply{verb, code, text});
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
        refuse("help", ErrorCode::bad_command, "no such command");
    } else {
        server_->hub().reply(member_, HelpReply{row, spec_->debug});
    }
}

void Session::run_own(const Trace& command) {
    Tracer& tracer = server_->tracer();
    if (!command.on) {
        tracer.forget(member_);
    } else if (!tracer.add(member_)) {
        refuse("trace", ErrorCode::full,
               "at most " + std::to_string(Tracer::tracers_max) + " connections may trace at once");
        return;
    }
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
