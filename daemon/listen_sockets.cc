#include "daemon/listen_sockets.h"

#include "daemon/activation.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <system_error>

namespace roomd {

namespace {

std::string_view without_port(std::string_view address) {
    return address.substr(0, address.rfind(':'));
}

/// One attempt to listen: what was asked for, and how a refusal is worded.
class Attempt {
public:
    Attempt(const Endpoint& endpoint, const std::string& uri, const ListenRules& rules)
        : endpoint_(endpoint), uri_(uri), rules_(rules) {}

    [[nodiscard]] std::vector<ListenSocket> run() {
        std::vector<ListenSocket> opened;
        if (endpoint_.transport == Transport::unix_stream) {
            opened.push_back(unix_file());
        } else if (endpoint_.transport == Transport::inherited) {
            opened = inherited();
        } else {
            const bool datagram = endpoint_.transport == Transport::udp;
            for (const SocketAddress& address :
                 sys::resolve(endpoint_.host, endpoint_.port, datagram)) {
                opened.push_back(network(address));
            }
        }
        return opened;
    }

    void rehearse() {
        if (endpoint_.transport == Transport::inherited) {
            if (count_inherited() == 0) {
                refuse_missing();
            }
        } else if (endpoint_.transport == Transport::unix_stream) {
            if (find_handed(endpoint_.path, false) == nullptr) {
                const ListenSocket opened = unix_file();
                sys::unlink_path(opened.file.path);
            }
        } else {
            const bool datagram = endpoint_.transport == Transport::udp;
            for (const SocketAddress& address :
                 sys::resolve(endpoint_.host, endpoint_.port, datagram)) {
                refuse_strangers(address);
                if (find_handed(to_string(address), datagram) == nullptr) {
                    static_cast<void>(bound(address));
                }
            }
        }
    }

    [[noreturn]] void fail(const std::system_error& cause) const {
        std::string text = sys::error_text(cause.code().value());
        switch (cause.code().value()) {
        case EADDRINUSE:
            text += "; another roomd or another program has it. `ss -lxtunp` shows which. Stop it, "
                    "give another " +
                    std::string(rules_.option) +
                    " URI, or let roomd wait with --bind-retry SECONDS";
            break;
        case EACCES:
            text += "; ports below 1024 and other people's directories need rights. Give a port "
                    "above, or let the service manager hand the socket over (fd:NAME)";
            break;
        case EADDRNOTAVAIL:
            text += "; this machine has no such address. `ip addr` shows those it has";
            break;
        case ENOENT:
            text += "; the directory of the socket does not exist";
            break;
        case EAFNOSUPPORT:
            text += "; this machine has no such network, or the service may not use it: let a "
                    "socket unit open it (fd:NAME), or let the service bind its own "
                    "(own-listeners.conf)";
            break;
        default:
            break;
        }
        refuse(cause.code().value(), text);
    }

private:
    [[noreturn]] void refuse(int error, const std::string& why) const {
        throw std::system_error(error, std::generic_category(),
                                "cannot listen on " + uri_ + ": " + why);
    }

    void refuse_strangers(const SocketAddress& address) const {
        if (is_local(address)) {
            return;
        }
        if (!rules_.public_allowed) {
            refuse(EACCES, to_string(address) +
                               " can be reached from other machines, and roomd has no accounts " +
                               "and no encryption yet; say --insecure-public if you mean it");
        }
        if (rules_.only_local) {
            refuse(EACCES, "debug=on is for loopback and Unix sockets only");
        }
    }

    [[noreturn]] void refuse_missing() const {
        refuse(ENOENT, "the service manager handed over no socket of that name "
                       "(FileDescriptorName= in the socket unit)");
    }

    [[nodiscard]] std::ptrdiff_t count_inherited() const {
        return std::count_if(rules_.inherited->begin(), rules_.inherited->end(),
                             [&](const auto& item) { return item.first == endpoint_.path; });
    }

    /// The socket that another process has had for this address; nullptr if it had none.
    [[nodiscard]] HandedSocket* find_handed(const std::string& address, bool datagram) const {
        if (rules_.handed == nullptr) {
            return nullptr;
        }
        const bool any_port = endpoint_.transport != Transport::unix_stream && endpoint_.port == 0;
        const auto fits = [&](const HandedSocket& handed) {
            // Where any port would do it has one by now, and is to keep it.
            const bool same = handed.address == address ||
                              (any_port && handed.uri == asked_by(rules_.option, uri_) &&
                               without_port(handed.address) == without_port(address));
            return same && handed.datagram == datagram;
        };
        const auto found = std::find_if(rules_.handed->begin(), rules_.handed->end(), fits);
        return found == rules_.handed->end() ? nullptr : &*found;
    }

