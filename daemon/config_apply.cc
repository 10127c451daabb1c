#include "daemon/config_options.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>
#include <utility>

namespace roomd {

namespace {

template <typename Value>
struct Word {
    Value value;
    std::string_view word;
};

constexpr std::array<Word<LogLevel>, 4> log_levels = {{{LogLevel::debug, "debug"},
                                                       {LogLevel::info, "info"},
                                                       {LogLevel::warning, "warning"},
                                                       {LogLevel::error, "error"}}};
constexpr std::array<Word<LogFormat>, 3> log_formats = {
    {{LogFormat::automatic, "auto"}, {LogFormat::text, "text"}, {LogFormat::json, "json"}}};
constexpr std::array<Word<SlowPolicy>, 4> slow_policies = {{{SlowPolicy::by_format, "by_format"},
                                                            {SlowPolicy::gap, "gap"},
                                                            {SlowPolicy::disconnect, "disconnect"},
                                                            {SlowPolicy::wait, "wait"}}};

const auto& words_for(LogLevel /*type*/) {
    return log_levels;
}

const auto& words_for(LogFormat /*type*/) {
    return log_formats;
}

template <typename Words, typename Value>
std::string_view find_word(const Words& words, Value value) {
    const auto* const found = std::find_if(words.begin(), words.end(),
                                           [&](const auto& entry) { return entry.value == value; });
    return found == words.end() ? std::string_view() : found->word;
}

template <typename Words>
std::string listed(const Words& words) {
    std::string result = "one of";
    for (const auto& entry : words) {
        result += ' ' + std::string(entry.word);
    }
    return result;
}

constexpr std::size_t shown_bytes_max = 80;
constexpr std::size_t name_length_max = 32;
constexpr std::string_view no_address = "off";
constexpr std::uint32_t admin_mode = 0600; // who commands is asked for besides: SO_PEERCRED

/// The address at which the daemon is commanded: on this machine, and no network is asked who that
/// is.
bool is_admin(const Setting& setting) {
    using Address = std::optional<Endpoint> Config::*;
    const auto* const place = std::get_if<Address>(&setting.place);
    return place != nullptr && *place == &Config::admin;
}

bool is_server_name(std::string_view text) {
    return !text.empty() && text.size() <= name_length_max &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_';
           });
}

/// The struct inside a Config that a member pointer of each kind points into.
Config& home(Config& config, const Config* /*kind*/) {
    return config;
}

Limits& home(Config& config, const Limits* /*kind*/) {
    return config.limits;
}

DecoderLimits& home(Config& config, const DecoderLimits* /*kind*/) {
    return config.limits.wire;
}

template <typename Value, typename Home>
Value& at(Config& config, Value Home::*place) {
    return home(config, static_cast<const Home*>(nullptr)).*place;
}

/// Sets one value from one text; one call for each type that a Place can lead to.
struct Setter {
    const Setting& setting;
    const std::vector<std::string>& texts;

    [[nodiscard]] std::string refusal(const std::string& text) const {
        return quoted(text, shown_bytes_max) + " is not " + wanted_by(setting);
    }

    [[nodiscard]] std::string operator()(std::vector<ListenerSpec>& value) const {
        return parse_listeners(texts, value);
    }

    [[nodiscard]] std::string operator()(std::string& value) const {
        if (!is_server_name(texts.back())) {
            return refusal(texts.back());
        }
        value = texts.back();
        return {};
    }

    [[nodiscard]] std::string operator()(std::optional<Endpoint>& value) const {
        if (texts.back() == no_address) {
            value.reset();
            return {};
        }
        auto parsed = parse_endpoint(texts.back());
        if (const auto* const bad = std::get_if<BadEndpoint>(&parsed)) {
            return bad->why + "; or off";
        }
        auto& endpoint = std::get<Endpoint>(parsed);
        const bool network =
            endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp;
        if (endpoint.transport == Transport::udp || (is_admin(setting) && network)) {
            return refusal(texts.back());
        }
        endpoint.mode = is_admin(setting) ? admin_mode : endpoint.mode;
        value = std::move(endpoint);
        return {};
    }

    [[nodiscard]] std::string operator()(bool& value) const {
        const std::optional<bool> parsed = parse_switch(texts.back());
        value = parsed.value_or(value);
        return parsed ? std::string() : refusal(texts.back());
    }

    template <typename Value>
    [[nodiscard]] std::string operator()(Value& value) const {
        const std::string& text = texts.back();
        if constexpr (std::is_enum_v<Value>) {
            for (const auto& entry : words_for(value)) {
                if (entry.word == text) {
                    value = entry.value;
                    return {};
                }
            }
        } else {
            const std::optional<std::uint64_t> parsed = parse_number(text, setting.unit);
            if (parsed && *parsed >= setting.min && *parsed <= setting.max) {
                value = static_cast<Value>(*parsed);
                return {};
            }
        }
        return refusal(text);
    }
};

