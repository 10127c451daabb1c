#include "daemon/dialect_names.h"
#include "daemon/server.h"

#include <array>
#include <string>
#include <string_view>

// What the daemon is doing, for whoever runs it.
namespace roomd {

namespace {

// In the order in which they are shown.
constexpr std::array framings_shown = {Framing::automatic, Framing::frame, Framing::line,
                                       Framing::echo};
constexpr std::array formats_shown = {Format::human, Format::plain, Format::event};

template <typename Enumerator>
constexpr std::size_t index_of(Enumerator value) {
    return static_cast<std::size_t>(value);
}

std::string_view word(Server::Phase phase) {
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
    std::array<std::uint64_t, framings_shown.size()> framings{};
    std::array<std::uint64_t, formats_shown.size()> formats{};
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
    lines.push_back("state " + std::string(word(phase_)));
    lines.emplace_back(lockdown_ ? "lockdown on" : "lockdown off");
    for (const OpenListener& listener : listeners_) {
        if (listener.stream != nullptr || listener.datagram != nullptr) {
            lines.push_back("listener " + listener.address + " " + listener.spec->uri);
        }
    }
    add(lines, "connections", sessions_.size());
    add(lines, "connections_max", connections_max());
    for (const Framing framing : framings_shown) {
        add(lines, "framing." + std::string(name_of(framing)), framings.at(index_of(framing)));
    }
    for (const Format format : formats_shown) {
        add(lines, "format." + std::string(word(format)), formats.at(index_of(format)));
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
    add(lines, "memory_bytes", memory_.use().total());
    add(lines, "memory_bytes_peak", memory_.peak());
    add(lines, "memory_max", memory_.ceiling());
    for (std::size_t index = 0; index < limit_count; ++index) {
        if (counters_.hits.at(index) > 0) {
            add(lines, "hits." + std::string(name_of(static_cast<Limit>(index))),
                counters_.hits.at(index));
        }
    }
    return lines;
}

} // namespace roomd
