#include "daemon/config.h"

#include "daemon/config_sources.h"
#include "daemon/name_lookup.h"
#include "protocol/name.h"
#include "protocol/text.h"
#include "reactor/fd.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

// The build defines ROOMD_VERSION; left undefined it stringizes to its own name.
#define ROOMD_STRINGIZED(text) #text
#define ROOMD_EXPANDED(text) ROOMD_STRINGIZED(text)

namespace roomd {

namespace {

constexpr std::size_t shown_bytes_max = 80;
constexpr std::array<const char*, 1> default_listeners = {"tcp://127.0.0.1:8888"};

std::size_t index_of(std::string_view name) {
    const auto table = settings();
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const Setting& row) { return row.name == name; });
    return static_cast<std::size_t>(found - table.begin());
}

struct Environment {
    std::vector<Given> given;
    std::optional<std::string> config_path;
    std::vector<std::string> warnings;
};

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) {
            words.emplace_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

/// An empty variable counts as absent: that is how a unit file takes one back.
void read_variable(std::string_view name, std::string_view value, Environment& result) {
    if (!name.starts_with("ROOMD_") || value.empty()) {
        return;
    }
    if (name == "ROOMD_CONFIG") {
        result.config_path = value;
        return;
    }
    const auto table = settings();
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (variable_of(table[i]) == name) {
            std::vector<std::string> texts{std::string(value)};
            result.given.push_back(
                Given{i, kind_of(table[i]) == Kind::list ? words_of(value) : std::move(texts),
                      std::string(name), "env " + std::string(name)});
            return;
        }
    }
    std::vector<std::string> known = {"ROOMD_CONFIG"};
    for (const Setting& row : table) {
        known.push_back(variable_of(row));
    }
    result.warnings.push_back("nothing reads the variable " + quoted(name, shown_bytes_max) +
                              did_you_mean(name, known));
}

Environment read_environment(const char* const* environment) {
    Environment result;
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view entry = *environment;
        const std::size_t equals = entry.find('=');
        if (equals != std::string_view::npos) {
            read_variable(entry.substr(0, equals), entry.substr(equals + 1), result);
        }
    }
    return result;
}

bool apply_all(const std::vector<Given>& source, int exit_code, Merged& merged) {
    for (const Given& given : source) {
        const std::string why = apply(settings()[given.setting], given.texts, merged.config);
        if (!why.empty()) {
            merged.error = given.where + ": " + why;
            merged.exit_code = exit_code;
            return false;
        }
        merged.origins[given.setting] = given.origin;
    }
    return true;
}

/// A soft limit that nobody set follows a hard one that somebody lowered.
std::string settle_queue(Merged& merged) {
    Limits& limits = merged.config.limits;
    std::string& origin = merged.origins[index_of("queue_soft_bytes")];
    if (limits.queue_soft_bytes <= limits.queue_bytes_max) {
        return {};
    }
    if (origin != "default") {
        return "queue_soft_bytes (" + origin + ") is " + std::to_string(limits.queue_soft_bytes) +
               ", above queue_bytes_max, which is " + std::to_string(limits.queue_bytes_max) +
               ": lower the first or raise the second";
    }
    limits.queue_soft_bytes = limits.queue_bytes_max;
    origin = "default, not above queue_bytes_max";
    return {};
}

bool is_public(const Endpoint& endpoint) {
    const bool network =
        endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp;
    return network && !is_loopback_host(endpoint.host);
}

std::string refuse_public(const Config& config) {
    if (config.insecure_public) {
        return {};
    }
    constexpr std::string_view why =
        " can be reached from other machines, and roomd has neither passwords nor "
        "encryption yet. Use 127.0.0.1, [::1] or unix:/path, or say --insecure-public";
    for (const ListenerSpec& spec : config.listeners) {
        if (is_public(spec.endpoint)) {
            return "listener " + quoted(spec.uri, shown_bytes_max) + std::string(why);
        }
    }
    if (config.metrics && is_public(*config.metrics)) {
        return "metrics " + quoted(to_string(*config.metrics), shown_bytes_max) + std::string(why);
    }
    return {};
}

std::string refuse_rooms(const std::vector<GivenRoom>& rooms) {
    std::vector<Name> seen;
    for (const GivenRoom& room : rooms) {
        auto parsed = Name::parse(room.spec.name, NameKind::room, ScriptPolicy::any);
        Name* const name = std::get_if<Name>(&parsed);
        if (name == nullptr || std::find(seen.begin(), seen.end(), *name) != seen.end()) {
            const auto first = static_cast<std::size_t>(
                name == nullptr ? 0 : std::find(seen.begin(), seen.end(), *name) - seen.begin());
            const bool spelled_alike = rooms[first].spec.name == room.spec.name;
            return room.origin + ": room " + quoted(room.spec.name, shown_bytes_max) +
                   " is described twice" +
                   (spelled_alike ? std::string()
                                  : ": " + quoted(rooms[first].spec.name, shown_bytes_max) +
                                        " is the same room") +
                   " (" + rooms[first].origin + ")";
        }
        seen.push_back(std::move(*name));
    }
    return {};
}

