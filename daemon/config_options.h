// config_options — the one table of everything that can be set.
//
// A row is a setting; its flag, its variable, its key in the file, its line in --help and its
// comment in systemd/roomd.toml all come from it. A limit that is no row here cannot be set; a test
// holds the table and `struct Limits` together. Adding one: a member in config.h, a row in
// config_options.cc.
#pragma once

#include "daemon/config.h"
#include "daemon/config_values.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace roomd {

enum class Section : std::uint8_t { general, limits };

/// Where in a Config a setting lives; its type says how it is written.
using Place = std::variant<std::uint32_t DecoderLimits::*, std::uint32_t Limits::*,
                           std::uint64_t Limits::*, std::uint32_t Config::*, bool Config::*,
                           std::string Config::*, LogLevel Config::*, LogFormat Config::*,
                           std::optional<Endpoint> Config::*, std::vector<ListenerSpec> Config::*>;

/// What a reload can do with a changed value.
enum class Effect : std::uint8_t {
    at_once,
    newcomers, // who is connected keeps the old one
    restart    // the running daemon keeps the old one
};

struct Setting {
    std::string_view name; // `bind_retry`: flag --bind-retry, variable ROOMD_BIND_RETRY
    Section section;       // limits: its key in the file stands under [limits]
    Place place;
    Unit unit;         // of a number
    std::uint64_t min; // bounds of a number, inclusive
    std::uint64_t max;
    std::string_view help; // one line, no full stop
    Effect effect = Effect::at_once;
};

/// How a value is written in the file, and so which TOML type it must have.
enum class Kind : std::uint8_t { number, flag, text, list };

/// All settings, those used most first; limits in the order of `struct Limits`. Static.
[[nodiscard]] std::span<const Setting> settings();

[[nodiscard]] Kind kind_of(const Setting& setting);
[[nodiscard]] std::string flag_of(const Setting& setting);     // --queue-bytes-max
[[nodiscard]] std::string variable_of(const Setting& setting); // ROOMD_QUEUE_BYTES_MAX
[[nodiscard]] std::string key_of(const Setting& setting);      // limits.queue_bytes_max
/// "a size in bytes, such as ..., from 4096 to 1048576".
[[nodiscard]] std::string wanted_by(const Setting& setting);
/// What stands behind the flag in --help: SIZE, TIME, NUMBER, WORD, ADDRESS, URI; empty for a
/// switch.
[[nodiscard]] std::string_view placeholder_of(const Setting& setting);

/// Sets it from text; several texts only for a list, which they replace. Returns what is wrong in
/// one sentence without the setting's name, or nothing. On an error `config` is unchanged.
[[nodiscard]] std::string apply(const Setting& setting, const std::vector<std::string>& texts,
                                Config& config);

/// All of `listen` at once, into `into`; no address twice. Returns what is wrong, or nothing.
[[nodiscard]] std::string parse_listeners(const std::vector<std::string>& uris,
                                          std::vector<ListenerSpec>& into);

/// The value as TOML, on one line; apply() of its texts gives it back.
[[nodiscard]] std::string value_as_toml(const Setting& setting, const Config& config);

/// The same for people: without quotes, 1MiB for 1048576.
[[nodiscard]] std::string value_as_text(const Setting& setting, const Config& config);

/// The words of the enumerations, as written by operators.
[[nodiscard]] std::string_view word_of(SlowPolicy policy);
[[nodiscard]] bool parse_slow_policy(std::string_view word, SlowPolicy& policy);

} // namespace roomd
