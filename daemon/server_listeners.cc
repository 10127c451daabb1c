#include "daemon/datagram_listener.h"
#include "daemon/server.h"
#include "reactor/sys.h"

#include <algorithm>
#include <stdexcept>
#include <system_error>

// Where the server listens: opening, changing and naming listeners.
namespace roomd {

namespace {

[[noreturn]] void cannot_listen(const ListenerSpec& spec, const std::system_error& cause) {
    std::string text =
        "cannot listen on " + spec.uri + ": " + sys::error_text(cause.code().value());
    switch (cause.code().value()) {
    case EADDRINUSE:
        text +=
            "; another roomd or another program has it. `ss -lxtunp` shows which. Stop it, give "
            "another --listen URI, or let roomd wait with --bind-retry SECONDS";
        break;
    case EACCES:
        text +=
            "; ports below 1024 and other people's directories need rights. Give a port above, or "
            "let the service manager hand the socket over (fd:NAME)";
        break;
    case EADDRNOTAVAIL:
        text += "; this machine has no such address. `ip addr` shows those it has";
        break;
    case ENOENT:
        text += "; the directory of the socket does not exist";
        break;
    default:
        break;
    }
    throw std::system_error(cause.code(), text);
}

[[noreturn]] void refuse_to_listen(const ListenerSpec& spec, int error, const std::string& why) {
    throw std::system_error(error, std::generic_category(),
                            "cannot listen on " + spec.uri + ": " + why);
}

std::string public_refusal(const SocketAddress& address) {
    return to_string(address) + " can be reached from other machines, and roomd has no accounts " +
           "and no encryption yet; say --insecure-public if you mean it";
}

} // namespace

void Server::adopt(std::string name, Fd socket) {
    inherited_.emplace_back(std::move(name), std::move(socket));
}

void Server::open_listeners() {
    std::vector<OpenListener> opened;
    for (const ListenerSpec& spec : config_.listeners) {
        for (OpenListener& listener : open(spec)) {
            opened.push_back(std::move(listener));
        }
    }
    listeners_ = std::move(opened);
    for (const OpenListener& listener : listeners_) {
        log_listening(listener);
    }
}

std::vector<Server::OpenListener> Server::open(const ListenerSpec& spec) {
    try {
        return open_endpoint(spec);
    } catch (const std::system_error& error) {
        if (std::string_view(error.what()).starts_with("cannot listen")) {
            throw;
        }
        cannot_listen(spec, error);
    }
}

std::vector<Server::OpenListener> Server::open_endpoint(const ListenerSpec& spec) {
    std::vector<OpenListener> opened;
    if (spec.endpoint.transport == Transport::unix_stream) {
        opened.push_back(open_unix(spec));
    } else if (spec.endpoint.transport == Transport::inherited) {
        opened.push_back(open_inherited(spec));
    } else {
        const bool datagram = spec.endpoint.transport == Transport::udp;
        for (const SocketAddress& address :
             sys::resolve(spec.endpoint.host, spec.endpoint.port, datagram)) {
            opened.push_back(open_address(spec, address));
        }
    }
    return opened;
}

Server::OpenListener Server::open_address(const ListenerSpec& spec, const SocketAddress& address) {
    if (!is_local(address) && !config_.insecure_public) {
        refuse_to_listen(spec, EACCES, public_refusal(address));
    }
    OpenListener opened{std::make_unique<ListenerSpec>(spec), nullptr, nullptr, {}};
    if (spec.endpoint.transport == Transport::udp) {
        Fd fd = sys::bind_datagram(address);
        opened.address = to_string(sys::local_address(fd.get()));
        opened.datagram = std::make_unique<DatagramListener>(
            std::move(fd), *opened.spec, DatagramHost{loop_, config_.limits, hub_, counters_});
        return opened;
    }
    Fd fd = sys::listen_stream(address, {static_cast<int>(config_.limits.listen_backlog), 0});
    opened.address = to_string(sys::local_address(fd.get()));
    opened.stream = std::make_unique<Listener>(loop_, std::move(fd),
                                               config_.limits.accepts_per_tick_max, *this);
    return opened;
} // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the analyzer loses what is moved out

Server::OpenListener Server::open_unix(const ListenerSpec& spec) {
    const std::string& path = spec.endpoint.path;
    const SocketAddress address = unix_address(path);
    if (address.length == 0) {
        refuse_to_listen(spec, ENAMETOOLONG,
                         "the path is too long for a Unix socket (107 bytes at most)");
    }
    // The lock decides between two daemons; the probe only between a living file and one left by a
    // crash.
    Fd lock = sys::lock_beside(path);
    if (!lock) {
        refuse_to_listen(spec, EADDRINUSE,
                         "another roomd holds " + path + ".lock; stop it or give another path");
    }
    switch (sys::probe_unix_path(path)) {
    case sys::UnixPath::live:
        throw std::system_error(EADDRINUSE, std::generic_category());
    case sys::UnixPath::not_a_socket:
        refuse_to_listen(spec, EEXIST,
                         path + " exists and is no socket; it is left alone. Give another path");
    case sys::UnixPath::stale:
        sys::unlink_path(path);
        break;
    case sys::UnixPath::absent:
        break;
    }
    Fd fd = sys::listen_stream(
        address, {static_cast<int>(config_.limits.listen_backlog), spec.endpoint.mode});
    OpenListener opened{std::make_unique<ListenerSpec>(spec), nullptr, nullptr, path};
    opened.stream =
        std::make_unique<Listener>(loop_, std::move(fd), config_.limits.accepts_per_tick_max, *this,
                                   UnixFile{path, std::move(lock)});
    return opened;
} // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the same

Server::OpenListener Server::open_inherited(const ListenerSpec& spec) {
    const auto found = std::find_if(inherited_.begin(), inherited_.end(), [&](const auto& item) {
        return item.first == spec.endpoint.path;
    });
    if (found == inherited_.end()) {
        refuse_to_listen(spec, ENOENT,
                         "the service manager handed over no socket of that name "
                         "(FileDescriptorName= in the socket unit)");
    }
    const SocketAddress address = sys::local_address(found->second.get());
    if (!is_local(address) && !config_.insecure_public) {
        refuse_to_listen(spec, EACCES, public_refusal(address));
    }
    if (!is_local(address) && spec.debug) {
        refuse_to_listen(spec, EACCES, "debug=on is for loopback and Unix sockets only");
    }
    Fd fd = std::move(found->second);
    inherited_.erase(found);
    OpenListener opened{std::make_unique<ListenerSpec>(spec), nullptr, nullptr,
                        to_string(sys::local_address(fd.get()))};
    opened.stream = std::make_unique<Listener>(loop_, std::move(fd),
                                               config_.limits.accepts_per_tick_max, *this);
    return opened;
} // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the same

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

bool Server::reload(const Config& config, std::string& error) {
    if (stopping_) {
        error = "the server is going down";
        return false;
    }
    const bool was_public = std::exchange(config_.insecure_public, config.insecure_public);
    std::vector<OpenListener> opened;
    try {
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
    config_ = config;
    apply_config();
    drop_unused_specs();
    return true;
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
