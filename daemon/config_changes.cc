#include "daemon/config_changes.h"

#include "daemon/config_options.h"
#include "protocol/name.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

namespace roomd {

namespace {

constexpr std::size_t shown_bytes_max = 80;

std::string_view prefix_of(Effect effect) {
    switch (effect) {
    case Effect::at_once:
        return "applied: ";
    case Effect::newcomers:
        return "applied to new connections: ";
    case Effect::restart:
        return "needs a restart: ";
    }
    return "";
}

std::string shown(const Setting& setting, const Config& config) {
    const std::string text = value_as_text(setting, config);
    return text.empty() ? "none" : text;
}

const ListenerSpec* find_listener(const std::vector<ListenerSpec>& specs,
                                  const Endpoint& endpoint) {
    const auto found = std::find_if(specs.begin(), specs.end(), [&](const ListenerSpec& spec) {
        Endpoint other = spec.endpoint; // but for the mode of its file, which is no other place
        other.mode = endpoint.mode;
        return other == endpoint;
    });
    return found == specs.end() ? nullptr : &*found;
}

void describe_listeners(const Config& before, const Config& after,
                        std::vector<std::string>& lines) {
    for (const ListenerSpec& spec : before.listeners) {
        if (find_listener(after.listeners, spec.endpoint) == nullptr) {
            lines.push_back("applied: no longer listening on " + spec.uri);
        }
    }
    for (const ListenerSpec& spec : after.listeners) {
        const ListenerSpec* const old = find_listener(before.listeners, spec.endpoint);
        if (old == nullptr) {
            lines.push_back("applied: listening on " + spec.uri);
        } else if (old->uri != spec.uri) {
            lines.push_back("applied to new connections: " + old->uri + " -> " + spec.uri);
        }
    }
}

// However it is written: "Ops" and "ops" are one room.
bool same_room(std::string_view one, std::string_view other) {
    const auto name = Name::parse(one, NameKind::room, ScriptPolicy::any);
    const auto other_name = Name::parse(other, NameKind::room, ScriptPolicy::any);
    const Name* const folded = std::get_if<Name>(&name);
    const Name* const other_folded = std::get_if<Name>(&other_name);
    return one == other ||
           (folded != nullptr && other_folded != nullptr && *folded == *other_folded);
}

const RoomSpec* find_room(const std::vector<RoomSpec>& rooms, std::string_view name) {
    const auto found = std::find_if(rooms.begin(), rooms.end(), [&](const RoomSpec& room) {
        return same_room(room.name, name);
    });
    return found == rooms.end() ? nullptr : &*found;
}

void describe_rooms(const Config& before, const Config& after, std::vector<std::string>& lines) {
    for (const RoomSpec& room : before.rooms) {
        if (find_room(after.rooms, room.name) == nullptr) {
            lines.push_back("applied: room " + quoted(room.name, shown_bytes_max) +
                            " is as all others");
        }
    }
    for (const RoomSpec& room : after.rooms) {
        const RoomSpec* const old = find_room(before.rooms, room.name);
        if (old == nullptr || !(*old == room)) {
            // A room that is there keeps the topic people see.
            const bool topic = old != nullptr && old->topic != room.topic;
            lines.push_back("applied: room " + quoted(room.name, shown_bytes_max) +
                            (topic ? " (its topic when it is next made)" : ""));
        }
    }
}

} // namespace

std::vector<std::string> describe_changes(const ConfigHistory& history) {
    std::vector<std::string> lines;
    for (const Setting& setting : settings()) {
        if (kind_of(setting) == Kind::list) {
            describe_listeners(history.before, history.after, lines);
            continue;
        }
        const Config& old = setting.effect == Effect::restart ? history.started : history.before;
        const std::string was = shown(setting, old);
        const std::string is = shown(setting, history.after);
        if (was != is) {
            std::string line(prefix_of(setting.effect));
            line.append(key_of(setting)).append(" ").append(was).append(" -> ").append(is);
            lines.push_back(std::move(line));
        }
    }
    describe_rooms(history.before, history.after, lines);
    if (lines.empty()) {
        lines.emplace_back("nothing has changed");
    }
    return lines;
}

} // namespace roomd
