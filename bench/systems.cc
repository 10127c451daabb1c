#include "bench/systems.h"

#include "bench/setups.h"
#include "bench/wires.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <poll.h>
#include <unistd.h>

namespace roomd::bench {

namespace {

using Arguments = std::vector<std::string>;

constexpr auto start_patience = std::chrono::seconds(10);
constexpr auto look_again = std::chrono::milliseconds(5);

struct Recipe {
    std::string_view name;
    std::string_view program;
    std::string_view version_flag;
    std::string_view package; // of Debian; empty: ours
};

constexpr std::array<Recipe, 5> recipes{{
    {roomd_system, "roomd", "--version", ""},
    {"redis", "redis-server", "--version", "redis-server"},
    {"nats", "nats-server", "--version", "nats-server"},
    {"mosquitto", "mosquitto", "-h", "mosquitto"},
    {floor_system, "roombench", "--version", ""},
}};

const Recipe& recipe_of(std::string_view system) {
    const auto* const found = std::ranges::find(recipes, system, &Recipe::name);
    if (found == recipes.end()) {
        throw std::invalid_argument("unknown system \"" + std::string(system) + "\"");
    }
    return *found;
}

/// The program's path; empty if there is none. Debian keeps mosquitto in sbin, which is not in
/// everybody's PATH.
std::string program_of(std::string_view system, const Ground& ground) {
    if (system == roomd_system) {
        return ground.roomd;
    }
    if (system == floor_system) {
        return ground.roombench;
    }
    const char* const variable = std::getenv("PATH"); // NOLINT(concurrency-mt-unsafe): one thread
    const std::string path = std::string(variable == nullptr ? "" : variable) + ":/usr/sbin";
    const std::string program(recipe_of(system).program);
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        std::string candidate = path.substr(begin, end - begin) + '/' + program;
        if (::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
        begin = end + 1;
    }
    return {};
}

/// A port that was free a moment ago.
std::uint16_t free_port() {
    const auto address = sys::resolve("127.0.0.1", 0, false).at(0);
    const Fd listener = sys::listen_stream(address, {});
    return port_of(sys::local_address(listener.get()));
}

/// Writes `text` into a file of its own and says where.
std::string write_configuration(const Place& place, std::string_view system,
                                const std::string& text) {
    std::string path =
        place.directory + "/" + std::string(system) + "-" + std::to_string(place.port) + ".conf";
    std::ofstream file(path);
    file << text;
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + path);
    }
    return path;
}

/// The command line that starts `system`; what it needs on disk is written and added to `files`.
Arguments set_up(std::string_view system, const Place& place, const Scenario& scenario,
                 std::vector<std::string>& files) {
    if (system == "redis") {
        return redis_arguments(place, scenario);
    }
    if (system == "nats") {
        files.push_back(write_configuration(place, system, nats_configuration(place, scenario)));
        return nats_arguments(place, files.back());
    }
    if (system == "mosquitto") {
        files.push_back(write_configuration(
            place, system, mosquitto_configuration(place, scenario, ::geteuid() == 0)));
        return mosquitto_arguments(place, files.back());
    }
    return system == floor_system ? relay_arguments(place) : roomd_arguments(place, scenario);
}

/// The end of what the server has said, on one line.
std::string last_words(const std::string& log) {
    std::ifstream file(log);
    std::string words;
    for (std::string line; std::getline(file, line);) {
        if (!line.empty()) {
            words = line;
        }
    }
    return words.empty() ? std::string() : ": " + words;
}

/// Whether somebody accepts at `address`.
bool accepts(const SocketAddress& address) {
    try {
        const Fd fd = sys::connect_begin(address);
        pollfd entry{fd.get(), POLLOUT, 0};
        constexpr int patience_ms = 200;
        return ::poll(&entry, 1, patience_ms) == 1 && sys::connect_error(fd.get()) == 0;
    } catch (const std::system_error&) {
        return false;
    }
}

} // namespace

const std::vector<std::string>& system_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        all.reserve(recipes.size());
        for (const Recipe& recipe : recipes) {
            all.emplace_back(recipe.name);
        }
        return all;
    }();
    return names;
}

