#include "daemon/server.h"

#include "daemon/datagram_listener.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace roomd {

namespace {

// Descriptors kept for everything that is no connection: listeners, log, configuration, the
// poller, probes.
constexpr std::uint64_t descriptors_reserved = 64;

HashKey random_key() {
    HashKey key{};
    sys::random_bytes(std::as_writable_bytes(std::span(key)));
    return key;
}

} // namespace

Server::Server(EventLoop& loop, Config config, Log& log)
    : loop_(loop), log_(log), config_(std::move(config)),
      flush_list_(loop), host_{loop, arena_, flush_list_},
      hub_(config_.limits, counters_, arena_, random_key()), sources_(random_key()), tracer_(hub_),
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
    std::vector<Key> keys;
    sessions_.for_each(
        [&](Key key, const std::unique_ptr<Session>& /*session*/) { keys.push_back(key); });
    for (const Key key : keys) {
        sessions_.at(key)->abort(CloseReason::shutting_down);
    }
    bury();
}

void Server::apply_config() {
    host_.read_bytes_per_tick_max = config_.limits.read_bytes_per_tick_max;
    host_.flush_bytes_per_tick_max = config_.limits.flush_bytes_per_tick_max;
    hub_.configure(config_.name, std::string(version()), config_.rooms);
}

std::uint32_t Server::connections_max() const {
    const std::uint64_t possible = sys::descriptor_limit();
    const std::uint64_t left =
        possible > descriptors_reserved ? possible - descriptors_reserved : 1;
    const std::uint32_t wanted = config_.limits.connections_max;
    return static_cast<std::uint32_t>(wanted == 0 ? left : std::min<std::uint64_t>(left, wanted));
}

void Server::tell_time() {
    if (told_tick_ != loop_.ticks()) {
        told_tick_ = loop_.ticks();
        hub_.set_time(loop_.now(), sys::wall_now());
    }
}

void Server::doom(Session& session) {
    doomed_.push_back(session.key());
}

void Server::judge_later(Session& session) {
    suspects_.push_back(session.key());
}

void Server::on_session_closed(Session& session) {
    dead_.push_back(session.key());
}

Activity Server::on_tick_end() {
    meter_.last_tick(loop_);
    tell_time();
    hub_.hand_out();
    if (tracer_.write_pending()) {
        hub_.hand_out();
    }
    meter_.handed_out(counters_.messages_said, loop_.now(), flush_list_.mark());
    Activity activity = flush();
    meter_.flushed(flush_list_);
    hub_.after_flush();
    judge();
    bury();
    give_turns();
    if (checking_) {
        check();
    }
    if (hub_.dirty() || flush_list_.size() > 0 || !waiting_.empty()) {
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

void Server::judge() {
    for (const Key key : std::exchange(doomed_, {})) {
        if (std::unique_ptr<Session>* const session = sessions_.find(key); session != nullptr) {
            (*session)->end(CloseReason::slow, "you read more slowly than your rooms speak");
        }
    }
    for (const Key key : std::exchange(suspects_, {})) {
        if (std::unique_ptr<Session>* const session = sessions_.find(key); session != nullptr) {
            (*session)->tell_blocked();
        }
    }
    if (arena_.bytes_pinned() > config_.limits.pinned_bytes_max) {
        relieve_pinned();
    }
}

// All queues together hold too much: the largest goes first, until it fits. Each step walks all
// sessions, which only an overload pays for.
void Server::relieve_pinned() {
    counters_.hit(Limit::pinned_bytes_max);
    std::vector<std::pair<std::uint32_t, Key>> queues;
    sessions_.for_each([&](Key key, const std::unique_ptr<Session>& session) {
        if (!session->stream().output().empty()) {
            queues.emplace_back(session->stream().output().bytes(), key);
        }
    });
    std::sort(queues.begin(), queues.end(),
              [](const auto& left, const auto& right) { return left.first > right.first; });
    for (const auto& [bytes, key] : queues) {
        if (arena_.bytes_pinned() <= config_.limits.pinned_bytes_max) {
            return;
        }
        Session& session = *sessions_.at(key);
        if (session.ending()) {
            session.abort(session.reason()); // it had its chance
        } else {
            session.relieve();
        }
    }
}

void Server::bury() {
    if (dead_.empty()) {
        return;
    }
    for (const Key key : std::exchange(dead_, {})) {
        const std::unique_ptr<Session>* const found = sessions_.find(key);
        if (found == nullptr) {
            continue;
        }
        const Session& session = **found;
        ++counters_.closed;
        ++counters_.closes[static_cast<std::size_t>(session.reason())];
        if (session.limited()) {
            sources_.release(session.source());
        }
        sessions_.erase(key);
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
    second_ = loop_.after(std::chrono::seconds(1), *this);
    tell_time();
    hub_.on_second();
    sources_.sweep(loop_.now());
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
