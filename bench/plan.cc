#include "bench/plan.h"

#include <algorithm>
#include <string>

namespace roomd::bench {

namespace {

constexpr int rounds_beside_others = 5;

SuiteOptions suite_options(const Options& options) {
    SuiteOptions suite;
    suite.others = options.others;
    suite.seconds = options.scenario.seconds;
    suite.warmup_seconds = options.scenario.warmup_seconds;
    if (!options.dialects.empty()) {
        suite.dialects = options.dialects;
    } else if (options.task != Task::suite) {
        suite.dialects = {Dialect::plain};
    }
    const int usual = options.others.empty() ? 1 : rounds_beside_others;
    suite.rounds = options.rounds == 0 ? usual : options.rounds;
    return suite;
}

} // namespace

std::vector<Block> plan(const Options& options) {
    const SuiteOptions suite = suite_options(options);
    std::vector<Block> blocks;
    switch (options.task) {
    case Task::one:
        blocks.push_back(
            {options.scenario.name, contenders_for(options.scenario, suite), suite.rounds});
        break;
    case Task::sweep:
        for (const std::string& series : options.series) {
            blocks.push_back(sweep_block(options.scenario, series, suite));
        }
        break;
    case Task::suite:
        blocks = standard_suite(suite);
        std::erase_if(blocks, [&](const Block& block) {
            return !options.only.empty() &&
                   std::ranges::find(options.only, block.title) == options.only.end();
        });
        break;
    }
    return blocks;
}

} // namespace roomd::bench
