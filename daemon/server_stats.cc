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
}

} // namespace roomd
