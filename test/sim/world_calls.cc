// The daemon's end of a connection: read, write, shut, close, as the kernel would answer.
#include "test/sim/world.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace roomd::sim {

namespace {

std::size_t total_of(std::span<const iovec> pieces) {
    std::size_t total = 0;
    for (const iovec& piece : pieces) {
        total += piece.iov_len;
    }
    return total;
}

void scatter(std::string_view bytes, std::span<const iovec> into) {
    for (const iovec& piece : into) {
        const std::size_t count = std::min(piece.iov_len, bytes.size());
        if (count > 0) {
            std::memcpy(piece.iov_base, bytes.data(), count);
        }
        bytes.remove_prefix(count);
    }
}

std::string gather(std::span<const iovec> from, std::size_t count) {
    std::string bytes;
    bytes.reserve(count);
    for (const iovec& piece : from) {
        const std::size_t take = std::min(piece.iov_len, count - bytes.size());
        bytes.append(static_cast<const char*>(piece.iov_base), take);
    }
    return bytes;
}

} // namespace

World::Descriptor* World::find(int fd, const char* call) {
    const auto index = static_cast<std::size_t>(fd);
    if (fd < 3 || index >= descriptors_.size() || descriptors_[index].kind == Kind::free) {
        fail(std::string(call) + " on descriptor " + std::to_string(fd) + ", which is not open");
        return nullptr;
    }
    return &descriptors_[index];
}

Link* World::link_of(int fd, const char* call, LinkId& id) {
    const Descriptor* const descriptor = find(fd, call);
    if (descriptor == nullptr || descriptor->kind != Kind::link) {
        fail(std::string(call) + " on descriptor " + std::to_string(fd) +
             ", which is no connection");
        return nullptr;
    }
    id = descriptor->index;
    return links_[id].get();
}

IoResult World::read(int fd, std::span<const iovec> into) {
    ++calls_;
    const Descriptor* const descriptor = find(fd, "read");
    if (descriptor != nullptr && descriptor->kind == Kind::pipe_read) {
        return read_pipe(*pipes_[descriptor->index], into);
    }
    LinkId id = nothing;
    Link* const link = link_of(fd, "read", id);
    if (link == nullptr) {
        return {IoStatus::failed, 0, EBADF};
    }
    const std::size_t space = total_of(into);
    if (space == 0) {
        fail("read without space");
    }
    std::size_t count = std::min(space, link->in.size());
    if (count == 0 && (link->broken || link->in.end)) {
        unread_.erase(fd);
        note("read-end", id, link->broken ? 1 : 0);
        ++moved_;
        return link->broken && !std::exchange(link->reset_told, true)
                   ? IoResult{IoStatus::failed, 0, ECONNRESET}
                   : IoResult{IoStatus::end};
    }
    if (count == 0 || chance_.permille(faults_.blocked_read)) {
        link->read_told = false;
        if (count > 0 || link->broken || link->in.end) {
            mark_read(link->read_told, true, fd, latency());
        }
        note("read-wait", id);
        return {IoStatus::would_block};
    }
    if (chance_.permille(faults_.short_read)) {
        count = chance_.between(1, count);
    }
    scatter(link->in.view().substr(0, count), into);
    link->in.take(count);
    if (link->in.size() == 0 && !link->in.end && !link->broken) {
        unread_.erase(fd);
    }
    schedule_delivery(*link, id);
    note("read", id, count, space);
    ++moved_;
    return {IoStatus::ok, count};
}

