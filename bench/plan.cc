#include "bench/plan.h"

#include "bench/wording.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

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
    } else if (options.task == Task::one && options.scenario.load == Load::mixed) {
        suite.dialects = {Dialect::event}; // only events tell who is where
    } else if (options.task != Task::suite) {
        suite.dialects = {Dialect::plain};
    }
    const int usual = options.others.empty() ? 1 : rounds_beside_others;
    suite.rounds = options.rounds == 0 ? usual : options.rounds;
    return suite;
}

/// The points that are too large go; who is as long as another's messages finds it again. Returns
/// the smallest of them; nothing if all may stay.
std::optional<Contender> cut(Block& block, std::uint64_t connections_max) {
    std::optional<Contender> first;
    std::vector<Contender> rest;
    std::vector<std::size_t> gone_before;
    for (const Contender& contender : block.contenders) {
        gone_before.push_back(gone_before.size() - rest.size());
        if (contender.series.empty() || connections(contender.scenario) <= connections_max) {
            rest.push_back(contender);
            if (rest.back().sized_like) { // stands before it, at the same point
                *rest.back().sized_like -= gone_before[*rest.back().sized_like];
            }
        } else if (!first || contender.at < first->at) {
            first = contender;
        }
    }
    block.contenders = std::move(rest);
    return first;
}

} // namespace

std::vector<std::string> leave_out(std::vector<Block>& blocks, std::uint64_t connections_max) {
    std::vector<std::string> sentences;
    for (Block& block : blocks) {
        if (const auto gone = cut(block, connections_max); gone) {
            sentences.push_back(block.title + " from " + point_text(gone->at) +
                                " on is left out: it takes " +
                                with_commas(connections(gone->scenario)) + " connections, and " +
                                with_commas(connections_max) + " have descriptors (ulimit -Hn)");
        }
    }
    std::erase_if(blocks, [](const Block& block) { return block.contenders.empty(); });
    return sentences;
}

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
