#include "daemon/config.h"
#include "daemon/config_options.h"
#include "daemon/config_values.h"
#include "protocol/name.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace roomd {

namespace {

constexpr std::size_t shown_bytes_max = 80;
constexpr std::uint64_t flush_ms_max = 60'000;
constexpr std::uint32_t mode_max = 0777;

std::optional<unsigned> hex_digit(char c) {
    constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
    const std::size_t at = digits.find(c);
    return at == std::string_view::npos ? std::nullopt
                                        : std::optional(static_cast<unsigned>(at % 16));
}

/// RFC 3986, 2.1: %XX is that byte, everything else itself. Nothing when a % is followed by less.
std::optional<std::string> percent_decoded(std::string_view text) {
    constexpr std::size_t escape_bytes = 3;
    std::string result;
    while (!text.empty()) {
        if (text.front() != '%') {
            result += text.front();
            text.remove_prefix(1);
            continue;
        }
        const auto high = text.size() < escape_bytes ? std::nullopt : hex_digit(text[1]);
        const auto low = text.size() < escape_bytes ? std::nullopt : hex_digit(text[2]);
        if (!high || !low) {
            return std::nullopt;
        }
        result += static_cast<char>(*high << 4U | *low);
        text.remove_prefix(escape_bytes);
    }
    return result;
}

/// Which options were given, each one bit, to refuse a second one and those that do not fit
/// together.
enum Option : unsigned { framing = 1, room = 2, flush = 4, debug = 8, limits = 16, mode = 32 };

struct OptionName {
    std::string_view name;
    Option option;
};

constexpr std::array<OptionName, 6> option_names = {{{"framing", framing},
                                                     {"room", room},
                                                     {"flush", flush},
                                                     {"debug", debug},
                                                     {"limits", limits},
                                                     {"mode", mode}}};

std::string parse_framing(const std::string& value, ListenerSpec& spec) {
    struct Word {
        std::string_view word;
        Framing framing;
    };

    constexpr std::array<Word, 4> words = {{{"auto", Framing::automatic},
                                            {"frame", Framing::frame},
                                            {"line", Framing::line},
                                            {"echo", Framing::echo}}};
    for (const Word& entry : words) {
        if (entry.word == value) {
            spec.framing = entry.framing;
            return {};
        }
    }
    return "one of auto frame line echo";
}

std::string parse_mode(const std::string& value, ListenerSpec& spec) {
    constexpr int octal = 8;
    std::uint32_t parsed = 0;
    const char* const end = value.data() + value.size();
    const auto [stop, status] = std::from_chars(value.data(), end, parsed, octal);
    if (status != std::errc() || stop != end || parsed > mode_max) {
        return "an octal file mode such as 0660";
    }
    spec.endpoint.mode = parsed;
    return {};
}

/// Returns what the option wants, or nothing when it has it.
std::string set_option(Option option, const std::string& value, ListenerSpec& spec) {
    const std::optional<bool> on = parse_switch(value);
    switch (option) {
    case framing:
        return parse_framing(value, spec);
    case mode:
        return parse_mode(value, spec);
    case room:
        if (!value.empty() &&
            !std::holds_alternative<Name>(Name::parse(value, NameKind::room, ScriptPolicy::any))) {
            return "a room's name: 1 to 32 letters, digits, '_', '-' and '.', or empty for none";
        }
        spec.room = value;
        return {};
    case flush: {
        const std::optional<std::uint64_t> time_ms = parse_number(value, Unit::milliseconds);
        if (!time_ms || *time_ms > flush_ms_max) {
            return std::string(example_of(Unit::milliseconds)) + ", at most 1m; 0 for never";
        }
        spec.flush_ms = static_cast<std::uint32_t>(*time_ms);
        return {};
    }
    case debug:
        spec.debug = on.value_or(false);
        return on ? "" : "on or off";
    case limits:
        spec.limits = on.value_or(true) ? RateLimits::on : RateLimits::off;
        return on ? "" : "on or off";
    }
    return {};
}

std::string unknown_option(std::string_view name) {
    std::vector<std::string> known;
    known.reserve(option_names.size());
    for (const OptionName& entry : option_names) {
        known.emplace_back(entry.name);
    }
    return "has an unknown option " + quoted(name, shown_bytes_max) + did_you_mean(name, known) +
           " (known: framing, room, flush, debug, limits, mode)";
}

/// One `name=value`. Returns what is wrong, or nothing.
std::string parse_option(std::string_view text, ListenerSpec& spec, unsigned& given) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const auto* const found =
        std::find_if(option_names.begin(), option_names.end(),
                     [&](const OptionName& entry) { return entry.name == name; });
    if (found == option_names.end()) {
        return unknown_option(name);
    }
    const std::string label = "option " + std::string(name);
    if (equals == std::string_view::npos) {
        return "has " + label + " without a value: write " + std::string(name) + "=VALUE";
    }
    if ((given & found->option) != 0) {
        return "has " + label + " twice";
    }
    given |= found->option;
    const std::optional<std::string> value = percent_decoded(text.substr(equals + 1));
    if (!value) {
        return "has " + label + " with a '%' that is not followed by two hex digits";
    }
    const std::string wanted = set_option(found->option, *value, spec);
    return wanted.empty() ? wanted
                          : "has " + label + " " + quoted(*value, shown_bytes_max) +
                                ", which is not " + wanted;
}

