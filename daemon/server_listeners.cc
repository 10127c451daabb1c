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

// The mode of a Unix socket's file can be changed where it is: it is no part of the place.
bool same_place(Endpoint one, const Endpoint& other) {
    one.mode = other.mode;
    return one == other;
}

bool wants(const Config& config, const Endpoint& endpoint) {
    return std::any_of(
        config.listeners.begin(), config.listeners.end(),
        [&](const ListenerSpec& spec) { return same_place(spec.endpoint, endpoint); });
}

bool has_name(const Endpoint& endpoint) {
    const bool network =
        endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp;
    return network && !is_numeric_host(endpoint.host);
}

} // namespace

/// What opening the listeners of one configuration goes by.
struct ListenPlan {
    const ResolvedNames* names = nullptr;
    std::vector<OwnSocket> own = {};     // those of the listeners before, and what has been opened
    std::vector<std::string> notes = {}; // for the log
};

void Server::open_listeners() {
    config_ = with_inherited(config_, adopted_);
    ListenPlan plan;
    if (metrics_ == nullptr) {
        metrics_ = open_metrics(config_, plan);
    }
    plan.own = own_sockets(config_);
    std::vector<OpenListener> opened;
    // Handed over ones last: one that is taken and then given up because another cannot be bound
    // would be closed, and nobody could open it again.
    for (const bool inherited : {false, true}) {
        for (const ListenerSpec& spec : config_.listeners) {
            if ((spec.endpoint.transport == Transport::inherited) == inherited) {
                std::ranges::move(open(spec, plan), std::back_inserter(opened));
            }
        }
    }
    listeners_ = std::move(opened);
    log_notes(plan.notes);
    for (const OpenListener& listener : listeners_) {
        log_listening(listener);
    }
    drop_unused_inherited();
    serving_ = true;
}

void Server::log_notes(const std::vector<std::string>& notes) {
    for (const std::string& note : notes) {
        log_.line(LogLevel::warning, "not_everywhere", {{"note", note}});
    }
}

