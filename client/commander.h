// Commander — the commands of roomctl, on one roomd.
//
// Owned by roomctl. Each command is a call of its own, heard to its end; what was done goes to
// stdout, what was refused or went wrong to stderr, and what is returned is the exit status.
// Catches Ctrl-C while it lives: a drain that is no longer watched goes on.
#pragma once

#include "client/admin_call.h"
#include "client/exit_status.h"
#include "client/status_view.h"
#include "reactor/event_loop.h"
#include "reactor/signals.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

class Commander {
public:
    /// `socket`: the path of the daemon's admin socket. The commands throw std::system_error when
    /// nobody can be reached there: see cannot_connect().
    explicit Commander(std::string socket);

    [[nodiscard]] int status(bool json);
    /// Without anything to be told but the answer: `reload`, `lockdown on`.
    [[nodiscard]] int simply(const std::string& command);
    /// Waits until the new program answers.
    [[nodiscard]] int upgrade();
    /// `over` as a person writes it: plain numbers are seconds here. Tells how many are left until
    /// the end.
    [[nodiscard]] int drain(const std::string& over);

private:
    /// One command's answer, heard to its end.
    struct Answer {
        int status = 0;
        std::vector<std::string> lines; // those that were not told as they came
    };

    enum class Show : std::uint8_t { at_end, at_once };

    [[nodiscard]] int interrupted() const;
    Answer ask(std::string_view command);
    Answer ask(AdminCall& call, std::string_view command, Show show,
               std::optional<Duration> patience) const;
    static int tell(std::string_view command, const Answer& answer);
    static StatusView view_of(const Answer& answer);
    std::optional<StatusView> look_for_new(std::string_view started);

    std::string socket_;
    EventLoop loop_;
    Interrupt interrupt_;
    Signals signals_;
};

/// Says `why` on stderr; returns the exit status.
int fail(ExitStatus status, const std::string& why);

/// What to say, and the exit status, when the socket could not be reached.
[[nodiscard]] int cannot_connect(const std::string& path, int error);

} // namespace roomd
