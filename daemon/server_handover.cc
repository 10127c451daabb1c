#include "daemon/datagram_listener.h"
#include "daemon/saved_chunks.h"
#include "daemon/server.h"
#include "daemon/snapshot.h"
#include "reactor/sys.h"

#include <algorithm>
#include <iterator>
#include <system_error>

// The server's way into another process.
namespace roomd {

// Until nothing is waiting but bytes in queues: what was said is handed out, and who has to go for
// it goes, which others may be told. Each round somebody goes or it is the last.
void Server::settle() {
    sessions_.for_each([this](Key /*key*/, const std::unique_ptr<Session>& session) {
        // A replay whose room has ended gets its answer now: over there nobody would know it.
        static_cast<void>(hub_.continue_replay(session->member(), 0));
    });
    do {
        hub_.hand_out();
        enforce_limits();
        reap(Reap::all);
    } while (hub_.dirty() || !closed_.empty());
}

Snapshot Server::save() {
    tell_time();
    settle();
    Snapshot snapshot;
    snapshot.made_by = version();
    snapshot.frozen_us =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                       sys::monotonic_now().time_since_epoch())
                                       .count());
    const std::vector<std::uint32_t> rooms = hub_.save_rooms(snapshot);
    ChunkCollector chunks(snapshot);
    snapshot.sessions.reserve(sessions_.size());
    sessions_.for_each([&](Key /*key*/, const std::unique_ptr<Session>& session) {
        snapshot.sessions.push_back(session->save(chunks, rooms));
    });
    for (const OpenListener& open : listeners_) {
        const bool locked = open.stream != nullptr && open.stream->lock() >= 0;
        const Endpoint& endpoint = open.spec->endpoint;
        const bool inherited = endpoint.transport == Transport::inherited;
        snapshot.listeners.push_back({open.spec->uri, open.address,
                                      inherited ? std::string_view(endpoint.path) : "",
                                      open.datagram != nullptr, locked});
    }
    if (metrics_ != nullptr) {
        const bool inherited = config_.metrics->transport == Transport::inherited;
        for (const MetricsListener::Open& open : metrics_->listeners()) {
            snapshot.listeners.push_back({metrics_->uri(), open.address,
                                          inherited ? std::string_view(config_.metrics->path) : "",
                                          false, open.listener->lock() >= 0});
        }
    }
    snapshot.lockdown = lockdown_;
    snapshot.sources = sources_.saved(config_.limits, loop_.now());
    snapshot.counters = counters_;
    snapshot.traffic =
        SavedTraffic{host_.bytes_read, host_.bytes_written, host_.read_calls, host_.write_calls};
    return snapshot;
}

std::uint64_t Server::saved_bytes_estimate() const {
    constexpr std::uint64_t index_entry_bytes = sizeof(HistoryEntry) + 24; // and its record's head
    constexpr std::uint64_t session_bytes = 1024;
    return hub_.history_bytes() + hub_.messages_kept() * index_entry_bytes + arena_.bytes_pinned() +
           sessions_.size() * session_bytes;
}

std::vector<int> Server::descriptors() {
    std::vector<int> all;
    sessions_.for_each([&](Key /*key*/, const std::unique_ptr<Session>& session) {
        all.push_back(session->stream().fd());
    });
    for (const OpenListener& open : listeners_) {
        all.push_back(open.stream != nullptr ? open.stream->fd() : open.datagram->fd());
        if (open.stream != nullptr && open.stream->lock() >= 0) {
            all.push_back(open.stream->lock());
        }
    }
    if (metrics_ != nullptr) {
        for (const MetricsListener::Open& open : metrics_->listeners()) {
            all.push_back(open.listener->fd());
            if (open.listener->lock() >= 0) {
                all.push_back(open.listener->lock());
            }
        }
    }
    return all;
}

std::vector<Fd> Server::release() {
    std::vector<Fd> all;
    std::vector<Key> keys;
    sessions_.for_each([&](Key key, const std::unique_ptr<Session>& session) {
        all.push_back(session->release());
        keys.push_back(key);
    });
    for (const Key key : keys) {
        sessions_.erase(key);
    }
    for (OpenListener& open : listeners_) {
        if (open.datagram != nullptr) {
            all.push_back(open.datagram->release());
            continue;
        }
        auto [socket, lock] = open.stream->release();
        all.push_back(std::move(socket));
        if (lock) {
            all.push_back(std::move(lock));
        }
    }
    listeners_.clear();
    if (metrics_ != nullptr) {
        std::ranges::move(metrics_->release(), std::back_inserter(all));
        metrics_.reset(); // operators ask again
    }
    return all;
}

