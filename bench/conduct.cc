#include "bench/conduct.h"

#include "bench/facts.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/scratch.h"
#include "bench/suite.h"
#include "bench/systems.h"
#include "reactor/endpoint.h"
#include "reactor/socket_address.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include <poll.h>
#include <unistd.h>

namespace roomd::bench {

namespace {

constexpr double run_overhead_seconds = 0.5; // start, connect, drain, stop: a first guess
constexpr unsigned server_cpu = 0;
constexpr unsigned generator_cpu = 1;

// A handler can reach nothing but this.
volatile std::sig_atomic_t interrupted = 0;

void on_signal(int /*signal*/) {
    interrupted = 1;
}

void catch_signals() {
    struct sigaction action {};

    action.sa_handler = on_signal; // and no SA_RESTART: waits end at once
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before {};

        // What was ignored when roombench began stays so: nohup(1), `roombench suite &`.
        if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) {
            static_cast<void>(::sigaction(signal, &action, nullptr));
        }
    }
    // A reader of the table that has gone is an error of writing: files and servers are put in
    // order.
    action.sa_handler = SIG_IGN;
    static_cast<void>(::sigaction(SIGPIPE, &action, nullptr));
}

std::string own_path(const std::string& program) {
    std::error_code error;
    const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::filesystem::absolute(program).string() : path.string();
}

std::string roomd_beside(const std::string& roombench) {
    return (std::filesystem::path(roombench).parent_path() / "roomd").string();
}