std::unique_ptr<MetricsListener> Server::open_metrics(const Config& config,
                                                      const ListenPlan& plan) {
    if (!config.metrics) {
        return nullptr;
    }
    constexpr int backlog = 64;
    const std::string uri = to_string(*config.metrics);
    std::vector<ListenSocket> sockets =
        open_listen_sockets(*config.metrics, uri,
                            {"--metrics", backlog, config.insecure_public, false, &inherited_,
                             &handed_, plan.names, plan.own});
    if (sockets.empty()) {
        throw std::system_error(EADDRINUSE, std::generic_category(),
                                "cannot listen on " + uri +
                                    ": rooms are served there; give another port to one of them");
    }
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

std::vector<Server::OpenListener> Server::open(const ListenerSpec& spec, ListenPlan& plan) {
    const int backlog = static_cast<int>(config_.limits.listen_backlog);
    std::vector<OpenListener> opened;
    for (ListenSocket& socket :
         open_listen_sockets(spec.endpoint, spec.uri,
                             {"--listen", backlog, config_.insecure_public, spec.debug, &inherited_,
                              &handed_, plan.names, plan.own, &plan.notes})) {
        const int fd = socket.fd.get();
        plan.own.push_back({spec.uri, socket.address, socket.datagram, false, fd});
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

bool Server::reload(const Config& given, std::string& error, const ResolvedNames* names) {
    const Config config = with_inherited(given, adopted_);
    if (phase_ != Phase::serving) {
        error = "the server is going down";
        return false;
    }
    if (!serving_) {
        change_plan(config);
        return true;
    }
    if (error = exposed_by(config); !error.empty()) {
        return false;
    }
    const bool was_public = std::exchange(config_.insecure_public, config.insecure_public);
    const bool same_metrics = config.metrics == config_.metrics;
    std::unique_ptr<MetricsListener> metrics;
    std::vector<OpenListener> opened;
    ListenPlan plan{names, own_sockets(config)};
    try {
        metrics = same_metrics ? nullptr : open_metrics(config, plan);
        opened = open_new(config, plan);
    } catch (const std::exception& failure) { // nothing has changed: what was opened closes again
        config_.insecure_public = was_public;
        error = failure.what();
        share_no_port(plan);
        return false;
    }
    log_notes(plan.notes);
    accept_at_closing(config);
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

// Sockets that were made to share their port with a new one keep it for themselves again.
void Server::share_no_port(const ListenPlan& plan) {
    for (const OwnSocket& own : plan.own) { // not all of them were made to
        if (!own.datagram && own.leaving) {
            sys::let_share_port(own.fd, false);
        }
    }
}

// Those who have connected by now are let in.
void Server::accept_at_closing(const Config& config) {
    for (const OpenListener& old : listeners_) {
        if (old.stream != nullptr && !wants(config, old.spec->endpoint)) {
            old.stream->on_ready(Ready::readable);
        }
    }
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

bool Server::is_open(const ListenerSpec& spec) const {
    return std::any_of(listeners_.begin(), listeners_.end(), [&](const OpenListener& open) {
        return same_place(open.spec->endpoint, spec.endpoint);
    });
}

// The listeners of `config` whose endpoints are not open yet.
std::vector<Server::OpenListener> Server::open_new(const Config& config, ListenPlan& plan) {
    std::vector<OpenListener> opened;
    for (const ListenerSpec& spec : config.listeners) {
        if (is_open(spec)) {
            continue;
        }
        for (OpenListener& listener : open(spec, plan)) {
            opened.push_back(std::move(listener));
        }
    }
    return opened;
}

std::vector<std::string> Server::names_to_resolve(const Config& given) const {
    const Config config = with_inherited(given, adopted_);
    std::vector<std::string> names;
    const auto add = [&](const Endpoint& endpoint) {
        if (has_name(endpoint) &&
            std::find(names.begin(), names.end(), endpoint.host) == names.end()) {
            names.push_back(endpoint.host);
        }
    };
    if (!serving_) {
        return names; // nothing is opened by it now
    }
    for (const ListenerSpec& spec : config.listeners) {
        if (!is_open(spec)) {
            add(spec.endpoint);
        }
    }
    if (config.metrics && config.metrics != config_.metrics) {
        add(*config.metrics);
    }
    return names;
}

// A listener that stays is not opened anew, but what is not allowed any more is not allowed to it
// either. Only of a socket that was handed over is that not in the words of the configuration.
std::string Server::exposed_by(const Config& config) const {
    for (const OpenListener& open : listeners_) {
        const auto wanted = std::find_if(config.listeners.begin(), config.listeners.end(),
                                         [&](const ListenerSpec& spec) {
                                             return same_place(open.spec->endpoint, spec.endpoint);
                                         });
        const int fd = open.stream != nullptr ? open.stream->fd() : open.datagram->fd();
        if (wanted == config.listeners.end() || is_local(sys::local_address(fd))) {
            continue;
        }
        if (!config.insecure_public) {
            return "listener " + wanted->uri + " (" + open.address +
                   ") can be reached from other machines; take it out too, or say "
                   "--insecure-public if you mean it";
        }
        if (wanted->debug) {
            return "listener " + wanted->uri + " (" + open.address +
                   ") can be reached from other machines: debug=on is for loopback and Unix "
                   "sockets only";
        }
    }
    return {};
}

// All sockets that rooms and operators are served with, and which of them `config` wants no more.
std::vector<OwnSocket> Server::own_sockets(const Config& config) const {
    std::vector<OwnSocket> own;
    for (const OpenListener& open : listeners_) {
        own.push_back({open.spec->uri, open.address, open.datagram != nullptr,
                       !wants(config, open.spec->endpoint),
                       open.stream != nullptr ? open.stream->fd() : open.datagram->fd()});
    }
    if (metrics_ != nullptr) {
        for (const MetricsListener::Open& open : metrics_->listeners()) {
            own.push_back({metrics_->uri(), open.address, false, config.metrics != config_.metrics,
                           open.listener->fd()});
        }
    }
    return own;
}

// Best effort: the file may be gone, or another user's by now.
void Server::change_mode(const OpenListener& listener) {
    const Endpoint& endpoint = listener.spec->endpoint;
    try {
        sys::listen_again(listener.stream->fd(), endpoint.path,
                          {static_cast<int>(config_.limits.listen_backlog), endpoint.mode});
    } catch (const std::system_error& error) {
        log_.line(LogLevel::warning, "not_everywhere",
                  {{"note", listener.spec->uri + " keeps the mode of its file: " + error.what()}});
    }
}

// Moves the open listeners that `config` still wants to `kept`, with its words for them.
void Server::keep_wanted(const Config& config, std::vector<OpenListener>& kept) {
    for (OpenListener& old : listeners_) {
        const auto wanted = std::find_if(config.listeners.begin(), config.listeners.end(),
                                         [&](const ListenerSpec& spec) {
                                             return same_place(old.spec->endpoint, spec.endpoint);
                                         });
        // Sessions refer to the old words of their listener until they end.
        retired_.push_back({std::move(old.spec), nullptr, nullptr, old.address});
        if (wanted == config.listeners.end()) {
            log_.line(LogLevel::info, "not_listening", {{"address", old.address}});
            continue;
        }
        const bool other_mode = wanted->endpoint.mode != retired_.back().spec->endpoint.mode;
        old.spec = std::make_unique<ListenerSpec>(*wanted);
        if (old.stream != nullptr && other_mode) {
            change_mode(old);
        }
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
