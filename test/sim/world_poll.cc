// Edges: who is told what, when; and the rule that nobody sleeps while there is work.
#include "test/sim/world.h"

#include <algorithm>
#include <chrono>

namespace roomd::sim {

namespace {
constexpr std::size_t dead_keys_max = 32;
constexpr std::size_t idle_waits_max = 5'000;
constexpr Instant accept_patience = second;
constexpr Instant no_timeout = INT64_MAX;
} // namespace

void World::add(int fd, Interest interest, Key key) {
    Descriptor* const descriptor = find(fd, "poller add");
    if (descriptor == nullptr) {
        return;
    }
    if (descriptor->registration != nothing) {
        fail("descriptor " + std::to_string(fd) + " registered twice");
    }
    descriptor->registration = static_cast<std::uint32_t>(registrations_.size());
    registrations_.push_back({fd, key, interest, Ready::none, 0, true, false});
    // The first state counts as an edge.
    if (descriptor->kind == Kind::link) {
        Link& link = *links_[descriptor->index];
        const bool readable = link.in.size() > 0 || link.in.end || link.broken;
        link.read_told = readable;
        link.watched = true;
        raise(fd, readable ? Ready::both : Ready::writable);
    } else if (descriptor->kind == Kind::listener) {
        Door& listener = *listeners_[descriptor->index];
        listener.read_told = false; // whatever another poller was told
        if (!listener.backlog.empty() || !listener.datagrams.empty()) {
            mark_read(listener.read_told, true, fd);
        }
    }
}

void World::remove(int fd) {
    Descriptor* const descriptor = find(fd, "poller remove");
    if (descriptor == nullptr || descriptor->registration == nothing) {
        fail("descriptor " + std::to_string(fd) + " was not registered");
        return;
    }
    Registration& registration = registrations_[descriptor->registration];
    descriptor->registration = nothing;
    registration.alive = false;
    if (!chance_.permille(faults_.stale_edge)) {
        registration.pending = Ready::none; // else: it was in the batch already
    }
    dead_keys_.push_back(registration.key);
    if (dead_keys_.size() > dead_keys_max) {
        dead_keys_.erase(dead_keys_.begin());
    }
}

void World::mark_read(bool& told, bool was_empty, int fd, Instant delay) {
    const bool edge = faults_.edge_mode == EdgeMode::arrival ||
                      (faults_.edge_mode == EdgeMode::transition && was_empty) || !told;
    if (edge) {
        told = true;
        raise(fd, Ready::readable, delay);
    }
}

void World::raise(int fd, Ready ready, Instant delay) {
    const std::uint32_t index = descriptors_[static_cast<std::size_t>(fd)].registration;
    if (index == nothing) {
        return;
    }
    if (delay == 0 && chance_.permille(faults_.delayed_edge)) {
        delay = latency();
    }
    if (delay == 0) {
        raise_now(index, ready);
        return;
    }
    ++registrations_[index].delayed;
    at_self(delay, What::raise, index | (static_cast<std::uint64_t>(ready) << 32U));
}

void World::raise_now(std::uint32_t index, Ready ready) {
    Registration& registration = registrations_[index];
    if (!registration.alive && !chance_.permille(faults_.stale_edge)) {
        return;
    }
    if (registration.interest == Interest::read) {
        ready = has(ready, Ready::readable) ? Ready::readable : Ready::none;
    }
    registration.pending = registration.pending | ready;
    if (registration.pending != Ready::none && !registration.listed) {
        registration.listed = true;
        raised_.push_back(index);
    }
}

void World::collect() {
    batch_.clear();
    if (faults_.reorder) {
        for (std::size_t index = raised_.size(); index > 1; --index) {
            std::swap(raised_[index - 1], raised_[chance_.below(index)]);
        }
    }
    std::size_t used = 0;
    while (used < raised_.size() && batch_.size() < faults_.batch_max) {
        Registration& registration = registrations_[raised_[used++]];
        registration.listed = false;
        const Ready ready = std::exchange(registration.pending, Ready::none);
        note("edge", static_cast<std::uint64_t>(registration.fd),
             static_cast<std::uint64_t>(ready));
        if (ready == Ready::both && faults_.split_directions) {
            const bool first = chance_.one_in(2);
            batch_.push_back({registration.key, first ? Ready::readable : Ready::writable});
            batch_.push_back({registration.key, first ? Ready::writable : Ready::readable});
        } else if (ready != Ready::none) {
            batch_.push_back({registration.key, ready});
        }
    }
    raised_.erase(raised_.begin(), raised_.begin() + static_cast<std::ptrdiff_t>(used));
    spice_batch();
}

void World::spice_batch() {
    if (!batch_.empty() && chance_.permille(faults_.spurious_edge)) {
        const Registration& anyone = registrations_[chance_.below(registrations_.size())];
        if (anyone.alive) {
            batch_.push_back(
                {anyone.key, anyone.interest == Interest::read ? Ready::readable : Ready::both});
        }
    }
    if (!batch_.empty() && !dead_keys_.empty() && chance_.permille(faults_.stale_edge)) {
        const Key dead = dead_keys_[chance_.below(dead_keys_.size())];
        const auto place = static_cast<std::ptrdiff_t>(chance_.below(batch_.size() + 1));
        note("stale", dead.packed());
        batch_.insert(batch_.begin() + place, {dead, Ready::both});
    }
}

std::span<const Edge> World::wait(std::optional<Duration> timeout) {
    ++waits_;
    interrupted_ = !failure_.empty();
    now_ += static_cast<Instant>(chance_.between(1, faults_.tick_us_max)) * microsecond;
    run_due();
    collect();
    if (!batch_.empty() || interrupted_) {
        idle_waits_ = 0;
        return batch_;
    }
    if (timeout && *timeout <= Duration::zero()) {
        idle_waits_ = moved_ == moved_before_ ? idle_waits_ + 1 : 0;
        moved_before_ = moved_;
        if (idle_waits_ > idle_waits_max) {
            fail("the loop spins: thousands of ticks without an edge and without a byte moved");
        }
        return batch_;
    }
    idle_waits_ = 0;
    check_may_sleep();
    const Instant until =
        timeout
            ? now_ + std::chrono::ceil<std::chrono::milliseconds>(*timeout).count() * millisecond
            : no_timeout;
    while (batch_.empty() && !interrupted_) {
        const Instant next = happenings_.empty() ? no_timeout : happenings_.front().at;
        if (next == no_timeout && until == no_timeout) {
            fail("the loop waits for ever and nothing will ever happen");
            break;
        }
        if (next > until) {
            now_ = until;
            break;
        }
        now_ = std::max(now_, next);
        run_due();
        collect();
    }
    return batch_;
}

bool World::edge_coming(int fd) const {
    const std::uint32_t index = descriptors_[static_cast<std::size_t>(fd)].registration;
    return index != nothing &&
           (registrations_[index].pending != Ready::none || registrations_[index].delayed != 0);
}

void World::check_may_sleep() {
    if (!unread_excused_) {
        for (const int fd : unread_) {
            check_link_may_sleep(fd, *links_[descriptors_[static_cast<std::size_t>(fd)].index]);
        }
    }
    for (const int fd : owed_) {
        const Link& link = *links_[descriptors_[static_cast<std::size_t>(fd)].index];
        if (link.write_owed && !unsent_excused_ && !edge_coming(fd)) {
            fail("sleeps with bytes to write on descriptor " + std::to_string(fd) +
                 ": the kernel had room and had said so");
        }
    }
    check_listeners_may_sleep();
}

void World::check_link_may_sleep(int fd, const Link& link) {
    // Who cannot be answered need not be heard: the daemon may stop reading while its answers wait.
    const bool answers_wait = link.write_blocked || link.no_buffers;
    const bool held = std::ranges::find(unread_excused_of_, fd) != unread_excused_of_.end();
    if (!edge_coming(fd) && !answers_wait && !held) {
        fail("sleeps with " + std::to_string(link.in.size()) + " unread bytes" +
             (link.in.end ? " and the end" : "") + (link.broken ? " and a reset" : "") +
             " on descriptor " + std::to_string(fd) + ", and no edge will come");
    }
}

void World::check_listeners_may_sleep() {
    for (const std::unique_ptr<Door>& listener : listeners_) {
        if (listener->fd < 0 || listener->backlog.empty() || edge_coming(listener->fd)) {
            continue;
        }
        const Instant since = std::max(listener->waiting_since, accept_trouble_at_);
        if (now_ - since > accept_patience) {
            fail("a connection waits to be accepted and nobody comes");
        }
    }
}

} // namespace roomd::sim
