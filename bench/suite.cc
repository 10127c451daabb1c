#include "bench/suite.h"

#include "bench/systems.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace roomd::bench {

namespace {

constexpr std::array<std::string_view, 7> names{"S1", "S2", "S3", "S4", "S5", "S6", "S7"};
constexpr std::string_view growth = "growth";
constexpr std::array<const char*, 2> growth_series{"members", "rooms"};

constexpr std::array<std::uint32_t, 4> member_points{10, 100, 1000, 10000};
constexpr std::array<std::uint32_t, 4> room_points{1, 10, 100, 1000};
constexpr std::array<std::uint32_t, 5> size_points{32, 128, 512, 2048, 8192};

// One publisher for each room of ten: what one room costs must not depend on how many there are.
Scenario growth_base(const std::string& series) {
    Scenario scenario;
    scenario.name = growth;
    scenario.window = 64;
    scenario.members = series == "rooms" ? 10 : 100;
    return scenario;
}

void grow(Scenario& scenario, const std::string& series, std::uint32_t to) {
    if (series == "members") {
        scenario.members = to;
    } else if (series == "size") {
        scenario.size = to;
    } else {
        scenario.publishers = scenario.publishers / scenario.rooms * to;
        scenario.rooms = to;
    }
}

std::span<const std::uint32_t> points_of(const std::string& series) {
    if (series == "members") {
        return member_points;
    }
    if (series == "size") {
        return size_points;
    }
    if (series == "rooms") {
        return room_points;
    }
    throw std::invalid_argument("unknown series \"" + series + "\": members, size or rooms");
}

void set_times(Scenario& scenario, const SuiteOptions& options) {
    scenario.seconds = options.seconds;
    scenario.warmup_seconds = options.warmup_seconds;
}

} // namespace

Scenario standard_scenario(const std::string& name) {
    Scenario scenario;
    scenario.name = name;
    if (name == "S1") {
        scenario.members = 1000;
    } else if (name == "S2") {
        scenario.members = 100;
    } else if (name == "S3") {
        scenario.members = 1000;
        scenario.window = 1;
    } else if (name == "S4") {
        scenario.rooms = 100;
        scenario.publishers = 100;
        scenario.members = 10;
        scenario.window = 64;
    } else if (name == "S5") {
        scenario.members = 100;
        scenario.size = 4096;
        scenario.window = 64;
    } else if (name == "S6") {
        scenario.load = Load::idle;
        scenario.publishers = 0;
        scenario.members = 10000;
    } else if (name == "S7") {
        scenario.members = 100;
        scenario.rate = 1000;
    } else {
        throw std::invalid_argument("unknown scenario \"" + name + "\"");
    }
    return scenario;
}

std::vector<Contender> contenders_for(const Scenario& scenario, const SuiteOptions& options) {
    std::vector<std::string> peers = options.others;
    std::erase_if(peers, [&](const std::string& system) {
        return system == floor_system || !unable(system, scenario).empty();
    });
    const bool floor = std::ranges::count(options.others, floor_system) > 0 &&
                       unable(floor_system, scenario).empty();
    std::vector<Contender> contenders;
    for (const Dialect dialect : options.dialects) {
        Scenario spoken = scenario;
        spoken.dialect = dialect;
        const std::size_t ours = contenders.size();
        contenders.push_back({std::string(roomd_system), spoken});
        for (const std::string& system : peers) {
            contenders.push_back({system, spoken});
        }
        peers.clear(); // a dialect is roomd's affair: the others run once
        if (floor) {
            contenders.push_back({std::string(floor_system), spoken, ours});
        }
    }
    return contenders;
}

Block sweep_block(const Scenario& base, const std::string& series, const SuiteOptions& options) {
    Block block{std::string(series), {}, options.rounds};
    for (const std::uint32_t point : points_of(series)) {
        Scenario scenario = base;
        grow(scenario, series, point);
        const std::size_t first = block.contenders.size();
        for (Contender contender : contenders_for(scenario, options)) {
            contender.series = series;
            contender.at = point;
            if (contender.sized_like) {
                *contender.sized_like += first;
            }
            block.contenders.push_back(std::move(contender));
        }
    }
    return block;
}

std::vector<std::string> suite_titles() {
    std::vector<std::string> titles(names.begin(), names.end());
    titles.insert(titles.end(), growth_series.begin(), growth_series.end());
    return titles;
}

std::vector<Block> standard_suite(const SuiteOptions& options) {
    std::vector<Block> blocks;
    for (const std::string_view name : names) {
        Scenario scenario = standard_scenario(std::string(name));
        set_times(scenario, options);
        int rounds = options.rounds;
        if (scenario.load == Load::idle) { // memory does not vary, and connecting takes its time
            constexpr int rounds_max = 2;
            rounds = std::min(rounds, rounds_max);
            scenario.seconds = std::min(scenario.seconds, 1.0);
        }
        blocks.push_back({std::string(name), contenders_for(scenario, options), rounds});
    }
    // How roomd grows is its own affair: only the floor goes along.
    SuiteOptions alone = options;
    constexpr int growth_rounds_max = 3; // all points are of one block, so they share the weather
    alone.rounds = std::min(options.rounds, growth_rounds_max);
    alone.dialects = {Dialect::plain};
    std::erase_if(alone.others, [](const std::string& system) { return system != floor_system; });
    for (const char* const series : growth_series) {
        Scenario base = growth_base(series);
        set_times(base, options);
        blocks.push_back(sweep_block(base, series, alone));
    }
    return blocks;
}

} // namespace roomd::bench
