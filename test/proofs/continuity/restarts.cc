#include "test/proofs/continuity/restarts.h"

#include "reactor/sys.h"

#include <array>
#include <string>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace roomd::continuity {

namespace {

constexpr Duration doze_before = std::chrono::milliseconds(300);
constexpr std::uint64_t lead_us = 100'000; // what was said so shortly before counts to a restart
constexpr Duration crash_patience = std::chrono::seconds(30);

double ms(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

Duration seconds(double count) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(count));
}

/// -1: not started.
pid_t start(const std::string& command) {
    std::string shell = "sh";
    std::string option = "-c";
    std::string script = command; // posix_spawn(3) wants them writable
    const std::array<char*, 4> arguments{shell.data(), option.data(), script.data(), nullptr};
    pid_t child = -1;
    return ::posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments.data(), ::environ) == 0
               ? child
               : -1;
}

} // namespace

void Restarts::fault(FaultKind kind, const std::string& text) {
    findings_->add(crowd_->us(crowd_->loop().now()), "restart " + std::to_string(done_ + 1),
                   {kind, text});
}

void Restarts::begin(TimePoint now) {
    next_ = now + seconds(crowd_->options().warm_up_s) + doze_before;
}

void Restarts::step(TimePoint now) {
    switch (state_) {
    case State::waiting:
        if (now >= next_ - doze_before) {
            hardship_->doze();
            state_ = State::dozing;
        }
        return;
    case State::dozing:
        if (now >= next_) {
            hardship_->brace(now); // goes out at the end of this tick
            state_ = State::braced;
        }
        return;
    case State::braced:
        fire(now);
        return;
    case State::running:
        await_command(now);
        return;
    case State::recovering:
        recover(now);
        return;
    case State::over:
        return;
    }
}

void Restarts::fire(TimePoint now) {
    const std::uint64_t now_us = crowd_->us(now);
    crowd_->windows().open(now_us - std::min(now_us, lead_us));
    fired_ = sys::monotonic_now();
    const std::string& command = crowd_->options().restart;
    if (!command.empty()) {
        child_ = start(command);
        if (child_ < 0) {
            fault(FaultKind::command, "cannot be started: " + command);
        }
    }
    hardship_->rouse(now);
    if (crowd_->options().crash) {
        probes_->daemon_crashed(fired_);
    }
    state_ = State::running;
}

void Restarts::await_command(TimePoint now) {
    if (child_ > 0) {
        int status = 0;
        if (::waitpid(child_, &status, WNOHANG) != child_) {
            return;
        }
        child_ = -1;
        crowd_->windows().now().command_ms = ms(sys::monotonic_now() - fired_);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fault(FaultKind::command, "ended with status " + std::to_string(status));
        }
    }
    state_ = State::recovering;
    recover(now);
}

void Restarts::recover(TimePoint now) {
    Window& window = crowd_->windows().now();
    if (crowd_->options().crash) {
        if (window.back_ms == 0 && probes_->back()) {
            window.back_ms = ms(*probes_->back() - fired_);
        }
        const bool resumed = window.back_ms > 0 && crowd_->all_present();
        if (!resumed && now - fired_ < crash_patience) {
            return;
        }
        if (!resumed) {
            fault(FaultKind::command, window.lost == 0 ? "nothing crashed" : "not all came back");
        } else if (window.resumed_ms == 0) {
            window.resumed_ms = ms(now - fired_);
        }
        const std::uint32_t most = crowd_->options().back_ms_max;
        if (resumed && window.resumed_ms == ms(now - fired_) && most > 0 && window.back_ms > most) {
            fault(FaultKind::pause,
                  "nobody was welcomed for " + std::to_string(window.back_ms) + " ms");
        }
    }
    if (now < fired_ + seconds(crowd_->options().every_s) - doze_before) {
        return;
    }
    ++done_;
    next_ = now + doze_before;
    state_ = done_ >= crowd_->options().times ? State::over : State::waiting;
}

} // namespace roomd::continuity
