#include "daemon/operator.h"

#include "daemon/config_changes.h"
#include "daemon/heartbeat.h"
#include "reactor/sys.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace roomd {

namespace {

constexpr std::size_t stats_line_bytes = 240;

// An error of the configuration is for stderr: "roomd: ...\n".
std::string sentence_of(std::string error) {
    constexpr std::string_view program = "roomd: ";
    if (error.starts_with(program)) {
        error.erase(0, program.size());
    }
    while (error.ends_with('\n')) {
        error.pop_back();
    }
    return error;
}

} // namespace

Operator::Operator(std::span<char*> arguments, Server& server, Log& log, Supervisor& supervisor)
    : arguments_(arguments), server_(server), log_(log), supervisor_(supervisor),
      started_(server.config()), started_at_(sys::monotonic_now()), started_wall_(sys::wall_now()) {
}

void Operator::log_warnings(Log& log, const ConfigResult& loaded) {
    for (const std::string& warning : loaded.warnings) {
        log.line(LogLevel::warning, "config", {{"warning", warning}});
    }
}

void Operator::on_signal(int signal) {
    switch (signal) {
    case SIGHUP:
        static_cast<void>(reload()); // the log has it
        break;
    case SIGUSR1:
        log_stats();
        break;
    case SIGUSR2:
        static_cast<void>(upgrade());
        break;
    case SIGTERM:
        terminate();
        break;
    default:
        static_cast<void>(stop());
        break;
    }
}

void Operator::on_hangup() {
    log_.line(LogLevel::info, "terminal_closed",
              {{"meaning", "roomd stops with its terminal; start it with nohup to keep it"}});
    static_cast<void>(stop());
}

// A log line shows a short piece of any value: so many counters are several lines.
void Operator::log_stats() {
    const std::string stats = server_.stats();
    std::string_view rest = stats;
    while (!rest.empty()) {
        const std::size_t cut =
            rest.size() <= stats_line_bytes ? rest.size() : rest.rfind(' ', stats_line_bytes);
        log_.line(LogLevel::info, "stats", {{"counters", rest.substr(0, cut)}});
        rest.remove_prefix(std::min(cut + 1, rest.size()));
    }
}

// A service manager says the same to end the daemon and to start another in its place. Where it
// keeps connections it is asked to, once; otherwise, while an address is waited for, and at the
// second time, everybody is told.
void Operator::terminate() {
    std::string why;
    if (server_.config().keep_connections && upgrade_ != nullptr && server_.ready() && !leaving_) {
        leaving_ = true;
        if (upgrade_->leave(why)) {
            return;
        }
        log_.line(LogLevel::error, "connections_not_kept", {{"error", why}});
    }
    static_cast<void>(stop());
}

Verdict Operator::stop() {
    const bool again = server_.phase() == Server::Phase::stopping;
    supervisor_.stopping("saying goodbye");
    server_.stop();
    return {true, {again ? "stopping at once" : "stopping; everybody is told"}};
}

Verdict Operator::upgrade() {
    std::string why = "this roomd cannot hand its connections to another; restart it instead: "
                      "programs come back by themselves and ask for what they missed";
    const bool waiting = !server_.ready() && !stopping();
    if (waiting) { // and those whom another process has left are not here yet
        why = "this roomd waits for an address to listen on; ask again when it is ready";
    }
    if (waiting || upgrade_ == nullptr || !upgrade_->begin(why)) {
        log_.line(LogLevel::error, "upgrade_refused", {{"error", why}});
        return {false, {why}};
    }
    return {true, {}, true};
}

Verdict Operator::drain(Duration over) {
    if (!server_.drain(over)) {
        return {true, {"it is on its way already, with the time it was given first"}};
    }
    return {true, {"nobody new is let in; who is here is told to leave, then roomd ends"}};
}

Verdict Operator::lockdown(bool on) {
    server_.set_lockdown(on);
    return {true,
            {on ? "locked down: nobody new from other machines, no new rooms by those who are here"
                : "open again"}};
}

Verdict Operator::status() const {
    const auto uptime =
        std::chrono::duration_cast<std::chrono::seconds>(sys::monotonic_now() - started_at_);
    Verdict verdict{true, server_.status_lines()};
    verdict.lines.insert(verdict.lines.begin(),
                         {"version " + std::string(version()), "pid " + std::to_string(::getpid()),
                          "uptime_s " + std::to_string(uptime.count()),
                          "started_ms " + std::to_string(started_wall_)});
    return verdict;
}

Verdict Operator::reload() {
    if (stopping()) { // and the supervisor has been told so: it is not to hear that all is ready
        return {false, {"the server is going down"}};
    }
    if (loaded_) {
        reload_again_ = true;
        return {true, {}, true};
    }
    if (server_.ready()) { // else it is to hear so when an address has been had
        const auto since_boot = sys::monotonic_now().time_since_epoch();
        supervisor_.reloading(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(since_boot).count()));
    }
    ConfigResult loaded = load_config(static_cast<int>(arguments_.size()), arguments_.data(),
                                      sys::environment(), Patience::none);
    if (loaded.action != ConfigAction::run || lookup_ == nullptr) {
        return take_over(loaded, nullptr);
    }
    std::vector<std::string> names = server_.names_to_resolve(loaded.config);
    if (names.empty()) {
        return take_over(loaded, nullptr);
    }
    std::string why;
    if (!lookup_->begin(std::move(names), *this, why)) {
        loaded.action = ConfigAction::exit;
        loaded.error = why;
        return take_over(loaded, nullptr);
    }
    loaded_ = std::move(loaded);
    return {true, {}, true};
}

void Operator::on_names(const ResolvedNames& names) {
    const ConfigResult loaded = std::move(*loaded_);
    loaded_.reset();
    Verdict verdict = take_over(loaded, &names);
    if (std::exchange(reload_again_, false)) {
        verdict = reload();
    }
    if (!verdict.pending && listener_ != nullptr) {
        listener_->on_verdict(Request::reload, verdict);
    }
}

void Operator::abandon_reload() {
    if (lookup_ != nullptr) {
        lookup_->abandon();
    }
    loaded_.reset();
    reload_again_ = false;
}

void Operator::upgrade_ended(const Verdict& verdict) {
    if (listener_ != nullptr) {
        listener_->on_verdict(Request::upgrade, verdict);
    }
}

Verdict Operator::take_over(const ConfigResult& loaded, const ResolvedNames* names) {
    if (stopping()) { // told so while names were resolved
        return {false, {"the server is going down"}};
    }
    const bool serving = server_.ready();
    std::string error = loaded.error;
    const Config before = server_.config();
    Verdict verdict;
    if (loaded.action == ConfigAction::run && server_.reload(loaded.config, error, names)) {
        log_.configure(loaded.config.log_format, loaded.config.log_level,
                       loaded.config.limits.log_lines_per_second_max);
        log_warnings(log_, loaded);
        log_.line(LogLevel::info, "reloaded", {});
        verdict = {true, describe_changes({started_, before, server_.config()})};
        for (const std::string& warning : loaded.warnings) {
            verdict.lines.push_back("warning: " + warning);
        }
        if (!serving) {
            verdict.lines.emplace_back("nothing is open yet: the next attempt goes by this");
        }
    } else {
        error = sentence_of(std::move(error));
        log_.line(LogLevel::error, "reload_refused", {{"error", error}});
        verdict = {false, {error}};
    }
    if (serving) {
        supervisor_.ready(Heartbeat::status_of(server_));
    }
    return verdict;
}

} // namespace roomd
