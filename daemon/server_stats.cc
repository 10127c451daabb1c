#include "daemon/dialect_names.h"
#include "daemon/server.h"
#include "reactor/sys.h"

#include <algorithm>
#include <string>

// What /stats and /conns show.
namespace roomd {

namespace {

void add(std::string& out, std::string_view name, std::uint64_t value) {
    out += out.empty() ? "" : " ";
    out.append(name).append("=").append(std::to_string(value));
}

} // namespace

std::string Server::stats() const {
    std::string out;
    add(out, "connections", sessions_.size());
    add(out, "members", hub_.member_count());
    add(out, "rooms", hub_.room_count());
    for (const CounterField& total : counter_fields()) {
        add(out, total.name, counters_.*total.field);
    }
    add(out, "log_lines_dropped", log_.dropped());
    add(out, "bytes_read", host_.bytes_read);
    add(out, "bytes_written", host_.bytes_written);
    add(out, "read_calls", host_.read_calls);
    add(out, "write_calls", host_.write_calls);
    add(out, "ticks", loop_.ticks());
    add(out, "pinned_bytes", arena_.bytes_pinned());
    add(out, "history_bytes", hub_.history_bytes());
    add(out, "memory_bytes", memory_.use().total());
    const auto values = limit_values(limits_in_force(), connections_max());
    for (std::size_t index = 0; index < limit_count; ++index) {
        const std::string name(roomd::name_of(static_cast<Limit>(index)));
        add(out, name, values[index]);
        add(out, name + "_hits", counters_.hits[index]);
    }
    return out;
}

<<<<<<< HEAD
// Each term is derived in ARCHITECTURE.md, Memory; doubled where a vector may have grown by
// doubling.
std::uint64_t Server::memory_bytes_max() const {
    constexpr std::uint64_t fixed_bytes = 32ULL << 20U; // program, free lists, log, far addresses
    constexpr std::uint64_t room_bytes = 8192;          // name, topic, index of its history
    constexpr std::uint64_t session_bytes = 1536;       // name, table entries, timer, rates, replay
    constexpr std::uint64_t seat_bytes = 4 * sizeof(Seat) + 2 * sizeof(Membership);
    constexpr std::uint64_t queue_entry_bytes = 32;
    const Limits& limits = config_.limits;
    const std::uint64_t payload =
        std::max<std::uint64_t>(frame_header_bytes + std::uint64_t{limits.wire.frame_bytes_max},
                                limits.wire.line_bytes_max);
    const std::uint64_t ring =
        std::max<std::uint64_t>(BlockPool::block_bytes, std::bit_ceil(payload + 2));
    const bool parking =
        std::any_of(config_.rooms.begin(), config_.rooms.end(),
                    [](const auto& room) { return room.slow == SlowPolicy::wait; });
    const std::uint64_t each = session_bytes + limits.rooms_per_member_max * seat_bytes + ring +
                               (parking ? payload : 0) +
                               limits.queue_entries_max * queue_entry_bytes +
                               limits.reply_bytes_max + payload; // a portion of one tick
    return fixed_bytes + connections_max() * each + 2 * limits.pinned_bytes_max +
           limits.history_total_bytes_max * 3 / 2 + limits.rooms_max * room_bytes;
}

std::string Server::connection_line(std::uint32_t slot) {
    const std::unique_ptr<Session>* const session = sessions_.at_slot(slot);
    if (session == nullptr) {
        return {};
    }
    const Member* const member = hub_.member((*session)->member());
    const Stream& stream = (*session)->stream();
    std::string line = "#" + std::to_string(slot) + " ";
    line += stream.closed() ? "closed" : to_string(sys::peer_address(stream.fd()));
    line.append(" nick=").append(member == nullptr ? "" : member->nick.text());
    line.append(" framing=").append(name_of((*session)->framing()));
    line.append(" format=").append(member == nullptr ? "" : word(member->dialect.format));
    line.append(" rooms=").append(hub_.room_names((*session)->member()));
    add(line, "queued_bytes", stream.output().bytes());
    const Duration age = stream.blocked() && !stream.output().empty()
                             ? loop_.now() - stream.blocked_since()
                             : Duration::zero();
    add(line, "unsent_ms",
        static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(age).count()));
    return line;
=======
std::vector<std::string> Server::connection_lines() {
    std::vector<std::string> lines;
    sessions_.for_each([&](Key key, const std::unique_ptr<Session>& session) {
        const Member* const member = hub_.member(session->member());
        const Stream& stream = session->stream();
        std::string line = "#" + std::to_string(key.slot) + " ";
        line += stream.closed() ? "closed" : to_string(sys::peer_address(stream.fd()));
        line.append(" nick=").append(member == nullptr ? "" : member->nick.text());
        line.append(" framing=").append(name_of(session->framing()));
        line.append(" format=").append(member == nullptr ? "" : word(member->dialect.format));
        line.append(" rooms=").append(hub_.room_names(session->member()));
        add(line, "queued_bytes", stream.output().bytes());
        const Duration age = stream.blocked() && !stream.output().empty()
                                 ? loop_.now() - stream.blocked_since()
                                 : Duration::zero();
        add(line, "unsent_ms",
            static_cast<std::uint64_t>(
                std::chrono::duration_cast<std::chrono::milliseconds>(age).count()));
        lines.push_back(std::move(line));
    });
    return lines;
>>>>>>> 28f685a (daemon: say the memory that is held and its ceiling, fix a worst case nobody could have)
}

} // namespace roomd
