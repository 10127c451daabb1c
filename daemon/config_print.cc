#include "daemon/config_sources.h"

#include <algorithm>
#include <utility>

namespace roomd {

namespace {

constexpr std::size_t help_column = 40;

constexpr std::string_view help_head =
    R"(roomd - chat rooms on plain sockets: netcat for people, frames for programs

Usage: roomd [OPTION]...        without any it serves this machine on port 8888

Try it:
  roomd                         start it; Ctrl-C says goodbye to everybody and stops
  nc 127.0.0.1 8888             be in the lobby: what you type, the others hear; /help
  printf '/join ops\nhello\n' | nc -N 127.0.0.1 8888
                                say one thing in a room, hear every answer, leave
  roomd --listen 'tcp://127.0.0.1:8889?debug=on'
                                a listener to see what goes by: /trace on, /conns
  roomd --listen 'tcp://127.0.0.1:7000?framing=line' --listen unix:/tmp/roomd.sock

Most used:
)";

constexpr std::string_view help_actions = R"(
Before a start:
  --check-config                        say whether the configuration is right, and stop
  --print-config                        show every setting, its value and where it came from
  --print-example                       show a configuration file with every key explained
  -h, --help
  -V, --version

Addresses (quote them: the shell reads ? and &):
  tcp://127.0.0.1:8888                  port 0 lets the kernel choose; [::1] for IPv6
  unix:/run/roomd/roomd.sock?mode=0660
  udp://127.0.0.1:8888?room=lobby       each datagram is said in the room; never answered
  fd:NAME                               a socket that the service manager hands over
  Options behind the ?, joined by &:
    framing=auto|line|frame|echo        auto looks at a connection's first byte
    room=NAME                           entered on connect, lobby if not given; empty: none
    flush=200ms                         text without a newline counts as a line after this
    debug=on                            greet with /trace and /conns; loopback and Unix only
    limits=on|off                       rates per address; on unless loopback or Unix
)";

constexpr std::string_view help_limits_head = R"(
Limits (sizes like 64KiB or 1MiB, times like 500ms, 10s or 2m):
)";

constexpr std::string_view help_tail = R"(
Each setting can be given, strongest first, as
  a flag            --queue-bytes-max 1MiB
  a variable        ROOMD_QUEUE_BYTES_MAX=1MiB   (ROOMD_LISTEN takes several, with spaces)
  a key in a file   queue_bytes_max = "1MiB"     (limits stand under [limits])
SIGHUP reads all of them again; if anything is wrong, nothing changes.

Exit codes (sysexits.h): 0 fine, 64 wrong usage, 66 no such file, 68 a name that does not
                         resolve, 69 address in use, 70 an error in roomd itself,
                         71 operating system, 77 not permitted, 78 wrong configuration.
)";

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size() + 1, width), ' ');
    return text;
}

std::string help_line(const Setting& setting, const Config& defaults) {
    std::string left = setting.name == "listen" ? "  -l, " : "  ";
    left += flag_of(setting) + " " + std::string(placeholder_of(setting));
    std::string line = padded(std::move(left), help_column) + std::string(setting.help);
    if (kind_of(setting) == Kind::number || kind_of(setting) == Kind::text) {
        line += " [" + value_as_text(setting, defaults) + "]";
    }
    return line + "\n";
}

/// Nothing in a comment may end it: a path can hold any byte.
std::string comment(const std::string& text) {
    std::string result = "  # ";
    for (const char c : text) {
        result += c >= ' ' && c <= '~' ? c : '?';
    }
    return result + "\n";
}

/// The only list there is; each on a line of its own, to be read and edited.
std::string listeners_as_toml(const Config& config) {
    std::string result = "[\n";
    for (const ListenerSpec& spec : config.listeners) {
        result += "    " + toml_string(spec.uri) + ",\n";
    }
    return result + "]";
}

std::string assignment(const Setting& setting, const Config& config) {
    return std::string(setting.name) + " = " +
           (kind_of(setting) == Kind::list ? listeners_as_toml(config)
                                           : value_as_toml(setting, config));
}