// tcp(7): TCP_USER_TIMEOUT overrides the number of probes.
std::string warn_of_probes(const Limits& limits) {
    const std::uint64_t needed =
        1000 * (limits.keepalive_idle_s +
                std::uint64_t{limits.keepalive_interval_s} * limits.keepalive_probes);
    if (limits.user_timeout_ms >= needed) {
        return {};
    }
    return "with user_timeout_ms = " + std::to_string(limits.user_timeout_ms) +
           " one lost keep-alive probe can end a quiet TCP connection: from " +
           std::to_string(needed) +
           " on (keepalive_idle_s + keepalive_interval_s * keepalive_probes) all probes count";
}

// The first of the two has no effect beyond the second.
struct Bound {
    std::string_view name;
    std::uint64_t value;
    std::string_view bound_name;
    std::uint64_t bound;
};

// Limits that cannot be had, or that another one is met before.
std::vector<std::string> warn_of_limits(const Merged& merged) {
    std::vector<std::string> warnings;
    const Config& config = merged.config;
    const Limits& limits = config.limits;
    const auto chosen = [&](std::string_view name) {
        return merged.origins[index_of(name)] != "default";
    };
    if (std::string warning = warn_of_probes(limits); !warning.empty()) {
        warnings.push_back(std::move(warning));
    }
    const std::uint64_t descriptors = sys::descriptor_limit_max();
    const std::uint64_t possible =
        descriptors - std::min<std::uint64_t>(descriptors, descriptors_reserved);
    if (limits.connections_max > possible) {
        warnings.push_back("connections_max is " + std::to_string(limits.connections_max) +
                           ", and the descriptor limit allows " + std::to_string(possible) +
                           ": that is the limit. Raise it (LimitNOFILE= of the unit, ulimit -Hn) "
                           "to " +
                           std::to_string(limits.connections_max + descriptors_reserved));
    }
    if (const auto backlog = sys::listen_backlog_max();
        backlog && limits.listen_backlog > *backlog && chosen("listen_backlog")) {
        warnings.push_back("listen_backlog is " + std::to_string(limits.listen_backlog) +
                           ", and the kernel holds " + std::to_string(*backlog) +
                           ": that is the limit. Raise net.core.somaxconn (sysctl)");
    }
    const std::array<Bound, 3> bounds = {{
        {"reply_bytes_max", limits.reply_bytes_max, "queue_bytes_max", limits.queue_bytes_max},
        {"queue_bytes_max", limits.queue_bytes_max, "pinned_bytes_max", limits.pinned_bytes_max},
        {"history_bytes_max", limits.history_bytes_max, "history_total_bytes_max",
         limits.history_total_bytes_max},
    }};
    for (const RoomSpec& room : config.rooms) {
        if (room.history_bytes_max > limits.history_total_bytes_max) {
            warnings.push_back("room " + quoted(room.name, shown_bytes_max) +
                               ": history_bytes_max is " + std::to_string(room.history_bytes_max) +
                               ", and history_total_bytes_max, which is " +
                               std::to_string(limits.history_total_bytes_max) + ", is met before");
        }
    }
    for (const Bound& bound : bounds) {
        if (bound.value > bound.bound && (chosen(bound.name) || chosen(bound.bound_name))) {
            warnings.push_back(std::string(bound.name) + " is " + std::to_string(bound.value) +
                               ", and " + std::string(bound.bound_name) + ", which is " +
                               std::to_string(bound.bound) + ", is met before");
        }
    }
    return warnings;
}

ConfigResult exits(int code, std::string output, std::string error) {
    return ConfigResult{ConfigAction::exit, code, std::move(output), std::move(error), {}, {}};
}

ConfigResult fails(int code, const std::string& error) {
    return exits(code, "", "roomd: " + error + "\n");
}

std::optional<ConfigResult> answer_without_config(const CommandLine& line) {
    if (!line.error.empty()) {
        return fails(exit_usage, line.error + "\ntry: roomd --help");
    }
    if (line.help) {
        return exits(0, help_text(), "");
    }
    if (line.version) {
        return exits(0, "roomd " + std::string(version()) + "\n", "");
    }
    if (!line.resolve.empty()) {
        return exits(0, resolve_names(line.resolve), "");
    }
    if (line.print_example) {
        return exits(0, example_file(), "");
    }
    return std::nullopt;
}

FileSettings no_input(const std::string& path, const std::string& why) {
    FileSettings result;
    result.error = path + ": " + why;
    result.exit_code = exit_no_input;
    return result;
}

