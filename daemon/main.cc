// roomd — the program: configuration in, daemon running, exit code out. The wiring, top to bottom;
// construction order is destruction order in reverse, and the only catch that ends the program is
// here.
#include "daemon/activation.h"
#include "daemon/admin.h"
#include "daemon/config.h"
#include "daemon/handover.h"
#include "daemon/heartbeat.h"
#include "daemon/inheritance.h"
#include "daemon/listen_sockets.h"
#include "daemon/log.h"
#include "daemon/name_lookup.h"
#include "daemon/operator.h"
#include "daemon/server.h"
#include "daemon/supervisor.h"
#include "reactor/event_loop.h"
#include "reactor/signals.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sysexits.h>
#include <unistd.h>

namespace {

using namespace roomd; // NOLINT(google-build-using-namespace): this file is the program

// Binds, and while the address is taken tries again with growing pauses. The loop ticks meanwhile,
// so a signal ends the wait.
template <typename Open>
void open_patiently(Open open, EventLoop& loop, const Config& config, Log& log,
                    const Operator& orders) {
    const TimePoint give_up = sys::monotonic_now() + std::chrono::seconds(config.bind_retry_s);
    Duration pause = std::chrono::milliseconds(100);
    while (true) {
        try {
            open();
            return;
        } catch (const std::system_error& error) {
            const TimePoint now = sys::monotonic_now();
            if (error.code().value() != EADDRINUSE || now >= give_up) {
                throw;
            }
            log.line(LogLevel::warning, "bind_retry", {{"error", error.what()}});
            const TimePoint until = std::min(now + pause, give_up);
            while (sys::monotonic_now() < until && !orders.stopping()) {
                loop.tick(until - sys::monotonic_now());
            }
            if (orders.stopping()) {
                return;
            }
            pause = std::min<Duration>(pause * 2, std::chrono::seconds(5));
        }
    }
}

// On a terminal: how to talk to it.
void show_welcome(const Server& server, Log& log) {
    if (::isatty(STDERR_FILENO) == 0) {
        return;
    }
    std::string text;
    for (const Server::Bound& bound : server.bound()) {
        const std::size_t colon = bound.address.rfind(':');
        if (bound.spec->endpoint.transport != Transport::tcp || colon == std::string::npos) {
            continue;
        }
        std::string host = bound.address.substr(0, colon);
        std::erase_if(host, [](char byte) { return byte == '[' || byte == ']'; });
        const std::string port = bound.address.substr(colon + 1);
        if (bound.spec->debug) {
            text.append("  see what programs send:     nc ").append(host).append(" ").append(port);
            text.append("   then /trace on\n");
        } else {
            text.append("  people, in two terminals:   nc ").append(host).append(" ").append(port);
            text.append("   then type; /help helps\n  the same with names:        room ");
            text.append(bound.address).append(" --nick ann\n");
        }
    }
    log.show(text);
}

int exit_code_of(const std::system_error& error) {
    switch (error.code().value()) {
    case EACCES:
    case EPERM:
        return EX_NOPERM;
    case EADDRINUSE:
        return EX_UNAVAILABLE;
    default:
        return EX_OSERR;
    }
}

// Where it is commanded: as configured; else at a socket called admin that the service manager
// handed over.
std::optional<Endpoint> admin_endpoint(const Config& config, const InheritedSockets& inherited) {
    const bool handed_over = std::any_of(inherited.begin(), inherited.end(),
                                         [](const auto& item) { return item.first == "admin"; });
    return config.admin || !handed_over
               ? config.admin
               : std::optional(Endpoint{Transport::inherited, "", 0, "admin"});
}

std::unique_ptr<Admin> open_admin(const AdminHost& host, const Endpoint& endpoint,
                                  InheritedSockets& inherited) {
    constexpr int backlog = 16;
    ListenSocket socket =
        std::move(open_listen_sockets(endpoint, to_string(endpoint),
                                      {"--admin", backlog, false, false, &inherited})
                      .front());
    host.log.line(LogLevel::info, "admin_listening", {{"address", socket.address}});
    return std::make_unique<Admin>(host, AdminRules{::geteuid()}, std::move(socket.fd),
                                   std::move(socket.file));
}

// All that was handed over but the socket for commands.
void adopt_all(Server& server, InheritedSockets& inherited,
               const std::optional<Endpoint>& commanded) {
    for (auto& [name, socket] : inherited) {
        if (!commanded || commanded->path != name) {
            server.adopt(name, std::move(socket));
        }
    }
}

void say_ready(const Server& server, Supervisor& supervisor, Log& log) {
    log.line(LogLevel::info, "ready",
             {{"version", version()},
              {"poller", Poller::name()},
              {"connections_max", std::uint64_t{server.connections_max()}},
              {"memory_max", server.memory().ceiling()}});
    supervisor.ready(Heartbeat::status_of(server));
    show_welcome(server, log);
}

void say_goodbye(Server& server, EventLoop& loop) {
    if (server.session_count() > 0) {
        loop.go_on(); // whatever has stopped it
        if (!server.stopping()) {
            server.stop();
        }
        loop.run();
    }
}

// Until it is over. True: because another process goes on.
bool run(EventLoop& loop, Handover& handover) {
    while (true) {
        loop.run();
        if (!handover.due()) {
            return false;
        }
        if (handover.carry_out()) {
            return true;
        }
    }
}

// What whoever started this process has given it.
struct Given {
    Supervisor supervisor;
    InheritedSockets inherited;
    Inheritance inheritance;
};

// As many as are allowed, and room for them made at once: whoever takes over thousands of
// connections, or is met by them, would stop for it again and again. Whatever connections_max is:
// a reload may raise it.
void prepare_descriptors() {
    constexpr std::uint64_t prepared_max = 65'536; // half a megabyte
    sys::make_room_for_descriptors(std::min(sys::raise_descriptor_limit(), prepared_max));
}

// An operator who reloads by SIGHUP under nohup(1) would wait in vain.
void tell_ignored(const Signals& signals, Log& log) {
    for (const int signal : signals.left_ignored()) {
        const std::string name = signal == SIGHUP    ? "SIGHUP"
                                 : signal == SIGINT  ? "SIGINT"
                                 : signal == SIGTERM ? "SIGTERM"
                                                     : std::to_string(signal);
        log.line(LogLevel::info, "signal_ignored",
                 {{"signal", name},
                  {"meaning", "whoever started roomd had it ignored; roomctl can do the same"}});
    }
}

int serve(std::span<char*> arguments, const Config& config, Log& log, Given& given) {
    Supervisor& supervisor = given.supervisor;
    InheritedSockets& inherited = given.inherited;
    Inheritance& inheritance = given.inheritance;
    EventLoop loop;
    Server server(loop, config, log);
    Operator orders(arguments, server, log, supervisor);
    Signals signals(loop, {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}, orders);
    tell_ignored(signals, log);
    const Heartbeat heartbeat(loop, server, supervisor);
    inheritance.open(server, inherited, log);
    server.keep_given(copies_of(inherited));
    NameLookup lookup(loop, "/proc/self/exe");
    orders.set_name_lookup(lookup);
    Handover handover({loop, server, log, supervisor, signals, orders}, arguments,
                      sys::own_program(arguments.front()));
    orders.set_upgrade(handover);
    sys::let_signals_in(); // a process before us may have made them wait
    const std::optional<Endpoint> commanded = admin_endpoint(config, inherited);
    adopt_all(server, inherited, commanded);
    if (config.insecure_public) {
        log.line(
            LogLevel::warning, "insecure_public",
            {{"meaning", "anyone who can reach this machine can read and write in every room"}});
    }
    std::unique_ptr<Admin> admin;
    const auto open = [&] {
        if (commanded && admin == nullptr) {
            admin = open_admin({loop, server.host(), orders, log}, *commanded, inherited);
        }
        server.open_listeners();
    };
    try {
        open_patiently(open, loop, config, log, orders);
    } catch (const std::exception&) {
        // Nobody can come any more; those who are here are told.
        inheritance.restore(server, log);
        say_goodbye(server, loop);
        throw;
    }
    inheritance.restore(server, log);
    if (!orders.stopping()) {
        say_ready(server, supervisor, log);
    }
    const bool handed_over = run(loop, handover);
    signals.ignore_from_now(); // nobody here has anything left to lose
    if (handed_over) {
        static_cast<void>(server.release()); // closes them here; they are open elsewhere
        return EX_OK;
    }
    if (admin != nullptr) {
        admin->finish();
    }
    log.line(LogLevel::info, "stopped", {});
    return EX_OK;
}

// What was asked for, or what is wrong. Text that nobody could read is an error.
int answer(const ConfigResult& loaded) {
    const bool told = sys::write_all(STDERR_FILENO, loaded.error) == 0;
    if (!sys::print("roomd", loaded.output) || (!told && loaded.exit_code == EX_OK)) {
        return EX_IOERR;
    }
    return loaded.exit_code;
}

} // namespace

