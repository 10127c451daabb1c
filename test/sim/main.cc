// roomd-sim — runs the whole daemon in a simulated world, one seed after the other.
#include "test/sim/run.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using roomd::sim::run_seed;
using roomd::sim::Verdict;

constexpr unsigned patience_s =
    120; // real seconds for one seed: only an endless loop needs so long
constexpr std::uint64_t twice_every = 20;

struct Options {
    std::uint64_t first = 1;
    std::uint64_t last = 100;
    std::uint64_t jobs = 1;
    bool trace = false;
    bool one = false;
    bool until_failure = false;
};

using Closes = std::array<std::uint64_t, roomd::close_reason_count>;

// So many seeds are enough for every reason to close a connection; CI runs more.
constexpr std::uint64_t seeds_for_all_reasons = 300;

Closes* closes = nullptr; // of all seeds; one page that the processes share, each with its own row

volatile std::uint64_t current_seed = 0; // for the handler only

// An assertion of the daemon's, or a loop without an end: the seed is all that is needed to see it
// again.
void on_signal(int signal) {
    char line[128];
    const int size =
        std::snprintf(line, sizeof line, "seed %llu: %s; replay: build/roomd-sim --seed %llu\n",
                      static_cast<unsigned long long>(current_seed),
                      signal == SIGALRM ? "does not end" : "crashed",
                      static_cast<unsigned long long>(current_seed));
    static_cast<void>(write(STDERR_FILENO, line, static_cast<std::size_t>(size)) > 0);
    _exit(1);
}

bool parse_number(std::string_view text, std::uint64_t& number) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

bool parse_range(std::string_view text, Options& options) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) {
        options.one = parse_number(text, options.first);
        options.last = options.first;
        return options.one;
    }
    return parse_number(text.substr(0, dash), options.first) &&
           parse_number(text.substr(dash + 1), options.last) && options.first <= options.last;
}

bool parse(const std::vector<std::string_view>& arguments, Options& options) {
    for (std::size_t index = 0; index < arguments.size(); ++index) {
        const std::string_view argument = arguments[index];
        const bool has_value = index + 1 < arguments.size();
        if (argument == "--trace") {
            options.trace = true;
        } else if (argument == "--until-failure") {
            options.until_failure = true;
        } else if (argument == "--jobs" && has_value) {
            if (!parse_number(arguments[++index], options.jobs) || options.jobs == 0) {
                return false;
            }
        } else if ((argument == "--seed" || argument == "--seeds") && has_value) {
            if (!parse_range(arguments[++index], options)) {
                return false;
            }
        } else if (!argument.empty() &&
                   !parse_range(argument, options)) { // `make sim` gives both, one empty
            return false;
        }
    }
    return true;
}

bool run_one(std::uint64_t seed, bool trace, bool twice) {
    current_seed = seed;
    alarm(patience_s);
    const Verdict verdict = run_seed(seed, trace);
    for (std::size_t reason = 0; reason < verdict.closes.size(); ++reason) {
        (*closes)[reason] += verdict.closes[reason];
    }
    std::string failure = verdict.failure;
    if (failure.empty() && twice && run_seed(seed, false).digest != verdict.digest) {
        failure = "a second run of the same seed went another way";
    }
    if (trace) {
        static_cast<void>(
            std::printf("seed %llu: %zu people, %llu sayings, %llu system calls, digest %016llx\n",
                        static_cast<unsigned long long>(seed), verdict.people,
                        static_cast<unsigned long long>(verdict.sayings),
                        static_cast<unsigned long long>(verdict.calls),
                        static_cast<unsigned long long>(verdict.digest)));
    }
    if (failure.empty()) {
        return true;
    }
    static_cast<void>(
        std::printf("seed %llu FAILED %s\n  replay: build/roomd-sim --seed %llu [--trace]\n",
                    static_cast<unsigned long long>(seed), failure.c_str(),
                    static_cast<unsigned long long>(seed)));
    static_cast<void>(std::fflush(stdout));
    return false;
}

