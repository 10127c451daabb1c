#include "bench/conduct.h"
#include "bench/relay.h"
#include "bench/suite.h"
#include "bench/systems.h"
#include "bench/transcript.h"
#include "reactor/arguments.h"
#include "reactor/endpoint.h"
#include "reactor/sys.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <unistd.h>

namespace {

using namespace roomd;
using namespace roomd::bench;

constexpr const char* footer =
    R"(Each load starts a fresh roomd on a free port of loopback, checks that every message reaches
every member once and in order, and says what a delivery costs the server. Nothing is left running.

Try it:
  roombench fanout                              one publisher, 100 members, as fast as it goes
  roombench fanout --members 1000 --size 256    the same, wider and heavier
  roombench fanout --members 0 --publishers 10  nobody listens: what a message costs on its way in
  roombench latency --rate 5000                 open loop: how long messages take at that rate
  roombench slow --stalled 100                  what readers that stall do to those that do not
  roombench fanout --compare redis,nats,floor   the same against others, by turns; medians, ratios
  roombench latency --format plain,event        one after the other in both formats
  roombench sweep --series members,rooms        how cost grows
  roombench fanout --connect 127.0.0.1:8888 --pid $(pidof roomd)
                                                a roomd that already runs (its limits apply)
  roombench suite --compare redis,nats,mosquitto,floor --out build/bench
                                                S1 to S7 and growth: table, JSON, page

`floor` is built in: a relay that reads and sends and does nothing else. The others come from the
machine's packages. Exit status: 0 every run was complete, 1 one was not, 64 wrong usage, 69 a
program is missing, 73 a file cannot be written, 130 interrupted.)";

struct Command {
    const char* name;
    const char* text;
    Task task;
    Scenario scenario; // what it does if nothing else is said
};

Scenario load_of(Load load, std::uint32_t publishers, std::uint32_t members) {
    return {.name = {}, .load = load, .publishers = publishers, .members = members};
}

std::vector<Command> commands() {
    std::vector<Command> all{
        {"fanout", "publishers speak, members hear, as fast as it goes", Task::one, {}},
        {"rooms", "the same in many small rooms, each with its publisher", Task::one, {}},
        {"latency", "messages at a fixed rate: how long each takes", Task::one, {}},
        {"connect", "connections come, are welcomed and go, --members at a time", Task::one,
         load_of(Load::connect, 0, 64)},
        {"idle", "connections that do nothing: memory of each", Task::one,
         load_of(Load::idle, 0, 10000)},
        {"slow", "a fixed rate beside members that never read", Task::one,
         load_of(Load::slow, 1, 100)},
        {"echo", "each of the --publishers gets its own bytes back", Task::one,
         load_of(Load::echo, 64, 0)},
        {"mixed", "members join, leave, take other names and speak", Task::one,
         load_of(Load::mixed, 0, 20)},
        {"sweep", "how cost grows with members, size, rooms", Task::sweep, {}},
        {"suite", "S1 to S7 and growth, judged by what roomd promises", Task::suite, {}},
    };
    constexpr std::uint32_t small_rooms = 100;
    for (Command& command : all) {
        Scenario& scenario = command.scenario;
        scenario.name = command.name;
        if (scenario.name == "rooms") {
            scenario.rooms = small_rooms;
            scenario.publishers = small_rooms;
            scenario.members = 10;
            scenario.window = 64;
        } else if (scenario.name == "latency") {
            scenario.rate = 1000;
        } else if (scenario.name == "slow") {
            scenario.stalled = 100;
            scenario.size = 4096;
            scenario.rate = 1000;
            scenario.seconds = 5;
        } else if (scenario.name == "echo") {
            scenario.window = 16;
        } else if (scenario.name == "mixed") {
            scenario.rooms = 4;
        } else if (command.task == Task::sweep) {
            scenario.window = 64;
        } else if (command.task == Task::suite) {
            scenario.seconds = 1;
            scenario.warmup_seconds = 0.3;
        }
    }
    return all;
}