const Wire& wire_of(std::string_view system, const Scenario& scenario) {
    if (system == "redis") {
        return redis_wire();
    }
    if (system == "nats") {
        return nats_wire();
    }
    if (system == "mosquitto") {
        return mqtt_wire();
    }
    return system == floor_system ? relay_wire() : roomd_wire(scenario.dialect);
}

std::string_view unable(std::string_view system, const Scenario& scenario) {
    if (system == roomd_system) {
        return {};
    }
    if (scenario.load == Load::mixed) {
        return "has no names and no rooms that tell who comes and goes";
    }
    if (scenario.load == Load::echo && system != floor_system) {
        return "has no echo";
    }
    if (scenario.load == Load::slow && system == floor_system) {
        return "stalls with the first reader that does";
    }
    if (scenario.load == Load::idle && system == floor_system) {
        return "keeps nothing for a connection";
    }
    const bool needs_acknowledgement =
        scenario.load == Load::fanout && (scenario.acknowledged || scenario.members == 0);
    if (needs_acknowledgement && !wire_of(system, scenario).acknowledges()) {
        return "acknowledges nothing";
    }
    return {};
}

std::string missing(std::string_view system, const Ground& ground) {
    const Recipe& recipe = recipe_of(system);
    const std::string program = program_of(system, ground);
    if (!program.empty() && ::access(program.c_str(), X_OK) == 0) {
        return {};
    }
    if (recipe.package.empty()) {
        return "there is no program " + (program.empty() ? std::string(recipe.program) : program) +
               " (--roomd PATH says where roomd is)";
    }
    return std::string(recipe.program) + " is not installed: apt-get install " +
           std::string(recipe.package);
}

std::string version_of(std::string_view system, const Ground& ground) {
    const Recipe& recipe = recipe_of(system);
    const std::string log = ground.directory + "/version-" + std::string(system);
    std::string line;
    {
        Process process({program_of(system, ground), std::string(recipe.version_flag)}, log, -1);
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
        while (process.running() && std::chrono::steady_clock::now() < until) {
            std::this_thread::sleep_for(look_again);
        }
        std::ifstream file(log);
        std::getline(file, line);
    }
    sys::unlink_path(log);
    return line;
}

Started::Started(std::string_view system, const Scenario& scenario, const Ground& ground,
                 const volatile std::sig_atomic_t* interrupted) {
    const Place place{program_of(system, ground), free_port(), ground.directory};
    log_ = ground.directory + "/" + std::string(system) + "-" + std::to_string(place.port) + ".log";
    files_.push_back(log_);
    const Arguments arguments = set_up(system, place, scenario, files_);
    static_cast<void>(sys::raise_descriptor_limit()); // the child's too
    process_.emplace(arguments, log_, ground.cpu);
    server_.name = system;
    server_.endpoint.host = "127.0.0.1";
    server_.endpoint.port = place.port;
    server_.pid = process_->pid();
    server_.wire = &wire_of(system, scenario);
    wait_until_it_accepts(interrupted);
}

Started::~Started() {
    process_.reset();
    for (const std::string& file : files_) {
        sys::unlink_path(file);
    }
}

std::string Started::ended() {
    return process_->running() ? std::string()
                               : server_.name + " ended by itself" + last_words(log_);
}

void Started::wait_until_it_accepts(const volatile std::sig_atomic_t* interrupted) {
    const auto address = sys::resolve(server_.endpoint.host, server_.endpoint.port, false).at(0);
    const auto until = std::chrono::steady_clock::now() + start_patience;
    while (!accepts(address)) {
        if (const std::string why = ended(); !why.empty()) {
            throw std::runtime_error(why);
        }
        if (interrupted != nullptr && *interrupted != 0) {
            throw std::runtime_error("interrupted");
        }
        if (std::chrono::steady_clock::now() > until) {
            throw std::runtime_error(server_.name + " does not accept connections" +
                                     last_words(log_));
        }
        std::this_thread::sleep_for(look_again);
    }
}

} // namespace roomd::bench