/// Both processors, or neither: a server that shares one with the generator alone gains nothing.
bool pin() {
    return std::thread::hardware_concurrency() > generator_cpu && sys::run_on_cpu(server_cpu) &&
           sys::run_on_cpu(generator_cpu);
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open_file(const std::string& path, const char* mode) {
    File file(std::fopen(path.c_str(), mode), &std::fclose);
    if (file == nullptr) {
        throw std::system_error(errno, std::generic_category(), "cannot write " + path);
    }
    return file;
}

/// Why nobody answers at `address` within 5 s; empty if somebody does.
std::string refusal_of(const SocketAddress& address) {
    constexpr int patience_ms = 5'000;
    try {
        const Fd fd = sys::connect_begin(address);
        pollfd entry{fd.get(), POLLOUT, 0};
        const bool answered = ::poll(&entry, 1, patience_ms) > 0;
        const int error = answered ? sys::connect_error(fd.get()) : ETIMEDOUT;
        return error == 0 ? std::string() : sys::error_text(error);
    } catch (const std::system_error& error) {
        return sys::error_text(error.code().value());
    }
}

/// Why nobody answers at `uri`, which was checked; empty if somebody does.
std::string unreachable(const std::string& uri) {
    const Endpoint endpoint = std::get<Endpoint>(parse_endpoint(uri));
    std::string why = "it is no address that one can connect to";
    try {
        const std::vector<SocketAddress> addresses =
            endpoint.transport == Transport::unix_stream
                ? std::vector{unix_address(endpoint.path)}
                : sys::resolve(endpoint.host, endpoint.port, false);
        for (const SocketAddress& address : addresses) {
            why = refusal_of(address);
            if (why.empty()) {
                break;
            }
        }
    } catch (const std::exception& error) { // a name that does not resolve
        why = error.what();
    }
    return why;
}

class Conductor {
public:
    explicit Conductor(const Options& options)
        : options_(options), progress_(::isatty(STDERR_FILENO) == 1) {
        ground_.directory = scratch_.path();
        ground_.roombench = own_path(options.program);
        ground_.roomd = options.roomd.empty() ? roomd_beside(ground_.roombench) : options.roomd;
    }

    int run() {
        if (!everything_is_there()) {
            return status_unavailable;
        }
        std::vector<Block> blocks = plan(options_);
        excuse();
        if (!descriptors_suffice(blocks)) {
            return status_unavailable;
        }
        try_files();
        catch_signals();
        if (options_.pin && pin()) {
            ground_.cpu = server_cpu;
        }
        Report report;
        describe(report);
        run_all(blocks, report);
        return tell(report);
    }

private:
    [[nodiscard]] bool connected() const { return !options_.connect.empty(); }

    /// Those that are started from here.
    [[nodiscard]] std::vector<std::string> systems_here() const {
        std::vector<std::string> systems;
        if (!connected()) {
            systems.emplace_back(roomd_system);
        }
        for (const std::string& system : options_.others) {
            systems.push_back(system);
        }
        return systems;
    }

    bool everything_is_there() {
        bool fine = true;
        for (const std::string& system : systems_here()) {
            if (const std::string why = missing(system, ground_); !why.empty()) {
                progress_.note(why);
                fine = false;
            }
        }
        if (connected()) {
            if (const std::string why = unreachable(options_.connect); !why.empty()) {
                progress_.note("no server answers at " + options_.connect + ": " + why);
                fine = false;
            }
        }
        return fine;
    }

    /// Who was asked for and cannot take part.
    void excuse() {
        for (const std::string& system : options_.others) {
            const auto why = unable(system, options_.scenario);
            if (options_.task != Task::suite && !why.empty()) {
                progress_.note("without " + system + ", which " + std::string(why));
            }
        }
    }

    /// Series are cut down to what is possible here; all else is possible or not.
    bool descriptors_suffice(std::vector<Block>& blocks) {
        constexpr std::uint64_t others = 64; // descriptors, not connections
        const std::uint64_t limit = sys::raise_descriptor_limit();
        for (const std::string& sentence : leave_out(blocks, limit - std::min(limit, others))) {
            progress_.note(sentence);
        }
        std::uint64_t most = 0;
        for (const Block& block : blocks) {
            for (const Contender& contender : block.contenders) {
                most = std::max(most, connections(contender.scenario));
            }
        }
        if (most + others > limit) {
            progress_.note(std::to_string(most) + " connections need as many descriptors, but " +
                           std::to_string(limit) + " is the limit here (ulimit -Hn)");
        }
        return most + others <= limit && !blocks.empty();
    }

    void describe(Report& report) {
        report.title = options_.task == Task::suite ? "Standard suite" : options_.scenario.name;
        report.facts = find_facts(systems_here(), ground_);
        report.facts.command = options_.command_line;
        report.facts.pinning = ground_.cpu < 0
                                   ? "none"
                                   : "server on CPU " + std::to_string(server_cpu) +
                                         ", generator on CPU " + std::to_string(generator_cpu);
    }

    void run_all(const std::vector<Block>& blocks, Report& report) {
        int runs = 0;
        double seconds = 0;
        for (const Block& block : blocks) {
            const int made = static_cast<int>(block.contenders.size()) * block.rounds;
            const Scenario& scenario = block.contenders.front().scenario;
            runs += made;
            seconds += made * (scenario.warmup_seconds + scenario.seconds + run_overhead_seconds);
        }
        progress_.expect(runs, seconds / std::max(runs, 1));
        for (const Block& block : blocks) {
            if (interrupted != 0) {
                return;
            }
            progress_.begin_block(block.title);
            std::vector<Row> rows = take_turns(
                block.contenders, block.rounds,
                [this, &block](const Contender& contender, int round, int rounds) {
                    progress_.begin_run(block.title + ' ' + contender.system + ' ' +
                                        std::to_string(round + 1) + '/' + std::to_string(rounds));
                    Result result = run_one(contender);
                    progress_.end_run();
                    return result;
                },
                [] { return interrupted != 0; });
            conclude(rows);
            judge(rows);
            std::ranges::move(rows, std::back_inserter(report.rows));
        }
    }

    Result run_one(const Contender& contender) {
        RunOptions run_options;
        run_options.progress = [this](const Progress& progress) { progress_.show(progress); };
        run_options.interrupted = &interrupted;
        try {
            if (connected() && contender.system == roomd_system) {
                return bench::run(connected_server(contender.scenario), contender.scenario,
                                  run_options);
            }
            Started started(contender.system, contender.scenario, ground_, &interrupted);
            Result result = bench::run(started.server(), contender.scenario, run_options);
            if (const std::string why = started.ended(); !result.ok() && !why.empty()) {
                result.failure += "; " + why;
            }
            return result;
        } catch (const std::exception& error) {
            Result result;
            result.system = contender.system;
            result.scenario = contender.scenario;
            result.failure = error.what();
            return result;
        }
    }

    [[nodiscard]] Server connected_server(const Scenario& scenario) const {
        Server server;
        server.name = options_.system;
        server.endpoint = std::get<Endpoint>(parse_endpoint(options_.connect)); // was checked
        server.pid = options_.pid;
        server.wire = &wire_of(options_.system, scenario);
        return server;
    }

    int tell(const Report& report) {
        progress_.clear();
        int error = print_table(stdout, report);
        error = error != 0 ? error : sys::close_error(STDOUT_FILENO);
        if (error != 0) { // the files may still be written
            progress_.note("cannot write to stdout: " + sys::error_text(error));
        }
        if (interrupted != 0) {
            progress_.note("interrupted; nothing was written");
            return status_interrupted;
        }
        if (!options_.out.empty()) {
            write_all(report);
        }
        if (!options_.json.empty()) {
            write_json(options_.json, report);
        }
        if (!options_.html.empty()) {
            write_page(options_.html, report);
        }
        if (error != 0) {
            return status_cannot_write;
        }
        return std::ranges::all_of(report.rows, &Row::ok) ? status_fine : status_incomplete;
    }

    [[nodiscard]] std::string in_out(const char* name) const {
        return (std::filesystem::path(options_.out) / name).string();
    }

    /// What cannot be written is better known before the minutes than after them.
    void try_files() const {
        std::vector<std::string> files{options_.json, options_.html};
        if (!options_.out.empty()) {
            std::filesystem::create_directories(options_.out);
            files.push_back(in_out("table.txt"));
        }
        for (const std::string& file : files) {
            if (!file.empty()) {
                static_cast<void>(open_file(file, "ae"));
            }
        }
    }

    void write_all(const Report& report) {
        write_table(in_out("table.txt"), report);
        write_json(in_out("bench.json"), report);
        write_page(in_out("bench.html"), report);
        write_picture(in_out("bench.svg"), report);
        progress_.note("written: " + in_out("table.txt") + ", bench.json, bench.html, bench.svg");
    }

    const Options& options_;
    Scratch scratch_;
    Ground ground_;
    ProgressLine progress_;
};

} // namespace

int conduct(const Options& options) {
    try {
        return Conductor(options).run();
    } catch (const std::exception& error) {
        std::cerr << "roombench: " << error.what() << std::endl;
        return status_cannot_write;
    }
}

} // namespace roomd::bench
