// roombench-micro — what can be measured without the kernel, one operation at a time.
#include "bench/micro/trial.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::bench::micro {

namespace {

constexpr const char* help = R"(usage: roombench-micro [--filter REGEX] [--quick] [--benchmark_...]

Measures the parts of roomd that need no kernel: nanoseconds of processor time per operation, the
median of several batches, and instructions where the machine counts them.

  --filter REGEX   only those whose name matches
  --quick          one short batch of each: shows that all run, not what they cost
  --benchmark_...  Google Benchmark's own, for example --benchmark_out=FILE (JSON)

  roombench-micro
  roombench-micro --filter 'hand out'
)";

/// Prints the median of each trial as a row, and remembers whether any failed.
class Table final : public benchmark::BenchmarkReporter {
public:
    explicit Table(const Instructions& instructions) : instructions_(&instructions) {}

    bool ReportContext(const Context& /*context*/) override {
        static_cast<void>(std::printf("%-40s %12s %14s\n", "per operation", "ns", "instructions"));
        return true;
    }

    void ReportRuns(const std::vector<Run>& runs) override {
        for (const Run& run : runs) {
            if (run.error_occurred) {
                static_cast<void>(std::printf("%-40s FAILED: %s\n", run.run_name.str().c_str(),
                                              run.error_message.c_str()));
                sound_ = false;
            } else if (run.run_type == Run::RT_Aggregate ? run.aggregate_name == "median"
                                                         : run.repetitions == 1) {
                print(run);
            }
        }
    }

    /// All was as it was meant to be.
    [[nodiscard]] bool sound() const { return sound_; }

private:
    void print(const Run& run) {
        const double operations = run.counters.at(Trial::operations_name);
        const double instructions = run.counters.at(Trial::instructions_name) / operations;
        static_cast<void>(std::printf("%-40s %12.2f ", run.run_name.str().c_str(),
                                      run.GetAdjustedCPUTime() / operations));
        static_cast<void>(instructions_->available() ? std::printf("%14.1f\n", instructions)
                                                     : std::printf("%14s\n", "-"));
        static_cast<void>(std::fflush(stdout));
    }

    const Instructions* instructions_;
    bool sound_ = true;
};

/// Our flags in the library's words; false: not understood. Its own go through as they are.
bool translate(const std::vector<std::string_view>& arguments, std::vector<std::string>& words) {
    bool quick = false;
    for (std::size_t index = 0; index < arguments.size(); ++index) {
        const std::string_view argument = arguments[index];
        if (argument == "--quick") {
            quick = true;
        } else if (argument == "--filter" && index + 1 < arguments.size()) {
            words.push_back("--benchmark_filter=" + std::string(arguments[++index]));
        } else if (argument.starts_with("--benchmark_")) {
            words.emplace_back(argument);
        } else {
            return false;
        }
    }
    const std::vector<std::string> batches =
        quick ? std::vector<std::string>{"--benchmark_repetitions=1", "--benchmark_min_time=0.001"}
              : std::vector<std::string>{"--benchmark_repetitions=7", "--benchmark_min_time=0.05"};
    words.insert(words.begin() + 1, batches.begin(), batches.end()); // the later of two wins
    return true;
}

int run(const std::vector<std::string_view>& arguments) {
    std::vector<std::string> words = {"roombench-micro"};
    if (!translate(arguments, words)) {
        const bool asked = std::ranges::find(arguments, "--help") != arguments.end();
        static_cast<void>(std::fputs(help, asked ? stdout : stderr));
        return asked ? 0 : 64;
    }
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    auto count = static_cast<int>(pointers.size());
    pointers.push_back(nullptr);
    benchmark::Initialize(&count, pointers.data());
    if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) {
        return 64;
    }
    const Instructions instructions;
    Trials trials(instructions);
    add_protocol(trials);
    add_reactor(trials);
    add_daemon(trials);
    Table table(instructions);
    const bool any = benchmark::RunSpecifiedBenchmarks(&table) > 0;
    if (!instructions.available()) {
        static_cast<void>(
            std::printf("\nInstructions are not counted: %s.\n", instructions.why_not().c_str()));
    }
    return any && table.sound() ? 0 : 1;
}

} // namespace

} // namespace roomd::bench::micro

int main(int argc, char** argv) {
    return roomd::bench::micro::run({argv + 1, argv + argc});
}
