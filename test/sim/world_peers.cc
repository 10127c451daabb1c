// The far ends: what the peers do, and how it travels to the daemon.
#include "test/sim/world.h"

#include <algorithm>

namespace roomd::sim {

LinkId World::dial(const std::string& address, Peer& peer, const SocketAddress& from) {
    const auto id = static_cast<LinkId>(links_.size());
    links_.push_back(std::make_unique<Link>());
    Link& link = *links_.back();
    link.peer = &peer;
    link.is_unix = from.storage.ss_family == AF_UNIX;
    link.peer_address = from;
    link.in.capacity = chance_.between(faults_.buffer_bytes_min, faults_.buffer_bytes_max);
    link.out.capacity = chance_.between(faults_.buffer_bytes_min, faults_.buffer_bytes_max);
    link.wire.capacity = SIZE_MAX;
    dialled_.push_back(address);
    at_self(latency(), What::arrive, id);
    return id;
}

Door* World::listener_at(const std::string& address) {
    const auto found = addresses_.find(address);
    return found == addresses_.end() ? nullptr : listeners_[found->second].get();
}

void World::arrive(LinkId id) {
    Link& link = *links_[id];
    if (link.peer_closed) {
        return; // gave up before it began
    }
    Door* const listener = listener_at(dialled_[id]);
    if (listener == nullptr) {
        link.peer_closed = true;
        link.peer->on_refused(id);
        return;
    }
    if (listener->backlog.size() >= listener->backlog_max) {
        at_self(second, What::arrive, id); // the SYN is dropped and sent again
        return;
    }
    const bool was_empty = listener->backlog.empty();
    if (was_empty) {
        listener->waiting_since = now_;
    }
    listener->backlog.push_back(id);
    note("arrive", id, static_cast<std::uint64_t>(listener->fd));
    mark_read(listener->read_told, was_empty, listener->fd);
    link.peer->on_connected(id);
}

void World::link_send(LinkId id, std::string_view bytes) {
    Link& link = *links_[id];
    if (link.peer_closed || link.peer_reset || link.wire.end) {
        return;
    }
    link.wire.put(bytes);
    schedule_delivery(link, id);
}

void World::link_shut(LinkId id) {
    Link& link = *links_[id];
    if (link.peer_closed || link.peer_reset) {
        return;
    }
    link.wire.end = true;
    schedule_delivery(link, id);
}

std::string World::link_take(LinkId id, std::size_t bytes_max) {
    Link& link = *links_[id];
    const std::size_t count = std::min(bytes_max, link.out.size());
    std::string taken(link.out.view().substr(0, count));
    link.out.take(count);
    if (count < bytes_max) {
        link.telling = false;
    }
    if (count > 0) {
        ++taken_by_peers_;
        room_made(link, true);
    }
    return taken;
}

bool World::link_ended(LinkId id) const {
    const Link& link = *links_[id];
    return link.out.end && link.out.size() == 0;
}

void World::link_close(LinkId id) {
    Link& link = *links_[id];
    if (link.peer_closed) {
        return;
    }
    if (link.out.size() > 0) { // tcp(7): unread data makes of a close a reset
        link_reset(id);
        return;
    }
    link.peer_closed = true;
    if (!link.peer_reset) {
        link.wire.end = true;
        schedule_delivery(link, id);
    }
}

void World::link_reset(LinkId id) {
    Link& link = *links_[id];
    if (link.peer_closed) {
        return;
    }
    link.peer_closed = true;
    link.wire.destroy();
    link.wire.end = false; // what was to end in order does not any more
    link.out.destroy();
    at_self(latency(), What::reset_daemon, id);
}

void World::schedule_delivery(Link& link, LinkId id) {
    const bool bytes_can = link.wire.size() > 0 && (link.in.room() > 0 || link.daemon_closed);
    const bool end_can = link.wire.end && link.wire.size() == 0 && !link.in.end;
    if (!link.delivering && !link.broken && (bytes_can || end_can)) {
        link.delivering = true;
        at_self(latency(), What::deliver, id);
    }
}

void World::deliver(Link& link, LinkId id) {
    if (link.broken) {
        return;
    }
    if (link.daemon_closed) {
        if (link.wire.size() > 0) { // bytes for a socket that is gone: answered by a reset
            link.wire.destroy();
            at_self(latency(), What::tell_reset, id);
        }
        return;
    }
    const bool was_empty = link.in.size() == 0;
    std::size_t count = std::min(link.wire.size(), link.in.room());
    if (count > 0) {
        count = std::min<std::size_t>(count, chance_.between(1, faults_.segment_bytes_max));
        link.in.put(link.wire.view().substr(0, count));
        link.wire.take(count);
    }
    if (link.wire.size() == 0 && link.wire.end) {
        link.in.end = true;
    }
    if (count > 0 || link.in.end) {
        note("deliver", id, count, link.in.end ? 1 : 0);
        if (link.fd >= 0) {
            unread_.insert(link.fd);
            mark_read(link.read_told, was_empty || link.in.end, link.fd);
        }
    }
    schedule_delivery(link, id);
}

void World::reset_daemon_end(Link& link) {
    if (link.broken || link.daemon_closed) {
        return;
    }
    link.broken = true;
    link.wire.destroy();
    if (chance_.one_in(2)) { // kernels differ in whether what had arrived can still be read
        link.in.destroy();
    }
    if (link.fd >= 0) {
        unread_.insert(link.fd);
        link.write_blocked = false;
        link.read_told = true;
        note("reset", static_cast<std::uint64_t>(link.fd));
        raise(link.fd, Ready::both);
    }
}

void World::reset_peer_end(Link& link, LinkId id) {
    if (link.peer_closed || link.peer_reset) {
        return;
    }
    link.peer_reset = true;
    link.out.destroy();
    link.wire.destroy();
    link.peer->on_reset(id);
}

void World::schedule_telling(Link& link, LinkId id) {
    if (!link.telling && !link.peer_closed && !link.peer_reset) {
        link.telling = true;
        at_self(latency(), What::tell_peer, id);
    }
}

void World::send_datagram(const std::string& address, const SocketAddress& from, std::string text) {
    Door* const listener = listener_at(address);
    if (listener == nullptr || listener->datagrams.size() >= 256) {
        return; // nobody there, or no room: gone, as datagrams go
    }
    const bool was_empty = listener->datagrams.empty();
    listener->datagrams.emplace_back(from, std::move(text));
    mark_read(listener->read_told, was_empty, listener->fd);
}

} // namespace roomd::sim