void add_load_options(CLI::App& app, Scenario& scenario) {
    constexpr std::uint32_t count_max = 1'000'000;
    constexpr std::uint32_t size_max = 60'000; // below roomd's largest frame
    const CLI::Range count(std::uint32_t{0}, count_max);
    const CLI::Range some(std::uint32_t{1}, count_max);
    app.add_option("--publishers", scenario.publishers,
                   "connections that speak, dealt out over rooms")
        ->check(count);
    app.add_option("--members", scenario.members, "connections that hear, in each room")
        ->check(count);
    app.add_option("--rooms", scenario.rooms, "rooms")->check(some);
    app.add_option("--size", scenario.size, "bytes of a message's text")
        ->check(CLI::Range(static_cast<std::uint32_t>(stamp_bytes), size_max));
    app.add_option("--window", scenario.window, "messages of a publisher on their way, at most")
        ->check(some);
    app.add_option("--rate", scenario.rate,
                   "messages a second of all together; 0: as fast as it goes")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--stalled", scenario.stalled, "more members, that never read")->check(count);
    app.add_flag("--acknowledged", scenario.acknowledged,
                 "the window counts what the server has acknowledged, not what members have");
}

Dialect dialect_of(std::string_view name) {
    if (name == "event") {
        return Dialect::event;
    }
    return name == "human" ? Dialect::human : Dialect::plain;
}

void add_common_options(CLI::App& app, Options& options) {
    std::vector<std::string> systems = system_names();
    std::erase(systems, std::string(roomd_system));

    app.add_option_function<std::vector<std::string>>(
           "--format",
           [&options](const std::vector<std::string>& names) {
               for (const std::string& name : names) {
                   options.dialects.push_back(dialect_of(name));
               }
           },
           "plain, event or human; several with commas")
        ->delimiter(',')
        ->check(CLI::IsMember({"plain", "event", "human"}).description(""))
        ->type_name("FORMAT");
    app.add_option("--seconds", options.scenario.seconds, "how long is measured")
        ->check(CLI::Range(0.05, 3600.0));
    app.add_option("--warmup", options.scenario.warmup_seconds, "seconds before that")
        ->check(CLI::Range(0.0, 3600.0));
    app.add_option("--compare", options.others, "redis, nats, mosquitto, floor; with commas")
        ->delimiter(',')
        ->check(CLI::IsMember(systems).description(""))
        ->type_name("SYSTEM");
    app.add_option("--rounds", options.rounds, "runs of each, by turns [5 with --compare, else 1]")
        ->check(CLI::Range(1, 1000));
    app.add_option("--roomd", options.roomd, "the program to start [beside roombench]");
    app.add_flag("!--no-pin", options.pin, "do not keep server and generator on a processor each");
    app.add_option("--json", options.json, "write everything into FILE")->type_name("FILE");
    app.add_option("--html", options.html, "write one page with charts into FILE")
        ->type_name("FILE");
    app.add_option("--out", options.out, "write table.txt, bench.json and bench.html into DIR")
        ->type_name("DIR");
}

void add_connect_options(CLI::App& app, Options& options) {
    CLI::Option* const connect =
        app.add_option("--connect", options.connect, "load a server that is already there")
            ->type_name("URI")
            ->check(
                [](const std::string& text) {
                    const auto parsed = parse_endpoint(text);
                    const auto* const bad = std::get_if<BadEndpoint>(&parsed);
                    return bad == nullptr ? std::string() : bad->why;
                },
                "");
    app.add_flag("--spawn", options.spawn,
                 "start a roomd for it; so it is unless --connect is given")
        ->excludes(connect);
    app.add_option("--pid", options.pid, "its process, for CPU and memory")->needs(connect);
    app.add_option("--system", options.system, "what it is, if not roomd")
        ->needs(connect)
        ->check(CLI::IsMember(system_names()).description(""))
        ->type_name("SYSTEM");
}