std::string room_as_toml(const RoomSpec& room, const std::string& origin) {
    std::string result = "\n[[room]]" + comment(origin);
    result += "name = " + toml_string(room.name) + "\n";
    result += "slow = " + toml_string(word_of(room.slow)) + "\n";
    if (room.history_messages_max > 0) {
        result += "history_messages_max = " + std::to_string(room.history_messages_max) + "\n";
    }
    if (room.history_bytes_max > 0) {
        result += "history_bytes_max = " + std::to_string(room.history_bytes_max) + "\n";
    }
    return room.topic.empty() ? result : result + "topic = " + toml_string(room.topic) + "\n";
}

/// On one line, so that one '#' is all that keeps it from being in force.
std::string listen_example(const Setting& setting, const Config& defaults) {
    std::string uris;
    for (const ListenerSpec& spec : defaults.listeners) {
        uris += (uris.empty() ? "" : ", ") + toml_string(spec.uri);
    }
    return "# As long as nothing is given, sockets that systemd hands over (roomd.socket and "
           "others)\n"
           "# are served instead of the default ones.\n"
           "#" +
           std::string(setting.name) + " = [" + uris + "]\n";
}

constexpr std::string_view example_head =
    R"(# roomd.toml - settings of roomd. Use it with: roomd --config FILE
#
# Lines that begin with '#key' show the default; take the '#' away to change one. The same settings
# are flags (--queue-bytes-max) and variables (ROOMD_QUEUE_BYTES_MAX), both stronger than this file.
# `roomd --config FILE --check-config` tells whether it is right, --print-config what is in force.
# `systemctl reload` (SIGHUP) reads it again; if anything is wrong, nothing changes.
# Sizes: 65536, "64KiB", "1MiB". Times: numbers in the unit of the name, or "500ms", "10s", "2m".
)";

constexpr std::string_view example_tail = R"(
# What is particular to one room; repeat the table for more rooms.
#[[room]]
#name = "ops"
# full readers: by_format, gap (lose the oldest, be told), disconnect, wait (slow the speakers down)
#slow = "gap"
# instead of the general limits
#history_messages_max = 10000
#history_bytes_max = "4MiB"
#topic = "what is on fire"
)";

} // namespace

std::string help_text() {
    const Config defaults = merge({}, {}, {}).config;
    std::string general(help_head);
    std::string limits(help_limits_head);
    for (const Setting& setting : settings()) {
        std::string& into = setting.section == Section::general ? general : limits;
        into += help_line(setting, defaults);
        if (kind_of(setting) == Kind::list) {
            for (const ListenerSpec& spec : defaults.listeners) {
                into += padded("", help_column) + "  " + spec.uri + "\n";
            }
            into += padded("  -c, --config FILE", help_column) +
                    "read settings from a TOML file; else ROOMD_CONFIG names it, else none\n";
        }
    }
    return general.append(help_actions).append(limits).append(help_tail);
}

std::string print_config(const Merged& merged) {
    std::string result;
    Section section = Section::general;
    for (std::size_t i = 0; i < settings().size(); ++i) {
        const Setting& setting = settings()[i];
        if (setting.section != section) {
            section = setting.section;
            result += "\n[limits]\n";
        }
        result += assignment(setting, merged.config) + comment(merged.origins[i]);
    }
    for (std::size_t i = 0; i < merged.config.rooms.size(); ++i) {
        result += room_as_toml(merged.config.rooms[i], merged.room_origins[i]);
    }
    return result;
}

std::string example_file() {
    const Config defaults = merge({}, {}, {}).config;
    std::string result(example_head);
    Section section = Section::general;
    for (const Setting& setting : settings()) {
        if (setting.section != section) {
            section = setting.section;
            result += "\n[limits]\n";
        }
        result += "\n# " + std::string(setting.help) + "\n";
        if (kind_of(setting) == Kind::list) {
            result += listen_example(setting, defaults);
            continue;
        }
        result += "# " + wanted_by(setting) + "\n#" + assignment(setting, defaults) + "\n";
    }
    return result.append(example_tail);
}

} // namespace roomd
