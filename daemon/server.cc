#include "daemon/server.h"

#include "daemon/datagram_listener.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

namespace roomd {

namespace {

// What is given, or 0.6 of what the control group allows or half of the machine, whichever is less:
// the rest is for what the allocator and the kernel's sockets add, for operators and for the copy
// of the state that an upgrade makes.
std::uint64_t memory_ceiling(std::uint64_t given) {
    const sys::MemoryLimits limits = sys::memory_limits();
    std::uint64_t ceiling = limits.machine / 2;
    if (limits.cgroup && *limits.cgroup / 5 * 3 < ceiling) {
        ceiling = *limits.cgroup / 5 * 3;
    }
    return given != 0 ? given : ceiling;
}

HashKey random_key() {
    HashKey key{};
    sys::random_bytes(std::as_writable_bytes(std::span(key)));
    return key;
}

} // namespace

Server::Server(EventLoop& loop, Config config, Log& log)
    : loop_(loop), log_(log), config_(std::move(config)),
      flush_list_(loop), host_{loop, arena_, flush_list_}, hash_key_(random_key()),
      hub_(config_.limits, counters_, arena_, random_key()), sources_(hash_key_), tracer_(hub_),
      metrics_pages_(*this) {
    apply_config();
    hub_.set_time(sys::monotonic_now(), sys::wall_now());
    loop.at_tick_end(*this);
    second_ = loop.after(std::chrono::seconds(1), *this);
}

Server::~Server() {
    listeners_.clear();
    loop_.cancel(second_);
    loop_.cancel(departure_);
    loop_.cancel(relief_pause_);
    std::vector<Key> keys;
    sessions_.for_each(
        [&](Key key, const std::unique_ptr<Session>& /*session*/) { keys.push_back(key); });
    for (const Key key : keys) {
        sessions_.at(key)->abort(CloseReason::shutting_down);
    }
    reap(Reap::all);
}

void Server::apply_config() {
    host_.read_bytes_per_tick_max = config_.limits.read_bytes_per_tick_max;
    host_.flush_bytes_per_tick_max = config_.limits.flush_bytes_per_tick_max;
    memory_.set_ceiling(memory_ceiling(config_.limits.memory_max));
    begin_tick();
    std::vector<std::string> rooms; // these can always be entered
    for (const ListenerSpec& spec : config_.listeners) {
        if (!spec.room.empty()) {
            rooms.push_back(spec.room);
        }
    }
    hub_.configure(config_.name, std::string(version()), config_.rooms, rooms);
}

std::uint32_t Server::connections_max() const {
    const std::uint64_t possible = sys::descriptor_limit();
    const std::uint64_t left =
        possible > descriptors_reserved ? possible - descriptors_reserved : 1;
    const std::uint32_t wanted = config_.limits.connections_max;
    return static_cast<std::uint32_t>(wanted == 0 ? left : std::min<std::uint64_t>(left, wanted));
}

Limits Server::limits_in_force() const {
    Limits limits = config_.limits;
    limits.memory_max = memory_.ceiling();
    return limits;
}

void Server::tell_time() {
    if (told_tick_ != loop_.ticks()) {
        told_tick_ = loop_.ticks();
        hub_.set_time(loop_.now(), sys::wall_now());
    }
}

void Server::enforce_later(Session& session) {
    over_limits_.push_back(session.key());
}

void Server::on_session_closed(Session& session) {
    closed_.push_back(session.key());
}

Activity Server::on_tick_end() {
    meter_.last_tick(loop_);
    tell_time();
    scheduler_.run(*this);
    hub_.hand_out();
    if (tracer_.write_pending()) {
        hub_.hand_out();
    }
    meter_.handed_out(counters_.messages_said, loop_.now(), flush_list_.mark());
    Activity activity = flush();
    meter_.flushed(flush_list_);
    hub_.after_flush();
    enforce_limits();
    account_memory();
    reap(Reap::within_budget);
    begin_tick();
    if (checking_) {
        check();
    }
    if (hub_.dirty() || flush_list_.size() > 0 || scheduler_.pending(*this) || !closed_.empty()) {
        activity = Activity::busy;
    }
    if (metrics_ != nullptr && metrics_->on_tick_end() == Activity::busy) {
        activity = Activity::busy;
    }
    if (phase_ == Phase::stopping && over()) {
        loop_.stop();
    }
    return activity;
}

// What is left of one tick's budgets is nobody's in the next.
void Server::begin_tick() {
    static_cast<void>(hub_.take_work());
    budget_.begin_tick(config_.limits.work_per_tick_max);
    const std::uint64_t reads = config_.limits.reads_per_tick_max;
    // While memory is scarce no more is read than there is room for, but for some first reads.
    const std::uint64_t room = std::max(memory_.headroom(), std::uint64_t{BlockPool::block_bytes});
    host_.read_cost_left = static_cast<std::int64_t>(std::min(reads, room));
    // A first read takes some 15 us, less than it counts, and keeps at most 4 KiB. Those who send
    // little are heard even where nothing is left: some 256 of them a tick, or they would wait for
    // each other behind a crowd that is read for the first time.
    constexpr std::uint64_t first_reads_min = std::uint64_t{2} * 1024 * 1024;
    host_.first_read_cost_left =
        static_cast<std::int64_t>(std::min(reads * 4, std::max(room, first_reads_min)));
    share_out_answers();
}

Share* Server::share_of(Key session) {
    std::unique_ptr<Session>* const found = sessions_.find(session);
    return found == nullptr || !(*found)->stream().open() ? nullptr : &(*found)->share();
}

void Server::run_turn(Key session) {
    sessions_.at(session)->run_turn();
}

// What was said has to be sent on before more is said, or too much waits to be sent.
bool Server::may_speak() const {
    return hub_.bytes_said() <= config_.limits.said_bytes_per_tick_max &&
           arena_.bytes_pinned() <= config_.limits.pinned_bytes_max;
}

void Server::share_out_answers() {
    const Limits& limits = config_.limits;
    const std::uint64_t most = limits.pinned_bytes_max;
    output_scarce_ =
        arena_.bytes_pinned() > most - most / 8 || memory_.level() != MemoryAccount::Level::ample;
    constexpr std::uint64_t share_min = 1024;
    const std::uint64_t share = most / 4 / std::max<std::uint64_t>(sessions_.size(), 1);
    const std::uint64_t scarce = output_scarce_ ? Session::scarce_reply_bytes : UINT32_MAX;
    reply_bytes_max_ = static_cast<std::uint32_t>(
        std::min<std::uint64_t>({limits.reply_bytes_max, scarce, std::max(share, share_min)}));
}

// What has been said counts until all who were to hear it have had their turn: not until the list
// is empty, which others may see to that it never is.
Activity Server::flush() {
    if (!sending_ && hub_.bytes_said() > 0) {
        sending_ = true;
        sent_when_passed_ = flush_list_.mark();
    }
    const Activity activity = flush_list_.flush_some(config_.limits.flushed_bytes_per_tick_max);
    if (flush_list_.cut_short()) {
        counters_.hit(Limit::flushed_bytes_per_tick_max);
    }
    if (sending_ && flush_list_.passed(sent_when_passed_)) {
        sending_ = false;
        hub_.all_sent();
    }
    return activity;
}

// Behind the flush, so that only what the kernel has refused counts.
void Server::enforce_limits() {
    std::vector<Key> suspects = std::exchange(over_limits_, {});
    std::erase_if(suspects, [this](Key key) {
        std::unique_ptr<Session>* const session = sessions_.find(key);
        return session == nullptr || !(*session)->enforce_limits();
    });
    over_limits_.insert(over_limits_.begin(), suspects.begin(), suspects.end());
}

// Leaving rooms is work, and many may have gone at once: what does not fit into the budget is done
// in the next tick. Until then they are members that hear nothing. Some leave in any case: those
// who are here can use up every tick, and names, places and sources would never come free.
void Server::reap(Reap how) {
    if (closed_.empty()) {
        return;
    }
    int assured = 16;
    while (!closed_.empty() && (how == Reap::all || budget_.left() || assured > 0)) {
        --assured;
        std::unique_ptr<Session>* const found = sessions_.find(closed_.front());
        closed_.pop_front();
        if (found == nullptr) {
            continue;
        }
        Session& session = **found;
        session.leave();
        budget_.spend(Scheduler::turn_units + hub_.take_work());
        ++counters_.closed;
        ++counters_.closes[static_cast<std::size_t>(session.reason())];
        if (session.limited()) {
            sources_.release(session.source());
        }
        sessions_.erase(session.key());
    }
    for (const OpenListener& listener : listeners_) {
        if (listener.stream != nullptr) {
            listener.stream->resume();
        }
    }
    if (metrics_ != nullptr) {
        metrics_->resume();
    }
}

// While the session still knows who it was.
void Server::on_session_ending(const Session& session) {
    const CloseReason reason = session.reason();
    const bool usual = reason == CloseReason::end || reason == CloseReason::quit ||
                       reason == CloseReason::reset || reason == CloseReason::shutting_down;
    const LogLevel level = usual ? LogLevel::debug : LogLevel::info;
    if (level < config_.log_level) {
        return;
    }
    const Member* const member = hub_.member(session.member());
    const std::string peer =
        session.stream().closed() ? "gone" : to_string(sys::peer_address(session.stream().fd()));
    log_.line(level, "closed",
              {{"connection", std::uint64_t{session.key().slot}},
               {"peer", peer},
               {"nick", member == nullptr ? "" : member->nick.text()},
               {"reason", word(reason)},
               {"queued_bytes", std::uint64_t{session.stream().output().bytes()}}});
}

void Server::on_timer(TimerKey key) {
    if (key == departure_) {
        departure_ = {};
        next_departures();
        return;
    }
    if (key == relief_pause_) {
        relief_pause_ = {};
        return;
    }
    second_ = loop_.after(std::chrono::seconds(1), *this);
    tell_time();
    hub_.on_second();
    sources_.sweep(config_.limits, loop_.now());
    host_.blocks.trim();
    if (memory_.load_is_over()) {
        sys::give_back_memory(); // once a load, and later: it may take some milliseconds
    }
    drop_unused_specs(); // it walks all sessions, so not at each burial
}

void Server::check() const {
    hub_.check();
    sessions_.check();
    for (std::uint32_t slot = 0; slot < sessions_.slot_count(); ++slot) {
        const auto* const session = sessions_.find(sessions_.key_at(slot));
        if (session != nullptr) {
            (*session)->stream().check();
        }
    }
}

} // namespace roomd
