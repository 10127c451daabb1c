#include "daemon/datagram_listener.h"
#include "daemon/listen_sockets.h"
#include "daemon/server.h"
#include "reactor/sys.h"

#include <algorithm>
#include <iterator>
#include <system_error>

// Where the server listens: opening, changing and naming listeners.
namespace roomd {

namespace {

// Of a URI `udp://` the parser has made sure; of a socket that is handed over only now can one
// know.
void refuse_streams_over_datagrams(const ListenerSpec& spec) {
    if (spec.framing != Framing::automatic || spec.debug || spec.flush_ms > 0 ||
        spec.room.empty()) {
        throw std::system_error(EINVAL, std::generic_category(),
                                "cannot listen on " + spec.uri +
                                    ": it is a UDP socket: a datagram is one payload, said in a "
                                    "room, and never answered (UDP has room and limits)");
    }
}

} // namespace

void Server::open_listeners() {
    config_ = with_inherited(config_, adopted_);
    if (metrics_ == nullptr) {
        metrics_ = open_metrics(config_);
    }
    std::vector<OpenListener> opened;
    // Handed over ones last: one that is taken and then given up because another cannot be bound
    // would be closed, and nobody could open it again.
    for (const bool inherited : {false, true}) {
        for (const ListenerSpec& spec : config_.listeners) {
            if ((spec.endpoint.transport == Transport::inherited) == inherited) {
                std::ranges::move(open(spec), std::back_inserter(opened));
            }
        }
    }
    listeners_ = std::move(opened);
    for (const OpenListener& listener : listeners_) {
        log_listening(listener);
    }
    drop_unused_inherited();
    serving_ = true;
}

std::unique_ptr<MetricsListener> Server::open_metrics(const Config& config) {
    if (!config.metrics) {
        return nullptr;
    }
    constexpr int backlog = 64;
    const std::string uri = to_string(*config.metrics);
    std::vector<ListenSocket> sockets = open_listen_sockets(
        *config.metrics, uri,
        {"--metrics", backlog, config.insecure_public, false, &inherited_, &handed_});
    if (sockets.front().datagram) {
        throw std::system_error(EINVAL, std::generic_category(),
                                "cannot listen on " + uri + ": it is a UDP socket");
    }
    auto opened = std::make_unique<MetricsListener>(loop_, asked_by("--metrics", uri),
                                                    std::move(sockets), metrics_pages_);
    for (const MetricsListener::Open& open : opened->listeners()) {
        log_.line(LogLevel::info, "metrics", {{"address", open.address}, {"uri", uri}});
    }
    return opened;
}

std::vector<Server::OpenListener> Server::open(const ListenerSpec& spec) {
    const int backlog = static_cast<int>(config_.limits.listen_backlog);
    std::vector<OpenListener> opened;
    for (ListenSocket& socket : open_listen_sockets(
             spec.endpoint, spec.uri,
             {"--listen", backlog, config_.insecure_public, spec.debug, &inherited_, &handed_})) {
        OpenListener& listener = opened.emplace_back();
        listener.spec = std::make_unique<ListenerSpec>(spec);
        listener.address = std::move(socket.address);
        if (socket.datagram) {
            refuse_streams_over_datagrams(spec);
            listener.datagram = std::make_unique<DatagramListener>(
                std::move(socket.fd), *listener.spec,
                DatagramHost{loop_, config_.limits, hub_, counters_, sources_, budget_, hash_key_});
        } else {
            listener.stream = std::make_unique<Listener>(loop_, std::move(socket.fd),
                                                         config_.limits.accepts_per_tick_max, *this,
                                                         std::move(socket.file));
        }
        limit_accepts(listener);
    }
    return opened;
}

// Where strangers come, those who all come back at once are let in one after the other.
void Server::limit_accepts(const OpenListener& listener) const {
    if (listener.stream != nullptr) {
        const bool strangers = !is_local(sys::local_address(listener.stream->fd()));
        listener.stream->set_accepts_per_second_max(
            limits_hold(*listener.spec, strangers) ? config_.limits.accepts_per_second_max : 0);
    }
}

const ListenerSpec* Server::spec_of(const Listener& listener) const {
    for (const OpenListener& open : listeners_) {
        if (open.stream.get() == &listener) {
            return open.spec.get();
        }
    }
    return nullptr;
}

void Server::log_listening(const OpenListener& listener) {
    log_.line(LogLevel::info, "listening",
              {{"address", listener.address}, {"uri", listener.spec->uri}});
}

std::vector<Server::Bound> Server::bound() const {
    std::vector<Bound> bound;
    for (const OpenListener& listener : listeners_) {
        bound.push_back({listener.address, listener.spec.get()});
    }
    return bound;
}

bool Server::reload(const Config& given, std::string& error) {
    const Config config = with_inherited(given, adopted_);
    if (phase_ != Phase::serving) {
        error = "the server is going down";
        return false;
    }
    if (!serving_) {
        change_plan(config);
        return true;
    }
    const bool was_public = std::exchange(config_.insecure_public, config.insecure_public);
    const bool same_metrics = config.metrics == config_.metrics;
    std::unique_ptr<MetricsListener> metrics;
    std::vector<OpenListener> opened;
    try {
        metrics = same_metrics ? nullptr : open_metrics(config);
        opened = open_new(config);
    } catch (const std::exception& failure) { // nothing has changed: what was opened closes again
        config_.insecure_public = was_public;
        error = failure.what();
        return false;
    }
    keep_wanted(config, opened);
    for (const OpenListener& listener : opened) {
        log_listening(listener);
    }
    listeners_ = std::move(opened);
    if (!same_metrics) {
        metrics_ = std::move(metrics); // those who are being answered there lose their answer
    }
    config_ = config;
    apply_config();
    for (const OpenListener& listener : listeners_) {
        limit_accepts(listener);
    }
    set_lockdown(lockdown_); // there are new listeners
    drop_unused_specs();
    return true;
}

// While an address is waited for: what was opened here would be in the way of the next attempt,
// which opens all that this configuration wants instead.
void Server::change_plan(const Config& config) {
    if (config.metrics != config_.metrics) {
        metrics_.reset();
    }
    config_ = config;
    apply_config();
}

// The listeners of `config` whose endpoints are not open yet.
std::vector<Server::OpenListener> Server::open_new(const Config& config) {
    std::vector<OpenListener> opened;
    for (const ListenerSpec& spec : config.listeners) {
        const bool known =
            std::any_of(listeners_.begin(), listeners_.end(), [&](const OpenListener& open) {
                return open.spec->endpoint == spec.endpoint;
            });
        if (known) {
            continue;
        }
        for (OpenListener& listener : open(spec)) {
            opened.push_back(std::move(listener));
        }
    }
    return opened;
}

// Moves the open listeners that `config` still wants to `kept`, with its words for them.
void Server::keep_wanted(const Config& config, std::vector<OpenListener>& kept) {
    for (OpenListener& old : listeners_) {
        const auto wanted = std::find_if(
            config.listeners.begin(), config.listeners.end(),
            [&](const ListenerSpec& spec) { return old.spec->endpoint == spec.endpoint; });
        // Sessions refer to the old words of their listener until they end.
        retired_.push_back({std::move(old.spec), nullptr, nullptr, old.address});
        if (wanted == config.listeners.end()) {
            log_.line(LogLevel::info, "not_listening", {{"address", old.address}});
            continue;
        }
        old.spec = std::make_unique<ListenerSpec>(*wanted);
        if (old.datagram != nullptr) {
            old.datagram->set_spec(*old.spec);
        }
        kept.push_back(std::move(old));
    }
}

void Server::drop_unused_specs() {
    if (retired_.empty()) {
        return;
    }
    std::erase_if(retired_, [this](const OpenListener& retired) {
        bool used = false;
        sessions_.for_each([&](Key /*key*/, const std::unique_ptr<Session>& session) {
            used = used || &session->spec() == retired.spec.get();
        });
        return !used;
    });
}

} // namespace roomd
