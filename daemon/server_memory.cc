#include "daemon/relief.h"
#include "daemon/server.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

// Who loses what when memory is short. What comes free is computed before anything is taken.
namespace roomd {

namespace {

// What a connection costs beside its buffers: session, name, table entries, timer, rates.
constexpr std::uint64_t connection_bytes = 1536;
// Name, topic, seats' rows, index of the history.
constexpr std::uint64_t room_bytes = 2048;
// Half payloads below this are not worth a connection: closing it would free less than it holds.
constexpr std::size_t partial_bytes_min = 1024;
// Where nothing can be freed, it is not looked for again in each tick: the look walks all sessions.
constexpr Duration relief_pause = std::chrono::milliseconds(50);

constexpr Duration give_back_pause = std::chrono::seconds(2);

template <typename Amount>
void largest_first(std::vector<std::pair<Amount, Key>>& holders) {
    std::sort(holders.begin(), holders.end(),
              [](const auto& left, const auto& right) { return left.first > right.first; });
}

} // namespace

void Server::account_memory() {
    MemoryUse use;
    use.connections = sessions_.size() * connection_bytes;
    use.input = host_.input_bytes_held();
    use.output = arena_.bytes_pinned() + arena_.queue_list_bytes();
    use.history = hub_.history_bytes();
    use.rooms = hub_.room_count() * room_bytes;
    memory_.update(use);
    host_.blocks.give_back(memory_.surplus(host_.blocks.spare_bytes()));
    const bool scarce = memory_.level() != MemoryAccount::Level::ample;
    if (scarce != newcomers_wait_) {
        newcomers_wait_ = scarce;
        if (scarce && loop_.now() - gave_back_ > give_back_pause) {
            // What was freed in small pieces is in memory too, and the ceiling is near.
            gave_back_ = loop_.now();
            sys::give_back_memory();
        }
        for (const OpenListener& listener : listeners_) {
            if (listener.stream != nullptr) {
                listener.stream->hold(scarce);
            }
        }
    }
    const bool over = memory_.level() == MemoryAccount::Level::over;
    const bool pinned = arena_.bytes_pinned() > config_.limits.pinned_bytes_max;
    if ((!over && !pinned) || relief_pause_) {
        return;
    }
    if (pinned) {
        counters_.hit(Limit::pinned_bytes_max);
        shed_queues(arena_.bytes_pinned() - config_.limits.pinned_bytes_max,
                    config_.limits.pinned_bytes_max);
    }
    if (over) {
        counters_.hit(Limit::memory_max);
        relieve_memory();
    }
    relief_pause_ = loop_.after(relief_pause, *this); // its end is a tick, so it is looked at again
}

// Half payloads first, the oldest first: they are what costs a client nothing to begin and us a
// buffer to keep. Then queues.
void Server::relieve_memory() {
    const std::uint64_t needed = memory_.excess();
    std::vector<std::pair<TimePoint, Key>> partial;
    sessions_.for_each([&](Key key, const std::unique_ptr<Session>& session) {
        const std::optional<TimePoint> since = session->partial_since();
        if (since && session->stream().input().capacity() >= partial_bytes_min) {
            partial.emplace_back(*since, key);
        }
    });
    std::stable_sort(partial.begin(), partial.end(),
                     [](const auto& left, const auto& right) { return left.first < right.first; });
    Relief relief(needed);
    std::size_t chosen = 0;
    while (chosen < partial.size() && !relief.satisfied()) {
        relief.offer(sessions_.at(partial[chosen++].second)->stream().input().capacity());
    }
    for (std::size_t index = 0; index < chosen; ++index) {
        counters_.hit(Limit::partial_ms_max);
        sessions_.at(partial[index].second)
            ->end(CloseReason::full, "memory is short; finish what you begin to send");
    }
    if (!relief.satisfied()) {
        shed_queues(needed - relief.freed(), memory_.ceiling());
    }
}

// Whoever holds more than `floor` in its queue, the largest first.
std::vector<std::pair<std::uint64_t, Key>> Server::queues_over(std::uint64_t floor,
                                                               bool only_blocked) const {
    std::vector<std::pair<std::uint64_t, Key>> holders;
    sessions_.for_each([&](Key key, const std::unique_ptr<Session>& session) {
        const Stream& stream = session->stream();
        const std::uint64_t held = Relief::part_of(stream.output());
        if (held > floor && (!only_blocked || stream.blocked())) {
            holders.emplace_back(held, key);
        }
    });
    largest_first(holders);
    return holders;
}

void Server::shed_queue(Session& session) {
    if (session.ending()) {
        session.abort(session.reason()); // it had its chance
    } else {
        session.shed();
    }
}

// The largest queues lose what they hold, as few of them as suffice. First those over their fair
// share of `limit` that are over the soft limit, too. If these do not suffice, it is only taken
// from those that the kernel takes nothing for: over their share, and at last whoever holds most,
// because above pinned_bytes_max nobody could speak.
void Server::shed_queues(std::uint64_t bytes_needed, std::uint64_t limit) {
    const std::uint64_t share = limit / std::max<std::uint64_t>(sessions_.size(), 1);
    const std::uint64_t soft = config_.limits.queue_soft_bytes;
    const std::array<std::uint64_t, 3> floors{std::max(share, soft), share, 0};
    for (std::size_t pass = 0; pass < floors.size(); ++pass) {
        const auto holders = queues_over(floors.at(pass), pass > 0);
        Relief relief(bytes_needed);
        std::size_t chosen = 0;
        while (chosen < holders.size() && !relief.satisfied()) {
            relief.offer(sessions_.at(holders[chosen++].second)->stream().output());
        }
        if (!relief.satisfied() && pass + 1 < floors.size()) {
            continue; // from these alone it would be taken for nothing
        }
        for (std::size_t index = 0; index < chosen && relief.freed() > 0; ++index) {
            shed_queue(*sessions_.at(holders[index].second));
        }
        return;
    }
}

} // namespace roomd
