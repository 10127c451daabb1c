// roomctl — the program with which an operator commands a running roomd over its admin socket.
#include "client/command_line.h"
#include "client/commander.h"
#include "reactor/sys.h"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace {

using namespace roomd; // NOLINT(google-build-using-namespace): this file is the program

constexpr const char* footer = R"(Examples:
  roomctl status                        what it is doing
  roomctl status --json | jq .rooms
  roomctl reload                        take over the changed configuration, or say what is wrong
  roomctl upgrade                       the new program in the place of the old, nobody notices
  roomctl drain --over 60               everybody leaves within a minute, then roomd ends
  roomctl lockdown on                   nobody new from other machines, no new rooms by them
  roomctl --socket /tmp/a.sock status   of a roomd that was started with --admin /tmp/a.sock

Without --socket it is $XDG_RUNTIME_DIR/roomd/admin.sock if that is there, else
/run/roomd/admin.sock. root may command, and the user whose daemon it is.

Exit status: 0 done; 1 refused (stderr says why); 64 wrong usage; 69 no roomd answers there;
74 it did not answer to the end; 77 not allowed; 128+N ended by signal N.)";

std::string default_socket() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): this program has one thread
    const char* const directory = std::getenv("XDG_RUNTIME_DIR");
    const std::string own =
        std::string(directory == nullptr ? "" : directory) + "/roomd/admin.sock";
    return directory != nullptr && ::access(own.c_str(), F_OK) == 0 ? own : "/run/roomd/admin.sock";
}

/// What the command line asks for.
struct Wanted {
    std::string socket = default_socket();
    std::string command;
    std::string over = "10";
    std::string lockdown;
    bool json = false;
};

void add_options(CLI::App& app, Wanted& wanted) {
    app.add_option("--socket", wanted.socket, "where roomd listens for commands (its --admin)")
        ->type_name("PATH")
        ->capture_default_str();
    app.set_version_flag("-V,--version", "roomctl " ROOMD_VERSION);
    app.footer(footer);
    app.fallthrough();
    app.allow_extras(); // to be named by us
    app.add_subcommand("status", "what it is doing")
        ->add_flag("--json", wanted.json, "for programs");
    app.add_subcommand("reload", "read the configuration again, all or nothing");
    app.add_subcommand("upgrade", "put the new program in the place of the old one");
    app.add_subcommand("drain", "everybody is told to leave, then roomd ends")
        ->add_option("--over", wanted.over, "spread over so long, at a random moment each")
        ->type_name("SECONDS")
        ->capture_default_str();
    app.add_subcommand("lockdown", "nobody new from other machines, no new rooms by them")
        ->add_option("on|off", wanted.lockdown)
        ->required()
        ->check(CLI::IsMember({"on", "off"}));
    for (CLI::App* const command : app.get_subcommands(nullptr)) {
        command->callback([&wanted, command] { wanted.command = command->get_name(); });
    }
}

/// What is wrong with it; empty if nothing is.
std::string refusal(const CLI::App& app, const Wanted& wanted) {
    const std::vector<std::string> extras = app.remaining(true);
    if (!extras.empty()) {
        return "\"" + extras.front() + "\" is no command or option of roomctl";
    }
    if (app.get_subcommands().size() != 1) {
        return wanted.command.empty() ? "say what to do: status, reload, upgrade, drain or lockdown"
                                      : "one command at a time";
    }
    return {};
}

int command(const Wanted& wanted) {
    try {
        Commander commander(wanted.socket);
        if (wanted.command == "status") {
            return commander.status(wanted.json);
        }
        if (wanted.command == "upgrade") {
            return commander.upgrade();
        }
        if (wanted.command == "drain") {
            return commander.drain(wanted.over);
        }
        const bool lockdown = wanted.command == "lockdown";
        return commander.simply(lockdown ? "lockdown " + wanted.lockdown : wanted.command);
    } catch (const std::system_error& error) {
        return cannot_connect(wanted.socket, error.code().value());
    }
}

int run(int argc, char** argv) {
    CLI::App app{"roomctl - command a running roomd", "roomctl"};
    Wanted wanted;
    add_options(app, wanted);
    if (const std::optional<int> status = read_arguments<CLI::ParseError>(app, argc, argv)) {
        return *status;
    }
    if (const std::string why = refusal(app, wanted); !why.empty()) {
        return fail(ExitStatus::usage, why + "\n  try: roomctl --help");
    }
    return command(wanted);
}

} // namespace

int main(int argc, char** argv) {
    sys::fill_standard_descriptors();
    sys::ignore_size_limit_signal();
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        return fail(ExitStatus::input_output, error.what());
    }
}