InheritedSockets Server::adopt_listeners(const Snapshot& snapshot, std::vector<Fd>& sockets) {
    std::size_t next = snapshot.sessions.size();
    const auto take = [&] { return next < sockets.size() ? std::move(sockets[next++]) : Fd(); };
    InheritedSockets named;
    for (const SavedListener& saved : snapshot.listeners) {
        Fd fd = take();
        Fd lock = saved.locked ? take() : Fd();
        if (fd && saved.name.empty()) {
            handed_.push_back({std::string(saved.uri), std::string(saved.address), saved.datagram,
                               std::move(fd), std::move(lock)});
        } else if (fd) {
            named.emplace_back(saved.name, std::move(fd));
        }
    }
    sockets.resize(std::min(sockets.size(), snapshot.sessions.size()));
    return named;
}

std::size_t Server::restore(const Snapshot& snapshot, std::vector<Fd> sockets) {
    for (const HandedSocket& unwanted : handed_) {
        if (unwanted.lock) {
            sys::remove_own_socket(unwanted.address, unwanted.lock.get());
        }
    }
    handed_.clear();
    tell_time();
    if (snapshot.lockdown) {
        set_lockdown(true);
    }
    if (snapshot.counters) {
        counters_ = *snapshot.counters;
        meter_.begin_at(counters_.messages_said); // those were another program's to deliver
    }
    if (snapshot.traffic) {
        host_.bytes_read = snapshot.traffic->bytes_read;
        host_.bytes_written = snapshot.traffic->bytes_written;
        host_.read_calls = snapshot.traffic->read_calls;
        host_.write_calls = snapshot.traffic->write_calls;
    }
    for (const Sources::Saved& source : snapshot.sources) {
        sources_.restore(source, loop_.now());
    }
    const std::vector<Key> rooms = hub_.restore_rooms(snapshot);
    const std::vector<ChunkRef> chunks = restore_chunks(snapshot, arena_);
    std::size_t lost = 0;
    for (std::size_t index = 0; index < snapshot.sessions.size(); ++index) {
        Fd fd = index < sockets.size() ? std::move(sockets[index]) : Fd();
        if (!restore_session(snapshot.sessions[index], std::move(fd), chunks, rooms)) {
            ++lost;
        }
    }
    if (stopping()) { // since the listeners were waited for, when nobody was here to be told
        loop_.go_on();
        say_goodbye();
    }
    return lost;
}

bool Server::restore_session(const SavedSession& saved, Fd fd, const std::vector<ChunkRef>& chunks,
                             const std::vector<Key>& rooms) {
    if (!fd || sys::socket_cookie(fd.get()) != saved.cookie) {
        return false;
    }
    const ListenerSpec& spec = spec_for(saved.uri);
    const SourceKey source = saved.limited ? saved.source : source_of(sys::peer_address(fd.get()));
    std::unique_ptr<Session> session;
    try {
        session = std::make_unique<Session>(*this, host_, std::move(fd), spec,
                                            Guest{saved.strangers, source});
    } catch (const std::system_error& error) { // the poller takes no more
        log_.line(LogLevel::error, "not_continued",
                  {{"error", sys::error_text(error.code().value())}});
        return false;
    }
    if (session->limited()) {
        sources_.readmit(source);
    }
    const Key key = sessions_.insert(std::move(session));
    sessions_.at(key)->restore(key, saved, chunks, rooms);
    return true;
}

// The words of the listener it came by; those it had over there, if the configuration has changed.
const ListenerSpec& Server::spec_for(std::string_view uri) {
    for (const std::vector<OpenListener>* const list : {&listeners_, &retired_}) {
        for (const OpenListener& open : *list) {
            if (open.spec->uri == uri) {
                return *open.spec;
            }
        }
    }
    auto spec = std::make_unique<ListenerSpec>();
    std::string error;
    if (!parse_listener(uri, *spec, error)) {
        log_.line(LogLevel::warning, "listener_unknown", {{"uri", uri}, {"error", error}});
        *spec = ListenerSpec{}; // another version's: the framing is what the decoder remembers
        spec->uri = uri;
    }
    retired_.push_back({std::move(spec), nullptr, nullptr, {}});
    return *retired_.back().spec;
}

} // namespace roomd
