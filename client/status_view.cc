#include "client/status_view.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <set>

namespace roomd {

namespace {

constexpr std::string_view listener = "listener";
constexpr std::size_t label_columns = 13;

/// What as_text() lays out; the rest follows as it came.
constexpr std::array<std::string_view, 21> known = {
    "version",          "pid",         "uptime_s",     "started_ms",    "state",
    "lockdown",         "listener",    "connections",  "framing",       "format",
    "members",          "rooms",       "accepted",     "refused",       "messages_said",
    "messages_dropped", "queue_bytes", "pinned_bytes", "history_bytes", "hits",
    "connections_max"};

std::string_view first_part(std::string_view name) {
    return name.substr(0, name.find('.'));
}

bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 20 && (text == "0" || text.front() != '0') &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string json_string(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) {
            out.append("\\u00");
            out += digits[byte >> 4U];
            out += digits[byte & 15U];
        } else {
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
    }
    return out + "\"";
}

std::string json_value(std::string_view text) {
    return is_number(text) ? std::string(text) : json_string(text);
}

std::string json_member(std::string_view name, const std::string& value) {
    return json_string(name) + ":" + value;
}

std::string json_listener(std::string_view value) {
    const std::size_t space = std::min(value.find(' '), value.size());
    const std::string_view uri = value.substr(std::min(space + 1, value.size()));
    return "{" + json_member("address", json_string(value.substr(0, space))) + "," +
           json_member("uri", json_string(uri)) + "}";
}

std::string duration_text(std::string_view seconds_text) {
    std::uint64_t seconds = 0;
    std::from_chars(seconds_text.data(), seconds_text.data() + seconds_text.size(), seconds);
    constexpr std::uint64_t minute = 60;
    constexpr std::uint64_t hour = 60 * minute;
    constexpr std::uint64_t day = 24 * hour;
    if (seconds < minute) {
        return std::to_string(seconds) + " s";
    }
    if (seconds < hour) {
        return std::to_string(seconds / minute) + " min " + std::to_string(seconds % minute) + " s";
    }
    if (seconds < day) {
        return std::to_string(seconds / hour) + " h " + std::to_string(seconds % hour / minute) +
               " min";
    }
    return std::to_string(seconds / day) + " days " + std::to_string(seconds % day / hour) + " h";
}

std::string row(std::string_view label, const std::string& text) {
    std::string line(label);
    line.resize(std::max(label.size() + 1, label_columns), ' ');
    return line + text + "\n";
}

} // namespace

void StatusView::add(std::string_view line) {
    const std::size_t space = std::min(line.find(' '), line.size());
    entries_.emplace_back(line.substr(0, space), line.substr(std::min(space + 1, line.size())));
}

std::string_view StatusView::value_of(std::string_view name) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    return found == entries_.end() ? std::string_view() : std::string_view(found->second);
}

/// "3 frame, 2 line": those that are not 0.
std::string StatusView::group(std::string_view prefix) const {
    std::string out;
    for (const auto& [name, value] : entries_) {
        if (first_part(name) == prefix && name.size() > prefix.size() && value != "0") {
            out.append(out.empty() ? "" : ", ").append(value).append(" ");
            out.append(name.substr(prefix.size() + 1));
        }
    }
    return out;
}

std::string StatusView::as_text() const {
    const auto of = [this](std::string_view name) { return std::string(value_of(name)); };
    std::string out = row("roomd", of("version") + ", pid " + of("pid") + ", up " +
                                       duration_text(value_of("uptime_s")) + ", " + of("state") +
                                       (of("lockdown") == "on" ? ", LOCKED DOWN" : ""));
    std::string_view label = "listening on";
    for (const auto& [name, value] : entries_) {
        if (name == listener) {
            out += row(label, value);
            label = "";
        }
    }
    const std::string framings = group("framing");
    const std::string formats = group("format");
    out += row("connections", of("connections") + " of " + of("connections_max") +
                                  (framings.empty() ? "" : ": " + framings) +
                                  (formats.empty() ? "" : "; " + formats));
    out += row("so far", of("accepted") + " accepted, " + of("refused") + " refused");
    out += row("rooms", of("rooms") + " with " + of("members") + " members");
    out += row("messages",
               of("messages_said") + " said, " + of("messages_dropped") + " lost by slow readers");
    out += row("bytes held", of("queue_bytes") + " in queues, " + of("pinned_bytes") + " pinned, " +
                                 of("history_bytes") + " of history");
    if (const std::string hits = group("hits"); !hits.empty()) {
        out += row("limits met", hits);
    }
    for (const auto& [name, value] : entries_) {
        if (std::find(known.begin(), known.end(), first_part(name)) == known.end()) {
            out += row(name, value);
        }
    }
    return out;
}

/// The values of `part.NAME`, as an object.
std::string StatusView::json_group(std::string_view part) const {
    std::string inner;
    for (const auto& [name, value] : entries_) {
        if (first_part(name) == part && name != part) {
            inner += inner.empty() ? "" : ",";
            inner += json_member(std::string_view(name).substr(part.size() + 1), json_value(value));
        }
    }
    return "{" + inner + "}";
}

std::string StatusView::json_listeners() const {
    std::string inner;
    for (const auto& [name, value] : entries_) {
        if (name == listener) {
            inner += (inner.empty() ? "" : ",") + json_listener(value);
        }
    }
    return "[" + inner + "]";
}

std::string StatusView::as_json() const {
    std::string out;
    std::set<std::string_view> written;
    for (const auto& [name, value] : entries_) {
        const std::string_view part = first_part(name);
        if (!written.insert(part).second) {
            continue;
        }
        out += out.empty() ? "{" : ",";
        if (part == listener) {
            out += json_member("listeners", json_listeners());
        } else {
            out += json_member(part, part == name ? json_value(value) : json_group(part));
        }
    }
    return (out.empty() ? "{" : out) + "}\n";
}

} // namespace roomd
