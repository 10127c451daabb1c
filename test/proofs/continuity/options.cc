#include "test/proofs/continuity/options.h"

#include "test/proofs/continuity/text.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <variant>

namespace roomd::continuity {

namespace {

constexpr std::string_view usage_text =
    R"(continuity: what the members of a roomd hear while it is restarted under them

  proof-continuity [OPTION]... ADDRESS...     tcp://127.0.0.1:8888, unix:/path; framing auto

  --restart COMMAND       for /bin/sh: 'kill -USR2 PID', 'systemctl restart roomd'
  --times N               so often (1)            --every SECONDS   between two of them (2)
  --crash                 the command kills: connections may be lost, but must resume
  --connections N         (5000)                  --rooms N         (50)
  --rate N                messages a second (1000)
  --speakers N            permille who speak (100)
  --dribblers N           permille who speak in pieces, across restarts (20)
  --sluggards N           permille who stop reading around restarts (30)
  --probes N              short connects a second (50)
  --pause-ms-max N        p99 of the pause, else it fails; 0: not judged (500)
  --back-ms-max N         each crash, else it fails; 0: not judged (300)
  --warm-up SECONDS       before the first restart (2)
  --patience SECONDS      with nothing happening (10)
  --seed N                who says what when (1)
  --json FILE             the figures             --verbose         a line for each restart

Exit status: 0 all held, 1 something did not, 2 it could not be run, 64 wrong usage.
)";

struct CountOption {
    std::string_view name;
    std::uint32_t Options::*field;
};

struct SecondsOption {
    std::string_view name;
    double Options::*field;
};

struct WordOption {
    std::string_view name;
    std::string Options::*field;
};

constexpr std::array counts{
    CountOption{"--times", &Options::times},
    CountOption{"--connections", &Options::connections},
    CountOption{"--rooms", &Options::rooms},
    CountOption{"--rate", &Options::rate},
    CountOption{"--speakers", &Options::speakers_permille},
    CountOption{"--dribblers", &Options::dribblers_permille},
    CountOption{"--sluggards", &Options::sluggards_permille},
    CountOption{"--probes", &Options::probes_per_second},
    CountOption{"--pause-ms-max", &Options::pause_ms_max},
    CountOption{"--back-ms-max", &Options::back_ms_max},
};

constexpr std::array seconds{
    SecondsOption{"--every", &Options::every_s},
    SecondsOption{"--warm-up", &Options::warm_up_s},
    SecondsOption{"--patience", &Options::patience_s},
};

constexpr std::array words{
    WordOption{"--restart", &Options::restart},
    WordOption{"--json", &Options::json},
};

template <typename Rows>
const auto* row_of(const Rows& rows, std::string_view name) {
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [name](const auto& row) { return row.name == name; });
    return found == rows.end() ? nullptr : &*found;
}

/// False: no such option, or no such value.
bool set(Options& options, std::string_view name, const std::string& value) {
    std::uint64_t number = 0;
    const bool is_number = read_number(value, number) && number <= 1'000'000;
    if (const CountOption* const count = row_of(counts, name); count != nullptr) {
        options.*count->field = static_cast<std::uint32_t>(number);
        return is_number;
    }
    if (const SecondsOption* const second = row_of(seconds, name); second != nullptr) {
        char* end = nullptr;
        options.*second->field = std::strtod(value.c_str(), &end);
        return !value.empty() && *end == '\0' && options.*second->field >= 0;
    }
    if (const WordOption* const text = row_of(words, name); text != nullptr) {
        options.*text->field = value;
        return true;
    }
    options.seed = number;
    return name == "--seed" && is_number;
}

bool add_door(Options& options, const std::string& door, std::string& error) {
    const auto parsed = parse_endpoint(door);
    if (const auto* const bad = std::get_if<BadEndpoint>(&parsed); bad != nullptr) {
        error = door + ": " + bad->why;
        return false;
    }
    options.doors.push_back(door);
    options.endpoints.push_back(std::get<Endpoint>(parsed));
    return true;
}

} // namespace

std::string_view usage() {
    return usage_text;
}

bool read_options(int argc, const char* const* argv, Options& options, std::string& error) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    for (std::size_t index = 0; index < arguments.size(); ++index) {
        const std::string& argument = arguments[index];
        if (argument == "--help") {
            options.help = true;
            return true;
        }
        if (argument == "--crash") {
            options.crash = true;
        } else if (argument == "--verbose") {
            options.verbose = true;
        } else if (!argument.starts_with('-')) {
            if (!add_door(options, argument, error)) {
                return false;
            }
        } else if (index + 1 == arguments.size() || !set(options, argument, arguments[index + 1])) {
            error = argument + ": unknown, or not used like this";
            return false;
        } else {
            ++index;
        }
    }
    if (options.doors.empty() || options.rooms == 0 || options.connections < options.rooms ||
        options.rate == 0 || options.every_s < 1) {
        error = usage();
        return false;
    }
    return true;
}

} // namespace roomd::continuity
