#include "client/commander.h"

#include "reactor/sys.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <system_error>
#include <utility>

namespace roomd {

namespace {

// A reload may have to resolve names.
constexpr Duration answer_patience = std::chrono::seconds(60);
constexpr Duration upgrade_patience = std::chrono::seconds(30);
constexpr Duration upgrade_pause = std::chrono::milliseconds(50);

int status_of(const std::string& last) {
    if (last.starts_with("ok ")) {
        return static_cast<int>(ExitStatus::done);
    }
    const std::size_t colon = std::min(last.find(": "), last.size());
    const std::string why = last.substr(std::min(colon + 2, last.size()));
    if (last.starts_with("error refused")) {
        return static_cast<int>(ExitStatus::refused);
    }
    if (last.starts_with("error usage")) {
        return static_cast<int>(ExitStatus::usage);
    }
    if (last.starts_with("error not_allowed")) {
        return fail(ExitStatus::not_allowed, why + "; use sudo");
    }
    if (last.starts_with("error full")) {
        return fail(ExitStatus::unavailable, why);
    }
    return fail(ExitStatus::input_output, "what answers is no roomd: " + last);
}

/// On stdout; the exit status.
int print(const std::string& text) {
    return static_cast<int>(sys::print("roomctl", text) ? ExitStatus::done
                                                        : ExitStatus::input_output);
}

} // namespace

Commander::Commander(std::string socket)
    : socket_(std::move(socket)), signals_(loop_, {SIGINT, SIGTERM}, interrupt_) {}

int fail(ExitStatus status, const std::string& why) {
    std::cerr << "roomctl: " << why << std::endl;
    return static_cast<int>(status);
}

int cannot_connect(const std::string& path, int error) {
    switch (error) {
    case EACCES:
    case EPERM:
        return fail(ExitStatus::not_allowed,
                    path + " may not be opened by you: use sudo, or be the user roomd runs as");
    case ENOENT:
        return fail(ExitStatus::unavailable, "no roomd answers at " + path +
                                                 ": there is no such socket\n"
                                                 "  Is roomd running, and with --admin " +
                                                 path +
                                                 "? "
                                                 "Another place is named with --socket PATH");
    case EAGAIN:
        return fail(ExitStatus::unavailable,
                    path + " is busy: as many wait there as may, and none was let in for 10 s");
    case ECONNREFUSED:
        return fail(ExitStatus::unavailable,
                    "no roomd answers at " + path + ": it has ended and left its socket behind");
    default:
        return fail(ExitStatus::unavailable, path + ": " + sys::error_text(error));
    }
}

/// What was done on stdout, what was refused on stderr.
int Commander::tell(std::string_view command, const Answer& answer) {
    const bool done = answer.status == static_cast<int>(ExitStatus::done);
    std::string text;
    for (const std::string& line : answer.lines) {
        text +=
            done ? line + "\n" : "roomctl: " + std::string(command) + " refused: " + line + "\n";
    }
    if (!done) {
        std::cerr << text << std::flush;
        return answer.status;
    }
    return print(text);
}

int Commander::status(bool json) {
    const Answer answer = ask("status");
    if (answer.status != static_cast<int>(ExitStatus::done)) {
        return tell("status", answer);
    }
    const StatusView view = view_of(answer);
    return print(json ? view.as_json() : view.as_text());
}

int Commander::simply(const std::string& command) {
    return tell(command, ask(command));
}

int Commander::upgrade() {
    const StatusView before = view_of(ask("status"));
    const int status = simply("upgrade");
    if (status != static_cast<int>(ExitStatus::done)) {
        return status;
    }
    for (Duration waited{}; waited < upgrade_patience; waited += upgrade_pause) {
        if (const auto after = look_for_new(before.value_of("started_ms"))) {
            const auto of = [&after](std::string_view name) {
                return std::string(after->value_of(name));
            };
            return print("now roomd " + of("version") + ", pid " + of("pid") + ", " +
                         of("connections") + " connections\n");
        }
        loop_.tick(upgrade_pause);
        if (interrupt_.signal() != 0) {
            return interrupted();
        }
    }
    return fail(ExitStatus::refused, "no new roomd answers; the log says what became of it");
}

int Commander::drain(const std::string& over) {
    const bool plain =
        std::all_of(over.begin(), over.end(), [](char c) { return c >= '0' && c <= '9'; });
    AdminCall call(loop_, interrupt_, socket_);
    const Answer answer =
        ask(call, "drain " + over + (plain ? "s" : ""), Show::at_once, std::nullopt);
    if (answer.status > signal_status_base) {
        static_cast<void>(fail(ExitStatus::done, "no longer watching; roomd goes on draining, "
                                                 "and `roomctl drain` watches again"));
    }
    return answer.status;
}

int Commander::interrupted() const {
    return signal_status_base + interrupt_.signal();
}

Commander::Answer Commander::ask(std::string_view command) {
    AdminCall call(loop_, interrupt_, socket_);
    return ask(call, command, Show::at_end, answer_patience);
}

Commander::Answer Commander::ask(AdminCall& call, std::string_view command, Show show,
                                 std::optional<Duration> patience) const {
    Answer answer;
    std::string line;
    call.ask(command);
    while (true) {
        switch (call.hear(line, patience)) {
        case AdminCall::Heard::line:
            break;
        case AdminCall::Heard::ended:
            answer.status =
                fail(ExitStatus::input_output, "roomd closed the connection before it had "
                                               "answered; its log may say why");
            return answer;
        case AdminCall::Heard::interrupted:
            answer.status = interrupted();
            return answer;
        case AdminCall::Heard::nothing:
            answer.status =
                fail(ExitStatus::input_output, "roomd takes the command and does not answer");
            return answer;
        }
        if (!line.starts_with("- ")) {
            answer.status = status_of(line);
            return answer;
        }
        line.erase(0, 2);
        if (show == Show::at_once) {
            if (const int status = print(line + "\n"); status != 0) {
                answer.status = status;
                return answer;
            }
        } else {
            answer.lines.push_back(line);
        }
    }
}

StatusView Commander::view_of(const Answer& answer) {
    StatusView view;
    for (const std::string& line : answer.lines) {
        view.add(line);
    }
    return view;
}

std::optional<StatusView> Commander::look_for_new(std::string_view started) {
    try {
        AdminCall call(loop_, interrupt_, socket_);
        std::string line;
        StatusView view;
        call.ask("status");
        while (call.hear(line, upgrade_pause) == AdminCall::Heard::line && line.starts_with("- ")) {
            view.add(std::string_view(line).substr(2));
        }
        const std::string_view now = view.value_of("started_ms");
        const bool whole = line.starts_with("ok ");
        return !whole || now == started ? std::nullopt : std::optional(std::move(view));
    } catch (const std::system_error&) { // it is not there yet
        return std::nullopt;
    }
}

} // namespace roomd
