#include "client/chat.h"
#include "client/command_line.h"
#include "protocol/name.h"
#include "reactor/endpoint.h"
#include "reactor/sys.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <unistd.h>

namespace {

using namespace roomd;

constexpr std::uint16_t default_port = 8888;
constexpr std::string_view default_address = "127.0.0.1:8888";

constexpr const char* footer =
    R"(ADDRESS is HOST, HOST:PORT, PORT, [IPV6], [IPV6]:PORT, tcp://HOST:PORT or the path of a Unix
socket.
Without a PORT it is 8888. A HOST that has several addresses is tried at each of them.

On a terminal: what you type is said; /help shows the commands; quit, Ctrl-D or Ctrl-C leaves.
When somebody speaks while you type, Ctrl-R shows your line again.
  room                             talk in lobby on this machine
  room -n ann -r ops               talk in ops as ann
  room chat.example.org            talk somewhere else, at port 8888
  room /run/roomd/roomd.sock       talk over a Unix socket

With a pipe or a file as stdin every line is said as it is (a leading / too; empty lines are
skipped), and room leaves when roomd has acknowledged all of them. What others say goes to stdout.
Lines that come faster than roomd takes them are sent again, in order, and stderr says so once.
  uptime | room -r ops             say one line
  tail -f app.log | room -r logs   say lines as they come
  sleep infinity | room >log       only listen

Exit status: 0 all was acknowledged; 1 a line or the name was refused (stderr says which and why);
64 wrong usage; 69 cannot connect; 74 stdin or stdout broke; 75 the connection was lost;
76 what answers is not roomd; 128+N ended by signal N.)";

int fail(ExitStatus status, const std::string& why) {
    std::cerr << "room: " << why << std::endl;
    return static_cast<int>(status);
}

std::string start_hint(const std::string& address) {
    const bool is_default = address == "tcp://" + std::string(default_address);
    return "  Is roomd running? Start it with: roomd" +
           (is_default ? std::string() : " --listen " + address) +
           "\n  or say where it is: room ADDRESS (room --help tells the forms)";
}

/// Why `text` is no name; empty if it is one.
std::string bad_name(std::string_view text, NameKind kind) {
    const auto name = Name::parse(text, kind, ScriptPolicy::any);
    const auto* const bad = std::get_if<BadName>(&name);
    return bad == nullptr ? std::string() : std::string(bad->why);
}

std::vector<SocketAddress> addresses_of(const Endpoint& endpoint) {
    return endpoint.transport == Transport::unix_stream
               ? std::vector{unix_address(endpoint.path)}
               : sys::resolve(endpoint.host, endpoint.port, false);
}

int chat(ChatOptions options) {
    EventLoop loop;
    int status = 0;
    bool output_refused = false;
    {
        Chat chat(loop, std::move(options), std::cerr);
        Signals signals(loop, {SIGINT, SIGTERM, SIGHUP}, chat);
        chat.begin();
        loop.run();
        status = chat.status();
        output_refused = chat.output_refused();
        if (!output_refused) {
            signals.ignore_from_now(); // one Ctrl-C too many does not change how this ended
        }
    }
    if (output_refused) {
        // Signals are as they were before: this ends us as it ends cat, unless it is ignored.
        static_cast<void>(std::raise(SIGPIPE));
        return fail(ExitStatus::input_output, "cannot write to stdout: " + sys::error_text(EPIPE));
    }
    return status;
}

int run(int argc, char** argv) {
    CLI::App app{"room - talk in the rooms of a roomd", "room"};
    std::string address{default_address};
    ConversationOptions conversation;
    conversation.room = "lobby";
    app.add_option("ADDRESS", address, "where roomd listens")->capture_default_str();
    const CLI::Option* const nick =
        app.add_option("-n,--nick", conversation.nick, "your name; without it you are a guest");
    app.add_option("-r,--room", conversation.room, "the room to enter")->capture_default_str();
    app.set_version_flag("-V,--version", "room " ROOMD_VERSION);
    app.footer(footer);
    if (const std::optional<int> status = read_arguments<CLI::ParseError>(app, argc, argv)) {
        return *status;
    }

    const auto parsed = parse_endpoint(address, default_port);
    if (const auto* const bad = std::get_if<BadEndpoint>(&parsed)) {
        return fail(ExitStatus::usage, bad->why);
    }
    const auto& endpoint = std::get<Endpoint>(parsed);
    if (endpoint.transport != Transport::tcp && endpoint.transport != Transport::unix_stream) {
        return fail(ExitStatus::usage, address + ": room connects over TCP or a Unix socket");
    }
    if (const std::string why = bad_name(conversation.room, NameKind::room); !why.empty()) {
        return fail(ExitStatus::usage, "--room " + conversation.room + ": " + why);
    }
    if (nick->count() != 0) {
        if (const std::string why = bad_name(conversation.nick, NameKind::nick); !why.empty()) {
            return fail(ExitStatus::usage, "--nick " + conversation.nick + ": " + why);
        }
    }
    conversation.address = to_string(endpoint);
    conversation.interactive = ::isatty(STDIN_FILENO) == 1;
    conversation.nick_required = nick->count() != 0 && !conversation.interactive;

    ChatOptions options;
    options.start_hint = start_hint(conversation.address);
    options.conversation = std::move(conversation);
    try {
        options.addresses = addresses_of(endpoint);
    } catch (const std::exception& error) {
        return fail(ExitStatus::unavailable, error.what());
    }
    return chat(std::move(options));
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