/// The seeds of one process: every `jobs`-th. Returns how many failed.
std::uint64_t run_share(const Options& options, std::uint64_t share) {
    const std::uint64_t wanted = options.last - options.first + 1;
    std::uint64_t failed = 0;
    std::uint64_t done = 0;
    for (std::uint64_t seed = options.first + share; seed <= options.last; seed += options.jobs) {
        failed += run_one(seed, options.trace, options.one || seed % twice_every == 0) ? 0U : 1U;
        if (failed != 0 && options.until_failure) {
            break;
        }
        if (++done % 500 == 0 && share == 0) {
            const std::uint64_t by_all = done * options.jobs;
            static_cast<void>(std::printf("%llu of %llu seeds, %llu failed in this process\n",
                                          static_cast<unsigned long long>(by_all),
                                          static_cast<unsigned long long>(wanted),
                                          static_cast<unsigned long long>(failed)));
            static_cast<void>(std::fflush(stdout));
        }
    }
    return failed;
}

std::uint64_t run_jobs(const Options& options) {
    if (options.jobs == 1) {
        return run_share(options, 0);
    }
    std::vector<pid_t> children;
    for (std::uint64_t share = 0; share < options.jobs; ++share) {
        const pid_t child = fork();
        if (child == 0) {
            closes += share;
            const std::uint64_t failed = run_share(options, share);
            static_cast<void>(std::fflush(stdout));
            _exit(static_cast<int>(failed < 100 ? failed : 100));
        }
        children.push_back(child);
    }
    std::uint64_t failed = 0;
    for (const pid_t child : children) {
        int status = 0;
        waitpid(child, &status, 0);
        failed += WIFEXITED(status) ? static_cast<std::uint64_t>(WEXITSTATUS(status)) : 1U;
    }
    return failed;
}

Closes* make_closes(std::uint64_t rows) {
    void* const memory = mmap(nullptr, rows * sizeof(Closes), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("mmap");
        std::exit(71);
    }
    return static_cast<Closes*>(memory);
}

/// Says why connections ended, and how often. False if a reason did not occur: then no seed tries
/// what leads to it, or nothing does.
bool check_closes(std::uint64_t rows, bool all_expected) {
    bool all = true;
    static_cast<void>(std::printf("closes:"));
    for (std::size_t reason = 0; reason < roomd::close_reason_count; ++reason) {
        std::uint64_t count = 0;
        for (std::uint64_t row = 0; row < rows; ++row) {
            count += closes[row][reason];
        }
        const std::string_view name = word(static_cast<roomd::CloseReason>(reason));
        static_cast<void>(std::printf(" %.*s=%llu", static_cast<int>(name.size()), name.data(),
                                      static_cast<unsigned long long>(count)));
        all = all && count > 0;
    }
    static_cast<void>(std::printf("\n"));
    if (all_expected && !all) {
        static_cast<void>(
            std::printf("FAILED: a reason to close a connection did not occur in these seeds\n"));
    }
    return all || !all_expected;
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse({argv + 1, argv + argc}, options)) {
        static_cast<void>(std::fputs(
            "usage: roomd-sim [--seeds A-B] [--seed N] [--trace] [--jobs N] [--until-failure]\n",
            stderr));
        return 64;
    }
    static_cast<void>(std::signal(SIGABRT, on_signal));
    static_cast<void>(std::signal(SIGSEGV, on_signal));
    static_cast<void>(std::signal(SIGALRM, on_signal));
    const auto begin = std::chrono::steady_clock::now();
    closes = make_closes(options.jobs);
    std::uint64_t failed = run_jobs(options);
    const std::uint64_t count = options.last - options.first + 1;
    if (!check_closes(options.jobs, failed == 0 && count >= seeds_for_all_reasons)) {
        ++failed;
    }
    const double elapsed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    static_cast<void>(std::printf("%llu seeds, %llu failed, %.1f s\n",
                                  static_cast<unsigned long long>(count),
                                  static_cast<unsigned long long>(failed), elapsed));
    return failed == 0 ? 0 : 1;
}
