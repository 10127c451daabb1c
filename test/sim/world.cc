#include "test/sim/world.h"

#include <algorithm>
#include <cstdio>

namespace roomd::sim {

World* World::current_world = nullptr;

namespace {

// Earlier first; what was planned first goes first among equals, so that ties do not depend on the
// heap.
constexpr auto later = [](const auto& left, const auto& right) {
    return left.at != right.at ? left.at > right.at : left.order > right.order;
};

} // namespace

void Channel::put(std::string_view more) {
    bytes.append(more);
    entered += more.size();
}

void Channel::take(std::size_t count) {
    head += count;
    left += count;
    if (head == bytes.size()) {
        bytes.clear();
        head = 0;
    } else if (head > 65'536 && head > bytes.size() / 2) {
        bytes.erase(0, head);
        head = 0;
    }
}

void Channel::destroy() {
    lost += size();
    bytes = std::string();
    head = 0;
}

World::World(std::uint64_t seed, const Faults& faults, bool trace)
    : faults_(faults), chance_(seed ^ 0x5EEDULL), entropy_(seed ^ 0xE47109ULL), descriptors_(3),
      trace_(trace) {
    assert(current_world == nullptr);
    current_world = this;
}

World::~World() {
    current_world = nullptr;
}

World& World::current() {
    assert(current_world != nullptr);
    return *current_world;
}

void World::at(Instant delay, Actor& actor, std::uint32_t what, std::uint64_t argument) {
    happenings_.push_back({now_ + delay, ++orders_, &actor, what, argument});
    std::push_heap(happenings_.begin(), happenings_.end(), later);
}

void World::at_self(Instant delay, What what, std::uint64_t argument) {
    happenings_.push_back(
        {now_ + delay, ++orders_, nullptr, static_cast<std::uint32_t>(what), argument});
    std::push_heap(happenings_.begin(), happenings_.end(), later);
}

void World::run_due() {
    while (!happenings_.empty() && happenings_.front().at <= now_) {
        std::pop_heap(happenings_.begin(), happenings_.end(), later);
        const Happening happening = happenings_.back();
        happenings_.pop_back();
        if (happening.actor != nullptr) {
            happening.actor->on_event(happening.what, happening.argument);
        } else {
            happen(happening);
        }
    }
}

void World::happen(const Happening& happening) {
    const auto id = static_cast<std::uint32_t>(happening.argument);
    const auto what = static_cast<What>(happening.what);
    if (what == What::raise) {
        const auto ready = static_cast<Ready>(happening.argument >> 32U);
        --registrations_[id].delayed;
        raise_now(id, ready);
        return;
    }
    Link& link = *links_[id];
    switch (what) {
    case What::deliver:
        link.delivering = false;
        deliver(link, id);
        break;
    case What::tell_peer:
        if (!link.peer_closed && !link.peer_reset) {
            link.peer->on_readable(id);
        }
        break;
    case What::tell_reset:
        reset_peer_end(link, id);
        break;
    case What::reset_daemon:
        reset_daemon_end(link);
        break;
    case What::unblock:
        room_made(link, false);
        break;
    case What::arrive:
        arrive(id);
        break;
    case What::raise:
        break;
    }
}

void World::fail(const std::string& what) {
    if (failure_.empty()) {
        char when[64];
        static_cast<void>(
            std::snprintf(when, sizeof when, "at %.6f s: ", static_cast<double>(now_) / 1e9));
        failure_ = when + what;
        say("FAILED: " + what);
        if (mourner_ != nullptr) {
            mourner_->on_event(mourner_what_, 0);
        }
    }
    interrupted_ = true;
}

void World::note(std::string_view what, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    for (const std::uint64_t word : {static_cast<std::uint64_t>(now_), a, b, c}) {
        digest_ = (digest_ ^ word) * 0x100000001B3ULL;
        digest_ ^= digest_ >> 29U;
    }
    if (trace_) {
        static_cast<void>(std::printf(
            "%12.6f %-10.*s %llu %llu %llu\n", static_cast<double>(now_) / 1e9,
            static_cast<int>(what.size()), what.data(), static_cast<unsigned long long>(a),
            static_cast<unsigned long long>(b), static_cast<unsigned long long>(c)));
    }
}

void World::say(const std::string& line) const {
    if (trace_) {
        static_cast<void>(
            std::printf("%12.6f %s\n", static_cast<double>(now_) / 1e9, line.c_str()));
    }
}

void World::calm() {
    const Faults none;
    faults_.short_read = none.short_read;
    faults_.short_write = none.short_write;
    faults_.blocked_read = none.blocked_read;
    faults_.blocked_write = none.blocked_write;
    faults_.no_buffers = none.no_buffers;
    faults_.accept_aborted = none.accept_aborted;
    faults_.accept_episode = none.accept_episode;
    faults_.spurious_edge = none.spurious_edge;
    faults_.delayed_edge = none.delayed_edge;
    accept_error_ = 0;
    limit_descriptors(1 << 20);
}

void World::pass(Instant length) {
    const Instant until = now_ + length;
    while (!happenings_.empty() && happenings_.front().at <= until) {
        now_ = std::max(now_, happenings_.front().at);
        run_due();
    }
    now_ = until;
}

std::uint64_t World::bytes_read() const {
    std::uint64_t sum = 0;
    for (const std::unique_ptr<Link>& link : links_) {
        sum += link->in.left;
    }
    return sum;
}

std::uint64_t World::bytes_read_of_refused() const {
    std::uint64_t sum = 0;
    for (const std::unique_ptr<Link>& link : links_) {
        sum += link->watched ? 0 : link->in.left;
    }
    return sum;
}

void World::check_bytes() {
    for (const std::unique_ptr<Link>& link : links_) {
        for (const Channel* const channel : {&link->wire, &link->in, &link->out}) {
            if (channel->entered != channel->left + channel->lost + channel->size()) {
                fail("bytes of a channel are not accounted for");
            }
        }
        if (link->in.entered != link->wire.left) {
            fail("bytes were made or lost between a peer and the daemon");
        }
    }
}

} // namespace roomd::sim