/// What is right alone but wrong together.
std::string contradiction(const ListenerSpec& spec, unsigned given) {
    const Transport transport = spec.endpoint.transport;
    const bool network = transport == Transport::tcp || transport == Transport::udp;
    if ((given & mode) != 0 && transport != Transport::unix_stream) {
        return "has option mode, which only a Unix socket's file has";
    }
    if (transport == Transport::udp && (given & (framing | flush | debug)) != 0) {
        return "has an option that UDP does not: a datagram is one payload and is never answered "
               "(UDP has room and limits)";
    }
    if (transport == Transport::udp && spec.room.empty()) {
        return "has no room, but a datagram can only be said in one";
    }
    if (spec.flush_ms > 0 && spec.framing != Framing::line && spec.framing != Framing::automatic) {
        return "has option flush, which only lines have: use framing=line or framing=auto";
    }
    if (spec.framing == Framing::echo && (given & (room | debug)) != 0) {
        return "has an option that framing=echo does not: it only gives back what it gets";
    }
    if (spec.debug && network && !is_loopback_host(spec.endpoint.host)) {
        return "has debug=on, which shows everybody's addresses: only on loopback and Unix sockets";
    }
    return {};
}

} // namespace

bool parse_listener(std::string_view uri, ListenerSpec& spec, std::string& error) {
    const std::size_t question = uri.find('?');
    auto endpoint = parse_endpoint(uri.substr(0, question));
    if (const auto* const refused = std::get_if<BadEndpoint>(&endpoint)) {
        error = refused->why;
        return false;
    }
    if (!check_text(uri).valid) {
        error = quoted(uri, shown_bytes_max) + " is not valid UTF-8";
        return false;
    }
    ListenerSpec parsed;
    parsed.endpoint = std::move(std::get<Endpoint>(endpoint));
    parsed.uri = uri;
    unsigned given = 0;
    std::string wrong;
    std::string_view rest =
        question == std::string_view::npos ? std::string_view() : uri.substr(question + 1);
    while (!rest.empty() && wrong.empty()) {
        const std::size_t ampersand = std::min(rest.find('&'), rest.size());
        wrong = parse_option(rest.substr(0, ampersand), parsed, given);
        rest.remove_prefix(std::min(ampersand + 1, rest.size()));
    }
    if (wrong.empty()) {
        wrong = contradiction(parsed, given);
    }
    if (!wrong.empty()) {
        error = quoted(uri, shown_bytes_max) + " " + wrong;
        return false;
    }
    spec = std::move(parsed);
    return true;
}

std::string parse_listeners(const std::vector<std::string>& uris, std::vector<ListenerSpec>& into) {
    std::vector<ListenerSpec> specs;
    for (const std::string& uri : uris) {
        ListenerSpec spec;
        std::string error;
        if (!parse_listener(uri, spec, error)) {
            return error;
        }
        const bool twice = std::any_of(specs.begin(), specs.end(), [&](const ListenerSpec& other) {
            const bool network = spec.endpoint.path.empty();
            return other.endpoint.transport == spec.endpoint.transport &&
                   other.endpoint.host == spec.endpoint.host &&
                   other.endpoint.port == spec.endpoint.port &&
                   other.endpoint.path == spec.endpoint.path &&
                   !(network && spec.endpoint.port == 0);
        });
        if (twice) {
            return to_string(spec.endpoint) + " is given twice";
        }
        specs.push_back(std::move(spec));
    }
    if (specs.empty()) {
        return "needs at least one address to listen on";
    }
    into = std::move(specs);
    return {};
}

} // namespace roomd
