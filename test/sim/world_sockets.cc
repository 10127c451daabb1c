// Descriptors, listeners, datagrams, pipes and socket files.
#include "test/sim/world.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace roomd::sim {

namespace {

void set_port(SocketAddress& address, std::uint16_t port) {
    const std::uint16_t network = htons(port);
    const std::size_t offset = address.storage.ss_family == AF_INET6
                                   ? offsetof(sockaddr_in6, sin6_port)
                                   : offsetof(sockaddr_in, sin_port);
    auto* const bytes = reinterpret_cast<unsigned char*>(&address.storage);
    std::memcpy(bytes + offset, &network, sizeof network);
}

} // namespace

int World::take_descriptor(Kind kind, std::uint32_t index) {
    const int fd = free_descriptors_.empty() ? static_cast<int>(descriptors_.size())
                                             : *free_descriptors_.begin();
    if (fd >= descriptor_limit_) {
        return -EMFILE;
    }
    if (free_descriptors_.empty()) {
        descriptors_.emplace_back();
    } else {
        free_descriptors_.erase(free_descriptors_.begin());
    }
    descriptors_[static_cast<std::size_t>(fd)] = {kind, index, nothing};
    ++open_count_;
    return fd;
}

int World::open_plain() {
    ++calls_;
    return take_descriptor(Kind::plain, nothing);
}

std::string World::open_list() const {
    static constexpr const char* names[] = {"", "file", "connection", "listener", "pipe", "pipe"};
    std::string list;
    for (std::size_t fd = 3; fd < descriptors_.size(); ++fd) {
        if (descriptors_[fd].kind != Kind::free) {
            list += " " + std::to_string(fd) + "=" + names[static_cast<int>(descriptors_[fd].kind)];
        }
    }
    return list;
}

void World::limit_descriptors(int limit) {
    descriptor_limit_ = limit;
    accept_trouble_at_ = now_;
    note("limit", static_cast<std::uint64_t>(limit));
}

int World::listen(const SocketAddress& address, bool datagram, int backlog) {
    ++calls_;
    auto listener = std::make_unique<Door>();
    listener->address = address;
    listener->datagram = datagram;
    listener->backlog_max = static_cast<std::size_t>(backlog);
    const bool is_unix = address.storage.ss_family == AF_UNIX;
    if (!is_unix && port_of(address) == 0) {
        set_port(listener->address, next_port_++);
    }
    const std::string name = (datagram ? "udp " : "") + to_string(listener->address);
    if (addresses_.contains(name) || (is_unix && unix_paths_.contains(name))) {
        return -EADDRINUSE;
    }
    const auto index = static_cast<std::uint32_t>(listeners_.size());
    const int fd = take_descriptor(Kind::listener, index);
    if (fd < 0) {
        return fd;
    }
    listener->fd = fd;
    addresses_[name] = index;
    if (is_unix) {
        unix_paths_.insert(name);
    }
    note("listen", static_cast<std::uint64_t>(fd));
    listeners_.push_back(std::move(listener));
    return fd;
}

void World::listen_again(int fd, int backlog) {
    ++calls_;
    const Descriptor* const descriptor = find(fd, "listen");
    if (descriptor == nullptr || descriptor->kind != Kind::listener) {
        fail("listen again on something that does not listen");
        return;
    }
    listeners_[descriptor->index]->backlog_max = static_cast<std::size_t>(backlog);
}

void World::close_listener(Door& listener) {
    std::erase_if(addresses_, [this, &listener](const auto& entry) {
        return listeners_[entry.second].get() == &listener;
    });
    listener.fd = -1;
    for (const LinkId id : listener.backlog) { // connected, never accepted: reset by the kernel
        links_[id]->daemon_closed = true;
        links_[id]->lost_early = true;
        at_self(latency(), What::tell_reset, id);
    }
    listener.backlog.clear();
}

