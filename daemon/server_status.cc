#include "daemon/server.h"

#include <array>
#include <string>
#include <string_view>

// What the daemon is doing, for whoever runs it.
namespace roomd {

namespace {

using Counts = std::array<std::uint64_t, 4>;

constexpr std::array<std::string_view, 4> framing_names = {"auto", "frame", "line", "echo"};
constexpr std::array<std::string_view, 3> format_names = {"human", "plain", "event"};

std::size_t index_of(Framing framing) {
    switch (framing) {
    case Framing::automatic:
        return 0;
    case Framing::frame:
        return 1;
    case Framing::line:
        return 2;
    case Framing::echo:
        return 3;
    }
    return 0;
}

std::size_t index_of(Format format) {
    switch (format) {
    case Format::human:
        return 0;
    case Format::plain:
        return 1;
    case Format::event:
        return 2;
    }
    return 0;
}

std::string_view name_of(Server::Phase phase) {
    switch (phase) {
    case Server::Phase::serving:
        return "serving";
    case Server::Phase::draining:
        return "draining";
    case Server::Phase::stopping:
        return "stopping";
    }
    return "";
}

void add(std::vector<std::string>& lines, std::string name, std::uint64_t value) {
    lines.push_back(std::move(name.append(" ").append(std::to_string(value))));
}

} // namespace

std::vector<std::string> Server::status_lines() const {
    Counts framings{};
    Counts formats{};
    std::uint64_t queue_bytes = 0;
    for (std::uint32_t slot = 0; slot < sessions_.slot_count(); ++slot) {
        const auto* const found = sessions_.find(sessions_.key_at(slot));
        if (found == nullptr) {
            continue;
        }
        const Session& session = **found;
        ++framings.at(index_of(session.framing()));
        queue_bytes += session.stream().output().bytes();
        if (const Member* const member = hub_.member(session.member()); member != nullptr) {
            ++formats.at(index_of(member->dialect.format));
        }
    }
    std::vector<std::string> lines;
    lines.push_back("state " + std::string(name_of(phase_)));
    lines.emplace_back(lockdown_ ? "lockdown on" : "lockdown off");
    for (const OpenListener& listener : listeners_) {
        if (listener.stream != nullptr || listener.datagram != nullptr) {
            lines.push_back("listener " + listener.address + " " + listener.spec->uri);
        }
    }
    add(lines, "connections", sessions_.size());
    add(lines, "connections_max", connections_max());
    for (std::size_t index = 0; index < framing_names.size(); ++index) {
        add(lines, "framing." + std::string(framing_names.at(index)), framings.at(index));
    }
    for (std::size_t index = 0; index < format_names.size(); ++index) {
        add(lines, "format." + std::string(format_names.at(index)), formats.at(index));
    }
    add(lines, "members", hub_.member_count());
    add(lines, "rooms", hub_.room_count());
    add(lines, "accepted", counters_.accepted);
    add(lines, "refused", counters_.refused);
    add(lines, "messages_said", counters_.messages_said);
    add(lines, "messages_dropped", counters_.messages_dropped);
    add(lines, "queue_bytes", queue_bytes);
    add(lines, "pinned_bytes", arena_.bytes_pinned());
    add(lines, "history_bytes", hub_.history_bytes());
    for (std::size_t index = 0; index < limit_count; ++index) {
        if (counters_.hits.at(index) > 0) {
            add(lines, "hits." + std::string(roomd::name_of(static_cast<Limit>(index))),
                counters_.hits.at(index));
        }
    }
    return lines;
}

} // namespace roomd