IoResult World::write(int fd, std::span<const iovec> from) {
    ++calls_;
    LinkId id = nothing;
    Link* const link = link_of(fd, "write", id);
    if (link == nullptr) {
        return {IoStatus::failed, 0, EBADF};
    }
    if (link->shut_at >= 0) {
        fail("write after the daemon had shut its side down");
    }
    link->write_owed = false;
    link->no_buffers = false;
    owed_.erase(fd);
    const std::size_t total = total_of(from);
    if (link->broken || (link->peer_closed && link->is_unix)) {
        note("write-dead", id);
        ++moved_;
        const bool reset = link->broken && !std::exchange(link->reset_told, true);
        return {IoStatus::failed, 0, reset ? ECONNRESET : EPIPE};
    }
    if (chance_.permille(faults_.no_buffers)) {
        link->no_buffers = true;
        note("no-buffers", id);
        return {IoStatus::would_block, 0, ENOBUFS};
    }
    const bool refused = chance_.permille(faults_.blocked_write);
    if (!link->peer_closed && (link->out.room() == 0 || refused)) {
        link->write_blocked = true;
        if (link->out.room() > 0) {
            at_self(latency(), What::unblock, id);
        }
        note("write-wait", id);
        return {IoStatus::would_block};
    }
    std::size_t count = link->peer_closed ? total : std::min(total, link->out.room());
    if (count > 0 && chance_.permille(faults_.short_write)) {
        count = chance_.between(1, count);
    }
    link->out.put(gather(from, count));
    link->write_blocked = false;
    if (count < total) {
        link->write_owed = true;
        owed_.insert(fd);
    }
    if (link->peer_closed) { // the far kernel answers bytes for nobody with a reset
        link->out.destroy();
        at_self(latency(), What::reset_daemon, id);
    } else {
        schedule_telling(*link, id);
    }
    note("write", id, count, total);
    ++moved_;
    return {IoStatus::ok, count};
}

std::uint32_t World::unacknowledged(int fd) {
    ++calls_;
    LinkId id = nothing;
    const Link* const link = link_of(fd, "SIOCOUTQ", id);
    return link == nullptr ? 0 : static_cast<std::uint32_t>(link->out.size());
}

void World::room_made(Link& link, bool taken) {
    if (link.fd < 0 || link.broken) {
        return;
    }
    // TCP tells a writer of room when a third of the buffer is free, a Unix socket at once.
    const bool enough =
        link.is_unix ? link.out.room() > 0 : link.out.size() <= link.out.capacity / 3 * 2;
    if (link.write_blocked && enough) {
        link.write_blocked = false;
        link.write_owed = true;
        owed_.insert(link.fd);
        raise(link.fd, Ready::writable);
    } else if (taken && link.is_unix && faults_.edge_mode == EdgeMode::arrival) {
        raise(link.fd, Ready::writable);
    }
}

void World::shut(int fd) {
    ++calls_;
    LinkId id = nothing;
    Link* const link = link_of(fd, "shutdown", id);
    if (link == nullptr || link->shut_at >= 0) {
        return;
    }
    link->shut_at = now_;
    link->read_when_shut = link->in.left;
    link->out.end = true;
    link->write_owed = false;
    owed_.erase(fd);
    note("shut", id);
    schedule_telling(*link, id);
}

void World::close(int fd) {
    ++calls_;
    Descriptor* const descriptor = find(fd, "close");
    if (descriptor == nullptr) {
        return;
    }
    if (descriptor->registration != nothing) {
        fail("descriptor " + std::to_string(fd) + " closed while it was registered");
        remove(fd);
    }
    note("close", static_cast<std::uint64_t>(fd), static_cast<std::uint64_t>(descriptor->kind));
    const Descriptor closed = *descriptor;
    *descriptor = {};
    free_descriptors_.insert(fd);
    --open_count_;
    ++moved_;
    if (closed.kind == Kind::link) {
        close_link(*links_[closed.index], closed.index);
    } else if (closed.kind == Kind::listener) {
        close_listener(*listeners_[closed.index]);
    }
}

void World::close_link(Link& link, LinkId id) {
    unread_.erase(link.fd);
    owed_.erase(link.fd);
    link.fd = -1;
    link.daemon_closed = true;
    link.closed_at = now_;
    // tcp(7), unix(7): bytes that arrived and were not read turn the close into a reset, and over
    // TCP the reset overtakes what the peer has not read yet.
    if (link.in.size() > 0 && !link.is_unix) {
        link.in.destroy();
        at_self(latency(), What::tell_reset, id);
        return;
    }
    link.in.destroy();
    link.out.end = true;
    schedule_telling(link, id);
    schedule_delivery(link, id);
}

} // namespace roomd::sim