// Waits until there is something to read, up to `deadline`; a regular file always has.
bool readable(const Fd& file, std::chrono::steady_clock::time_point deadline) {
    pollfd entry{file.get(), POLLIN, 0};
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        const int found =
            ::poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (found >= 0 || errno != EINTR) {
            return found > 0;
        }
    }
}

// What is in it, at most config_bytes_max; returns what is wrong, or nothing.
std::string read_all(const Fd& file, std::string& text) {
    constexpr std::chrono::seconds pipe_time_max{10};
    const auto deadline = std::chrono::steady_clock::now() + pipe_time_max;
    std::array<char, 16'384> bytes{};
    while (text.size() <= config_bytes_max) {
        if (!readable(file, deadline)) {
            return "nobody has written all of it within 10 s; it is no regular file";
        }
        const ssize_t size = ::read(file.get(), bytes.data(), bytes.size());
        if (size == 0) {
            return {};
        }
        if (size < 0 && errno != EINTR && errno != EAGAIN) {
            return "cannot be read: " + std::generic_category().message(errno);
        }
        text.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    }
    return "is larger than 1 MiB, which no configuration is";
}

} // namespace

FileSettings read_config_file(const std::string& path, Patience patience) {
    // Never waits in open(2): a FIFO without a writer would hold it, a terminal would become ours.
    const Fd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status = {};
    if (!file || ::fstat(file.get(), &status) != 0) {
        return no_input(path, errno == EACCES ? "cannot be opened: is it readable for this user?"
                                              : std::generic_category().message(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return no_input(path, "is a directory, not a configuration file");
    }
    if (!S_ISREG(status.st_mode) && patience == Patience::none) {
        return no_input(path, "is no regular file, and may never end: it is read at a start only. "
                              "Restart roomd, or keep the configuration in a file");
    }
    std::string text;
    const std::string why = read_all(file, text);
    return why.empty() ? parse_config_text(text, path) : no_input(path, why);
}

Merged merge(const FileSettings& file, const std::vector<Given>& environment,
             const std::vector<Given>& flags) {
    Merged merged;
    merged.origins.assign(settings().size(), "default");
    const Setting& listen = settings()[index_of("listen")];
    merged.error =
        file.error.empty()
            ? apply(listen, {default_listeners.begin(), default_listeners.end()}, merged.config)
            : file.error;
    merged.exit_code = file.exit_code;
    if (!merged.error.empty() || !apply_all(file.given, exit_config, merged) ||
        !apply_all(environment, exit_config, merged) || !apply_all(flags, exit_usage, merged)) {
        return merged;
    }
    merged.config.listen_given = merged.origins[index_of("listen")] != "default";
    for (const GivenRoom& room : file.rooms) {
        merged.config.rooms.push_back(room.spec);
        merged.room_origins.push_back(room.origin);
    }
    for (const std::string& why :
         {settle_queue(merged), refuse_public(merged.config), refuse_rooms(file.rooms)}) {
        if (!why.empty()) {
            merged.error = why;
            merged.exit_code = exit_config;
            break;
        }
    }
    return merged;
}

ConfigResult load_config(int argc, const char* const* argv, const char* const* environment,
                         Patience patience) {
    const CommandLine line = parse_command_line(argc, argv);
    if (std::optional<ConfigResult> answer = answer_without_config(line)) {
        return std::move(*answer);
    }
    Environment variables = read_environment(environment);
    const std::optional<std::string>& path =
        line.config_path ? line.config_path : variables.config_path;
    // Whoever asks a child whether it can go on waits for it.
    const Patience for_file = line.probe_state >= 0 ? Patience::none : patience;
    const FileSettings file = path ? read_config_file(*path, for_file) : FileSettings{};
    Merged merged = merge(file, variables.given, line.given);
    if (!merged.error.empty()) {
        return fails(merged.exit_code, merged.error);
    }
    for (std::string& warning : warn_of_limits(merged)) {
        variables.warnings.push_back(std::move(warning));
    }
    if (line.print_config) {
        return exits(0, print_config(merged), "");
    }
    if (line.check_config) {
        std::string notes;
        for (const std::string& warning : variables.warnings) {
            notes += "roomd: warning: " + warning + "\n";
        }
        return exits(0, "configuration ok\n", notes);
    }
    return ConfigResult{ConfigAction::run,
                        0,
                        "",
                        "",
                        std::move(merged.config),
                        std::move(variables.warnings),
                        line.probe_state,
                        line.probe_word};
}

std::string_view version() {
    constexpr std::string_view digits = "0123456789";
    constexpr std::string_view built = ROOMD_EXPANDED(ROOMD_VERSION);
    constexpr std::size_t first = built.find_first_of(digits);
    constexpr std::size_t quotes = built.ends_with('"') ? 1 : 0; // of the literal, kept by #
    if constexpr (first == std::string_view::npos) {
        return "0.1.0";
    } else {
        return built.substr(first, built.size() - first - quotes);
    }
}

} // namespace roomd
