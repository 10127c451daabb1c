#include "daemon/listen_sockets.h"

#include "daemon/activation.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <optional>
#include <stdexcept>
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
        } else if (std::vector<HandedSocket> handed = handed_by_name(); !handed.empty()) {
            for (HandedSocket& one : handed) {
                opened.push_back(go_on_with(std::move(one)));
            }
        } else {
            for_each_address([&](const SocketAddress& address) { network(address, opened); });
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
                sys::remove_own_socket(opened.file.path, opened.file.lock.get());
            }
        } else if (!has_name_handed()) {
            for_each_address([&](const SocketAddress& address) {
                refuse_strangers(address);
                // One of theirs in the way is given to whoever asks like this one, see network().
                if (find_handed(to_string(address), is_datagram()) == nullptr &&
                    !handed_in_the_way(address)) {
                    static_cast<void>(bound(address, false));
                }
            });
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

    [[nodiscard]] bool is_datagram() const { return endpoint_.transport == Transport::udp; }

    // What the configuration's words mean. One address twice, in /etc/hosts, is one.
    [[nodiscard]] std::vector<SocketAddress> addresses() const {
        std::vector<SocketAddress> found;
        std::vector<std::string> seen;
        const auto add = [&](const std::string& host) {
            for (const SocketAddress& address : sys::resolve(host, endpoint_.port, is_datagram())) {
                std::string text = to_string(address);
                if (std::find(seen.begin(), seen.end(), text) == seen.end()) {
                    seen.push_back(std::move(text));
                    found.push_back(address);
                }
            }
        };
        const auto* const names = rules_.names;
        const bool asked = names != nullptr && names->find(endpoint_.host) != names->end();
        if (!asked) {
            add(endpoint_.host);
            return found;
        }
        const ResolvedName& name = names->find(endpoint_.host)->second;
        if (!name.error.empty()) {
            throw std::runtime_error(name.error);
        }
        for (const std::string& host : name.addresses) {
            add(host);
        }
        return found;
    }

    // A name may mean addresses that this machine does not have: `::1 localhost` where there is no
    // IPv6. One of them is enough.
    template <typename Body>
    void for_each_address(Body body) const {
        std::size_t served = 0;
        std::vector<std::string> failures;
        std::optional<std::system_error> first;
        for (const SocketAddress& address : addresses()) {
            try {
                body(address);
                ++served;
            } catch (const std::system_error& error) {
                const int code = error.code().value();
                if (is_numeric_host(endpoint_.host) ||
                    (code != EADDRNOTAVAIL && code != EAFNOSUPPORT)) {
                    throw;
                }
                first = first ? first : error;
                failures.push_back(uri_ + " does not listen on " + to_string(address) + ": " +
                                   sys::error_text(code));
            }
        }
        if (served == 0 && first) {
            throw std::system_error(*first);
        }
        for (std::string& failure : failures) {
            note(std::move(failure));
        }
    }

    void note(std::string text) const {
        if (rules_.notes != nullptr) {
            rules_.notes->push_back(std::move(text));
        }
    }

    // Sockets that were opened by the same name go on: resolving it now could keep everybody
    // waiting who is handed over with them.
    [[nodiscard]] bool was_opened_by_name(const HandedSocket& handed) const {
        return !is_numeric_host(endpoint_.host) && handed.datagram == is_datagram() &&
               handed.uri == asked_by(rules_.option, uri_);
    }

    [[nodiscard]] bool has_name_handed() const {
        return rules_.handed != nullptr &&
               std::any_of(rules_.handed->begin(), rules_.handed->end(),
                           [&](const auto& handed) { return was_opened_by_name(handed); });
    }

    [[nodiscard]] std::vector<HandedSocket> handed_by_name() const {
        std::vector<HandedSocket> taken;
        if (has_name_handed()) {
            const auto keep =
                std::stable_partition(rules_.handed->begin(), rules_.handed->end(),
                                      [&](const auto& one) { return !was_opened_by_name(one); });
            std::move(keep, rules_.handed->end(), std::back_inserter(taken));
            rules_.handed->erase(keep, rules_.handed->end());
        }
        for (const HandedSocket& one : taken) {
            refuse_strangers(sys::local_address(one.fd.get()));
        }
        return taken;
    }

    [[nodiscard]] ListenSocket go_on_with(HandedSocket handed) const {
        if (!handed.datagram) {
            sys::listen_again(handed.fd.get(), {}, {rules_.backlog, 0});
        }
        std::string where = to_string(sys::local_address(handed.fd.get()));
        return {std::move(handed.fd), std::move(where), {}, handed.datagram};
    }

    [[nodiscard]] Fd bound(const SocketAddress& address, bool share_port) const {
        return is_datagram() ? sys::bind_datagram(address, share_port)
                             : sys::listen_stream(address, {rules_.backlog, 0, share_port});
    }

    // 0.0.0.0 and 127.0.0.1 cannot have the same port, unless both sockets say that they share it.
    [[nodiscard]] static bool in_the_way(const std::string& one, const std::string& other) {
        const auto wild = [](std::string_view host) { return host == "0.0.0.0" || host == "[::]"; };
        const std::string_view host = without_port(one);
        const std::string_view other_host = without_port(other);
        const bool same_family = host.starts_with('[') == other_host.starts_with('[');
        return one.substr(host.size()) == other.substr(other_host.size()) && same_family &&
               (host == other_host || wild(host) || wild(other_host));
    }

    [[nodiscard]] bool handed_in_the_way(const SocketAddress& address) const {
        const std::string wanted = to_string(address);
        return rules_.handed != nullptr &&
               std::any_of(rules_.handed->begin(), rules_.handed->end(), [&](const auto& handed) {
                   return handed.datagram == is_datagram() && in_the_way(handed.address, wanted);
               });
    }

    /// Bound beside sockets of our own that are about to go.
    [[nodiscard]] Fd bound_beside_own(const SocketAddress& address) const {
        const std::string wanted = to_string(address);
        std::vector<int> beside;
        for (const OwnSocket& own : rules_.own) {
            if (own.datagram != is_datagram() || !in_the_way(own.address, wanted)) {
                continue;
            }
            if (!own.leaving) {
                refuse(EADDRINUSE, "this roomd itself has " + own.address + ", by " + own.uri +
                                       "; give one of them another port");
            }
            beside.push_back(own.fd);
        }
        if (handed_in_the_way(address)) {
            for (const HandedSocket& handed : *rules_.handed) {
                if (handed.datagram == is_datagram() && in_the_way(handed.address, wanted)) {
                    beside.push_back(handed.fd.get());
                }
            }
        }
        if (beside.empty()) {
            return bound(address, false);
        }
        for (const int fd : beside) {
            sys::let_share_port(fd, true);
        }
        Fd fd = bound(address, true);
        sys::let_share_port(fd.get(), false); // nobody else is to join
        return fd;
    }

    void network(const SocketAddress& address, std::vector<ListenSocket>& opened) const {
        refuse_strangers(address);
        const std::string wanted = to_string(address);
        HandedSocket handed = take_handed(wanted, is_datagram());
        if (handed.fd) {
            opened.push_back(go_on_with(std::move(handed)));
            return;
        }
        const auto same = [&](const OwnSocket& own) {
            return own.address == wanted && own.datagram == is_datagram() && endpoint_.port != 0;
        };
        const auto own = std::find_if(rules_.own.begin(), rules_.own.end(), same);
        if (own != rules_.own.end() && !own->leaving) {
            note(uri_ + " means " + wanted + ", which is served by " + own->uri + " already");
            return;
        }
        Fd fd = own != rules_.own.end() ? sys::duplicate(own->fd) : bound_beside_own(address);
        std::string where = to_string(sys::local_address(fd.get()));
        opened.push_back({std::move(fd), std::move(where), {}, is_datagram()});
    }

    void remove_stale(const std::string& path) const {
        sys::unlink_path(path);
        if (const auto owner = sys::owner_of(path); owner) { // it is still there
            refuse(EACCES, path + " is in the way: it was left behind by user " +
                               std::to_string(*owner) +
                               ", and may not be removed by this one. Let that user or root remove "
                               "it, or give another path");
        }
    }

    // What keeps us from the file beside the socket; it is named, and whose it is.
    [[nodiscard]] Fd locked(const std::string& path) const {
        const std::string lock_path = path + ".lock";
        try {
            Fd lock = sys::lock_beside(path);
            if (!lock) {
                refuse(EADDRINUSE,
                       "another roomd holds " + lock_path + "; stop it or give another path");
            }
            return lock;
        } catch (const std::system_error& error) {
            const int code = error.code().value();
            const auto owner = sys::owner_of(lock_path);
            if (std::string_view(error.what()).starts_with("cannot listen") ||
                (code != EACCES && code != EPERM && code != ELOOP) || !owner) {
                throw;
            }
            refuse(code, "its lock " + lock_path + " is in the way and belongs to user " +
                             std::to_string(*owner) + " (" + sys::error_text(code) +
                             "). If no roomd of that user runs, let that user or root remove it, "
                             "or give another path");
        }
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
        Fd lock = locked(path);
        switch (sys::probe_unix_path(path)) {
        case sys::UnixPath::live:
            throw std::system_error(EADDRINUSE, std::generic_category());
        case sys::UnixPath::not_a_socket:
            refuse(EEXIST, path + " exists and is no socket; it is left alone. Give another path");
        case sys::UnixPath::stale:
            remove_stale(path);
            break;
        case sys::UnixPath::absent:
            break;
        }
        Fd fd = sys::listen_stream(address, {rules_.backlog, endpoint_.mode});
        sys::sign_lock(lock.get(), path);
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