struct Writer {
    [[nodiscard]] std::string operator()(const std::vector<ListenerSpec>& value) const {
        std::string result = "[";
        for (const ListenerSpec& spec : value) {
            result += (result.size() > 1 ? ", " : "") + toml_string(spec.uri);
        }
        return result + "]";
    }

    [[nodiscard]] std::string operator()(const std::string& value) const {
        return toml_string(value);
    }

    [[nodiscard]] std::string operator()(const std::optional<Endpoint>& value) const {
        return toml_string(value ? to_string(*value) : std::string(no_address));
    }

    [[nodiscard]] std::string operator()(bool value) const { return value ? "true" : "false"; }

    template <typename Value>
    [[nodiscard]] std::string operator()(Value value) const {
        if constexpr (std::is_enum_v<Value>) {
            return toml_string(find_word(words_for(value), value));
        } else {
            return std::to_string(value);
        }
    }
};

} // namespace

Kind kind_of(const Setting& setting) {
    if (std::holds_alternative<bool Config::*>(setting.place)) {
        return Kind::flag;
    }
    if (std::holds_alternative<std::vector<ListenerSpec> Config::*>(setting.place)) {
        return Kind::list;
    }
    const bool text = std::holds_alternative<std::string Config::*>(setting.place) ||
                      std::holds_alternative<std::optional<Endpoint> Config::*>(setting.place) ||
                      std::holds_alternative<LogLevel Config::*>(setting.place) ||
                      std::holds_alternative<LogFormat Config::*>(setting.place);
    return text ? Kind::text : Kind::number;
}

std::string wanted_by(const Setting& setting) {
    switch (kind_of(setting)) {
    case Kind::flag:
        return "true or false";
    case Kind::list:
        return "a list of addresses, such as tcp://127.0.0.1:8888 or unix:/run/roomd/roomd.sock";
    case Kind::number:
        return std::string(example_of(setting.unit)) + ", from " + std::to_string(setting.min) +
               " to " + std::to_string(setting.max);
    case Kind::text:
        break;
    }
    if (std::holds_alternative<LogLevel Config::*>(setting.place)) {
        return listed(log_levels);
    }
    if (std::holds_alternative<LogFormat Config::*>(setting.place)) {
        return listed(log_formats);
    }
    if (is_admin(setting)) {
        return "the path of a Unix socket, such as /run/roomd/admin.sock, or fd:NAME, or off";
    }
    if (std::holds_alternative<std::optional<Endpoint> Config::*>(setting.place)) {
        return "an address such as 127.0.0.1:9888, unix:/run/roomd/metrics.sock or fd:NAME, or off";
    }
    return "one word of at most 32 letters, digits, '.', '-' and '_'";
}

std::string_view placeholder_of(const Setting& setting) {
    const Kind kind = kind_of(setting);
    if (kind == Kind::flag) {
        return {};
    }
    if (kind == Kind::list) {
        return "URI";
    }
    if (std::holds_alternative<std::optional<Endpoint> Config::*>(setting.place)) {
        return is_admin(setting) ? "PATH" : "ADDRESS";
    }
    if (kind == Kind::text) {
        return "WORD";
    }
    switch (setting.unit) {
    case Unit::bytes:
        return "SIZE";
    case Unit::milliseconds:
        return "TIME";
    case Unit::seconds:
        return "SECONDS";
    case Unit::count:
        break;
    }
    return "NUMBER";
}

std::string apply(const Setting& setting, const std::vector<std::string>& texts, Config& config) {
    if (texts.empty() && kind_of(setting) != Kind::list) {
        return "needs a value: " + wanted_by(setting);
    }
    return std::visit(
        [&](auto place) {
            return Setter{setting, texts}(at(config, place));
        },
        setting.place);
}

std::string value_as_toml(const Setting& setting, const Config& config) {
    Config copy = config; // small, and only for printing: spares a const twin of at()
    return std::visit([&](auto place) { return Writer{}(std::as_const(at(copy, place))); },
                      setting.place);
}

std::string value_as_text(const Setting& setting, const Config& config) {
    const std::string toml = value_as_toml(setting, config);
    if (kind_of(setting) == Kind::number) {
        return print_number(parse_number(toml, Unit::count).value_or(0), setting.unit);
    }
    return kind_of(setting) == Kind::text ? toml.substr(1, toml.size() - 2) : toml;
}

std::string_view word_of(SlowPolicy policy) {
    return find_word(slow_policies, policy);
}

bool parse_slow_policy(std::string_view word, SlowPolicy& policy) {
    for (const auto& entry : slow_policies) {
        if (entry.word == word) {
            policy = entry.value;
            return true;
        }
    }
    return false;
}

} // namespace roomd