    [[nodiscard]] HandedSocket take_handed(const std::string& address, bool datagram) const {
        HandedSocket* const found = find_handed(address, datagram);
        if (found == nullptr) {
            return {};
        }
        HandedSocket taken = std::move(*found);
        rules_.handed->erase(rules_.handed->begin() + (found - rules_.handed->data()));
        return taken;
    }

    [[nodiscard]] Fd bound(const SocketAddress& address) const {
        return endpoint_.transport == Transport::udp
                   ? sys::bind_datagram(address)
                   : sys::listen_stream(address, {rules_.backlog, 0});
    }

    [[nodiscard]] ListenSocket network(const SocketAddress& address) const {
        refuse_strangers(address);
        const bool datagram = endpoint_.transport == Transport::udp;
        Fd fd = take_handed(to_string(address), datagram).fd;
        if (fd && !datagram) {
            sys::listen_again(fd.get(), {}, {rules_.backlog, 0});
        } else if (!fd) {
            fd = bound(address);
        }
        std::string where = to_string(sys::local_address(fd.get()));
        return {std::move(fd), std::move(where), {}, datagram};
    }

    [[nodiscard]] ListenSocket unix_file() const {
        const std::string& path = endpoint_.path;
        const SocketAddress address = unix_address(path);
        if (address.length == 0) {
            refuse(ENAMETOOLONG, "the path is too long for a Unix socket (107 bytes at most)");
        }
        if (HandedSocket handed = take_handed(path, false); handed.fd) {
            // It was opened by the words of another configuration.
            sys::listen_again(handed.fd.get(), path, {rules_.backlog, endpoint_.mode});
            return {std::move(handed.fd), path, {path, std::move(handed.lock)}, false};
        }
        // The lock decides between two daemons; the probe only between a living file and one left
        // by a crash.
        Fd lock = sys::lock_beside(path);
        if (!lock) {
            refuse(EADDRINUSE,
                   "another roomd holds " + path + ".lock; stop it or give another path");
        }
        switch (sys::probe_unix_path(path)) {
        case sys::UnixPath::live:
            throw std::system_error(EADDRINUSE, std::generic_category());
        case sys::UnixPath::not_a_socket:
            refuse(EEXIST, path + " exists and is no socket; it is left alone. Give another path");
        case sys::UnixPath::stale:
            sys::unlink_path(path);
            break;
        case sys::UnixPath::absent:
            break;
        }
        Fd fd = sys::listen_stream(address, {rules_.backlog, endpoint_.mode});
        return {std::move(fd), path, {path, std::move(lock)}, false};
    }

    [[nodiscard]] std::vector<ListenSocket> inherited() const {
        InheritedSockets& sockets = *rules_.inherited;
        const auto wanted = [&](const auto& item) { return item.first == endpoint_.path; };
        for (const auto& [name, fd] : sockets) {
            if (name == endpoint_.path) {
                refuse_strangers(sys::local_address(fd.get())); // before any of them is taken
            }
        }
        std::vector<ListenSocket> opened;
        for (auto& [name, fd] : sockets) {
            if (name == endpoint_.path) {
                const bool datagram = kind_of_socket(fd) == SocketKind::datagram;
                std::string where = to_string(sys::local_address(fd.get()));
                opened.push_back({std::move(fd), std::move(where), {}, datagram});
            }
        }
        std::erase_if(sockets, wanted);
        if (opened.empty()) {
            refuse_missing();
        }
        return opened;
    }

    const Endpoint& endpoint_;
    const std::string& uri_;
    const ListenRules& rules_;
};

} // namespace

std::string asked_by(std::string_view option, const std::string& uri) {
    return option == "--listen" ? uri : std::string(option) + " " + uri;
}

namespace {

// What fails is worded here, once.
template <typename Body>
auto attempt(const Endpoint& endpoint, const std::string& uri, const ListenRules& rules,
             Body body) {
    Attempt attempt(endpoint, uri, rules);
    try {
        return body(attempt);
    } catch (const std::system_error& error) {
        if (std::string_view(error.what()).starts_with("cannot listen")) {
            throw;
        }
        attempt.fail(error);
    }
}

} // namespace

std::vector<ListenSocket> open_listen_sockets(const Endpoint& endpoint, const std::string& uri,
                                              const ListenRules& rules) {
    return attempt(endpoint, uri, rules, [](Attempt& one) { return one.run(); });
}

void rehearse_listen_sockets(const Endpoint& endpoint, const std::string& uri,
                             const ListenRules& rules) {
    attempt(endpoint, uri, rules, [](Attempt& one) { one.rehearse(); });
}

} // namespace roomd