/// What cannot be said with one option at a time. Empty: all is well.
std::string contradiction(const Options& options, bool publishers_given) {
    const Scenario& scenario = options.scenario;
    const bool speaks =
        scenario.load == Load::fanout || scenario.load == Load::slow || scenario.load == Load::echo;
    if (speaks && scenario.publishers == 0) {
        return "somebody must speak: --publishers is 0";
    }
    if (scenario.load == Load::fanout && publishers_given && scenario.rate > 0 &&
        scenario.members == 0) {
        return "without members there is nobody whose latency could be measured";
    }
    if (scenario.load == Load::slow && scenario.rate <= 0) {
        return "slow needs a --rate: without one, who stalls stops the publisher too";
    }
    if (!options.connect.empty() && options.scenario.load == Load::idle && options.pid == 0) {
        return "idle measures memory: say --pid, too";
    }
    return {};
}

std::string joined(int argc, char** argv) {
    std::string text = "roombench";
    for (int index = 1; index < argc; ++index) {
        text += std::string(" ") + argv[index];
    }
    return text;
}

int run_command(const Command& command, Options& options, const CLI::App& app) {
    const CLI::Option* const publishers = app.get_option_no_throw("--publishers");
    const bool given = publishers != nullptr && publishers->count() > 0;
    Scenario& scenario = options.scenario;
    if (!given && scenario.load == Load::fanout && command.task == Task::one) {
        scenario.publishers = scenario.rooms; // one for each
    }
    if (const std::string why = contradiction(options, given); !why.empty()) {
        std::cerr << "roombench: " << why << std::endl;
        return status_usage;
    }
    return conduct(options);
}

CLI::App& add_command(CLI::App& app, const Command& command, Options& mine) {
    CLI::App& sub = *app.add_subcommand(command.name, command.text);
    sub.option_defaults()->always_capture_default();
    if (command.task == Task::suite) {
        sub.add_option("--only", mine.only, "of S1 to S7, members, rooms; with commas")
            ->delimiter(',')
            ->type_name("NAME")
            ->check(CLI::IsMember(suite_titles()).description(""));
    } else {
        add_load_options(sub, mine.scenario);
        add_connect_options(sub, mine);
    }
    if (command.task == Task::sweep) {
        mine.series = {"members", "size", "rooms"};
        sub.add_option("--series", mine.series, "members, size, rooms; with commas")
            ->delimiter(',')
            ->check(CLI::IsMember({"members", "size", "rooms"}).description(""));
    }
    add_common_options(sub, mine);
    return sub;
}

int run(int argc, char** argv) {
    CLI::App app{"roombench - how much roomd can take, and what it costs", "roombench"};
    app.set_version_flag("-V,--version", "roombench " ROOMD_VERSION);
    app.footer(footer);
    app.require_subcommand(1);

    const std::vector<Command> all = commands();
    std::vector<Options> options(all.size()); // one for each, so that each shows its own defaults
    std::vector<CLI::App*> apps;
    for (std::size_t index = 0; index < all.size(); ++index) {
        const Command& command = all[index];
        Options& mine = options[index];
        mine.task = command.task;
        mine.scenario = command.scenario;
        mine.command_line = joined(argc, argv);
        mine.program = *argv;
        apps.push_back(&add_command(app, command, mine));
    }
    std::uint16_t relay_port = 0;
    CLI::App* const relay = app.add_subcommand("relay", "the floor, by itself")->group("");
    relay->add_option("--port", relay_port, "of 127.0.0.1")->required();

    if (const std::string why = empty_value(argc, argv); !why.empty()) {
        std::cerr << "roombench: " << why << "\n  try: roombench --help" << std::endl;
        return status_usage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::ostringstream out;
        std::ostringstream errors;
        const bool asked = app.exit(error, out, errors) == 0;
        static_cast<void>(sys::write_all(STDERR_FILENO, errors.str()));
        if (!asked) {
            return status_usage;
        }
        return sys::print("roombench", out.str()) ? status_fine : status_cannot_write;
    }
    if (relay->parsed()) {
        return run_relay(relay_port);
    }
    const auto chosen = std::ranges::find_if(apps, [](CLI::App* sub) { return sub->parsed(); });
    const auto index = static_cast<std::size_t>(chosen - apps.begin());
    return run_command(all.at(index), options.at(index), *apps.at(index));
}

} // namespace

int main(int argc, char** argv) {
    sys::fill_standard_descriptors();
    sys::ignore_size_limit_signal();
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "roombench: " << error.what() << std::endl;
        return status_cannot_write;
    }
}
