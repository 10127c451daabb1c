// config_sources — what each source of settings said, before it is merged.
//
// Internal to config*.cc and their tests. The three sources speak one language: a setting's index
// in settings(), its texts, and where they stand. Only config.cc merges; only config_file.cc knows
// TOML, only config_cli.cc knows CLI11. Nothing here prints, exits or throws.
#pragma once

#include "daemon/config_options.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

/// sysexits.h
inline constexpr int exit_usage = 64;
inline constexpr int exit_no_input = 66;
inline constexpr int exit_config = 78;

/// One setting as one source gave it.
struct Given {
    std::size_t setting;            // index in settings()
    std::vector<std::string> texts; // one, or those of a list
    std::string where;  // for errors: "roomd.toml:12:5: limits.rooms_max", "--rooms-max"
    std::string origin; // for --print-config: "file roomd.toml:12", "flag --rooms-max"
};

struct GivenRoom {
    RoomSpec spec;
    std::string origin;
};

struct FileSettings {
    std::vector<Given> given;
    std::vector<GivenRoom> rooms;
    std::string error; // empty: all is well
    int exit_code = 0;
};

struct CommandLine {
    std::vector<Given> given;
    std::optional<std::string> config_path;
    bool help = false;
    bool version = false;
    bool check_config = false;
    int probe_state = -1;
    std::string probe_word;
    std::vector<std::string> resolve; // names, for roomd itself: see name_lookup.h
    bool print_config = false;
    bool print_example = false;
    std::string error; // empty: all is well
};

/// All sources in one.
struct Merged {
    Config config;
    std::vector<std::string> origins;      // one for each of settings()
    std::vector<std::string> room_origins; // one for each of config.rooms
    std::string error;                     // empty: all is well
    int exit_code = 0;
};

/// Reads the whole file, at most config_bytes_max of it. Cost: one read and one parse. With
/// Patience::start a pipe is waited for, ten seconds at most.
[[nodiscard]] FileSettings read_config_file(const std::string& path,
                                            Patience patience = Patience::start);
[[nodiscard]] FileSettings parse_config_text(std::string_view text, const std::string& path);
inline constexpr std::size_t config_bytes_max = 1U << 20U;

/// Messages end with what to do: "try roomd --help".
[[nodiscard]] CommandLine parse_command_line(int argc, const char* const* argv);

/// file, then environment, then flags: the later wins. Checks everything that needs more than one
/// setting.
[[nodiscard]] Merged merge(const FileSettings& file, const std::vector<Given>& environment,
                           const std::vector<Given>& flags);

/// --help, --print-config and systemd/roomd.toml.
[[nodiscard]] std::string help_text();
[[nodiscard]] std::string print_config(const Merged& merged);
[[nodiscard]] std::string example_file();

} // namespace roomd