int main(int argc, char** argv) {
    const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
    sys::fill_standard_descriptors();
    sys::name_process(arguments.empty() ? "roomd" : arguments.front());
    sys::ignore_size_limit_signal();
    try {
        // The environment is changed before there are threads, and before it is read as
        // configuration.
        Inheritance inheritance = Inheritance::from_environment();
        const ConfigResult loaded = load_config(argc, argv, sys::environment());
        if (loaded.action == ConfigAction::exit) {
            return answer(loaded);
        }
        if (loaded.probe_state >= 0) {
            return probe_state(loaded.probe_state, loaded.probe_word, loaded.config);
        }
        Given given{Supervisor::from_environment(), inherited_sockets(), std::move(inheritance)};
        given.inheritance.take_from(given.inherited, given.supervisor);
        prepare_descriptors(); // before there are threads
        Log log(loaded.config.log_format, loaded.config.log_level,
                loaded.config.limits.log_lines_per_second_max);
        try {
            Operator::log_warnings(log, loaded);
            return serve(arguments, loaded.config, log, given);
        } catch (const std::system_error& error) {
            log.line(LogLevel::error, "cannot_start", {{"error", error.what()}});
            return exit_code_of(error);
        } catch (const std::runtime_error& error) { // a name that does not resolve
            log.line(LogLevel::error, "cannot_start", {{"error", error.what()}});
            return EX_NOHOST;
        }
    } catch (const std::exception& error) {
        static_cast<void>(std::fprintf(stderr, "roomd: %s\n", error.what()));
        return EX_SOFTWARE;
    }
}
