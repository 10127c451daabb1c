// Trial — one thing whose cost is measured, and the list of them.
//
// A Trial is lent to a function for the length of one batch; the function prepares, then calls
// run() once with what is to be measured. Google Benchmark decides how often, takes the time and
// the median of the batches; here stand only the instructions, and that one call may be many
// operations.
//
// The lists are functions, one for each folder of the tree, so that nothing is registered behind
// anybody's back.
#pragma once

#include "bench/micro/instructions.h"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string_view>

namespace roomd::bench::micro {

class Trial {
public:
    Trial(benchmark::State& state, const Instructions& instructions)
        : state_(&state), instructions_(&instructions) {}

    /// Measures `body`, which is `operations` of what is of interest.
    template <typename Body>
    void run(std::size_t operations, Body body) {
        const std::uint64_t before = instructions_->now();
        for ([[maybe_unused]] const auto step : *state_) {
            body();
        }
        const std::uint64_t after = instructions_->now();
        state_->counters[operations_name] = static_cast<double>(operations);
        state_->counters[instructions_name] = benchmark::Counter(
            static_cast<double>(after - before), benchmark::Counter::kAvgIterations);
    }

    template <typename Body>
    void run(Body body) {
        run(1, body);
    }

    /// Not measured: what was done is not what it was meant to be. Ends the program with a failure.
    void fail(const char* why) { state_->SkipWithError(why); }

    static constexpr const char* operations_name = "operations";
    static constexpr const char* instructions_name = "instructions";

private:
    benchmark::State* state_;
    const Instructions* instructions_;
};

/// The compiler has to believe that somebody looks at it.
template <typename Value>
void keep(const Value& value) {
    benchmark::DoNotOptimize(value);
}

class Trials {
public:
    /// `instructions` must outlive the run.
    explicit Trials(const Instructions& instructions) : instructions_(&instructions) {}

    /// `measure` takes a Trial&. `name`: "what/of which kind".
    template <typename Measure>
    void add(const char* name, Measure measure) {
        const Instructions* const instructions = instructions_;
        benchmark::RegisterBenchmark(name, [measure, instructions](benchmark::State& state) {
            Trial trial(state, *instructions);
            measure(trial);
        });
    }

private:
    const Instructions* instructions_;
};

void add_protocol(Trials& trials);
void add_reactor(Trials& trials);
void add_daemon(Trials& trials);

} // namespace roomd::bench::micro