sys::AcceptResult World::accept(int fd) {
    ++calls_;
    const Descriptor* const descriptor = find(fd, "accept");
    if (descriptor == nullptr || descriptor->kind != Kind::listener) {
        fail("accept on something that does not listen");
        return {sys::AcceptStatus::failed, {}, {}, EINVAL};
    }
    Door& listener = *listeners_[descriptor->index];
    if (listener.backlog.empty()) {
        listener.read_told = false;
        note("accept-wait", static_cast<std::uint64_t>(fd));
        return {sys::AcceptStatus::would_block, {}, {}, 0};
    }
    if (now_ >= accept_error_until_ && chance_.permille(faults_.accept_episode)) {
        accept_error_ = chance_.one_in(2) ? ENFILE : ENOBUFS;
        accept_error_until_ = now_ + static_cast<Instant>(chance_.skewed(1, 300)) * millisecond;
    }
    if (accept_error_ != 0 && now_ < accept_error_until_) {
        accept_trouble_at_ = now_;
        note("accept-error", static_cast<std::uint64_t>(accept_error_));
        return {accept_error_ == ENFILE ? sys::AcceptStatus::no_descriptor
                                        : sys::AcceptStatus::no_memory,
                {},
                {},
                accept_error_};
    }
    const LinkId id = listener.backlog.front();
    const int taken = take_descriptor(Kind::link, id);
    if (taken < 0) {
        accept_trouble_at_ = now_;
        note("accept-full", static_cast<std::uint64_t>(fd));
        return {sys::AcceptStatus::no_descriptor, {}, {}, EMFILE};
    }
    listener.backlog.pop_front();
    listener.waiting_since = now_;
    ++moved_;
    Link& link = *links_[id];
    link.accepted = true;
    link.fd = taken;
    if (chance_.permille(faults_.accept_aborted)) { // lost while it waited
        Descriptor& lost = descriptors_[static_cast<std::size_t>(taken)];
        lost = {};
        free_descriptors_.insert(taken);
        --open_count_;
        link.fd = -1;
        link.daemon_closed = true;
        link.lost_early = true;
        link.in.destroy();
        at_self(latency(), What::tell_reset, id);
        note("accept-lost", id);
        return {sys::AcceptStatus::again, {}, {}, ECONNABORTED};
    }
    if (link.in.size() > 0 || link.in.end || link.broken) {
        unread_.insert(taken);
    }
    note("accept", id, static_cast<std::uint64_t>(taken));
    return {sys::AcceptStatus::ok, Fd(taken), link.peer_address, 0};
}

IoResult World::receive(int fd, std::span<std::byte> into, SocketAddress& sender) {
    ++calls_;
    const Descriptor* const descriptor = find(fd, "receive");
    if (descriptor == nullptr || descriptor->kind != Kind::listener) {
        return {IoStatus::failed, 0, EBADF};
    }
    Door& listener = *listeners_[descriptor->index];
    if (listener.datagrams.empty()) {
        listener.read_told = false;
        return {IoStatus::would_block};
    }
    const auto [from, text] = std::move(listener.datagrams.front());
    listener.datagrams.pop_front();
    const std::size_t count = std::min(text.size(), into.size());
    std::memcpy(into.data(), text.data(), count);
    sender = from;
    ++moved_;
    note("receive", static_cast<std::uint64_t>(fd), count);
    return {IoStatus::ok, count};
}

std::pair<int, int> World::pipe() {
    ++calls_;
    const auto index = static_cast<std::uint32_t>(pipes_.size());
    const int read_fd = take_descriptor(Kind::pipe_read, index);
    const int write_fd = take_descriptor(Kind::pipe_write, index);
    pipes_.push_back(std::make_unique<Pipe>());
    pipes_.back()->read_fd = read_fd;
    return {read_fd, write_fd};
}

void World::write_byte(int fd, unsigned char byte) {
    const Descriptor* const descriptor = find(fd, "write_byte");
    if (descriptor != nullptr && descriptor->kind == Kind::pipe_write) {
        Pipe& pipe = *pipes_[descriptor->index];
        const bool was_empty = pipe.bytes.empty();
        pipe.bytes.push_back(static_cast<char>(byte));
        mark_read(pipe.read_told, was_empty, pipe.read_fd);
    }
}

IoResult World::read_pipe(Pipe& pipe, std::span<const iovec> into) {
    if (pipe.bytes.empty()) {
        pipe.read_told = false;
        return {IoStatus::would_block};
    }
    const std::size_t count = std::min(pipe.bytes.size(), into.front().iov_len);
    std::memcpy(into.front().iov_base, pipe.bytes.data(), count);
    pipe.bytes.erase(0, count);
    ++moved_;
    return {IoStatus::ok, count};
}

SocketAddress World::local_address(int fd) {
    const Descriptor* const descriptor = find(fd, "getsockname");
    if (descriptor != nullptr && descriptor->kind == Kind::listener) {
        return listeners_[descriptor->index]->address;
    }
    return {};
}

std::uint64_t World::cookie(int fd) {
    const Descriptor* const descriptor = find(fd, "getsockopt");
    return descriptor == nullptr ? 0 : descriptor->index + std::uint64_t{1};
}

SocketAddress World::peer_address(int fd) {
    const Descriptor* const descriptor = find(fd, "getpeername");
    if (descriptor != nullptr && descriptor->kind == Kind::link) {
        return links_[descriptor->index]->peer_address;
    }
    return {};
}

bool World::unix_path_bound(const std::string& path) const {
    return unix_paths_.contains(path);
}

bool World::unix_path_live(const std::string& path) const {
    return addresses_.contains(path);
}

} // namespace roomd::sim
