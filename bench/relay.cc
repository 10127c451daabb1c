#include "bench/relay.h"

#include "bench/conduct.h"
#include "reactor/poller.h"
#include "reactor/slot_map.h"
#include "reactor/sys.h"

#include <array>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace roomd::bench {

namespace {

constexpr std::size_t read_bytes_max = std::size_t{64} * 1024;

class Relay {
public:
    explicit Relay(std::uint16_t port)
        : listener_(sys::listen_stream(sys::resolve("127.0.0.1", port, false).at(0), {})),
          buffer_(read_bytes_max) {
        poller_.add(listener_.get(), Interest::read, listener_key);
    }

    [[noreturn]] void run() {
        while (true) {
            for (const Edge& edge : poller_.wait(std::nullopt)) {
                if (edge.key == listener_key) {
                    accept_all();
                } else if (has(edge.ready, Ready::readable)) {
                    relay(edge.key);
                }
            }
        }
    }

private:
    static constexpr Key listener_key{UINT32_MAX, 1};

    struct Connection {
        Fd fd;
        char role = '?'; // until its line has come
        std::vector<int>* group = nullptr;
    };

    void accept_all() {
        while (true) {
            sys::AcceptResult accepted = sys::accept_one(listener_.get());
            if (accepted.status == sys::AcceptStatus::again) {
                continue;
            }
            if (accepted.status != sys::AcceptStatus::ok) {
                return;
            }
            sys::tune_stream(accepted.fd.get(), {60, 10, 3, 0});
            const int fd = accepted.fd.get();
            const Key key = connections_.insert({std::move(accepted.fd), '?', nullptr});
            poller_.add(fd, Interest::read, key);
        }
    }

    void relay(Key key) {
        Connection* const connection = connections_.find(key);
        if (connection == nullptr) {
            return;
        }
        while (true) {
            const ssize_t size = ::recv(connection->fd.get(), buffer_.data(), buffer_.size(), 0);
            if (size == 0) {
                drop(key, *connection);
                return;
            }
            if (size < 0) {
                return; // nothing more, or gone: then an end follows
            }
            const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(size));
            if (connection->role == '?') {
                begin(*connection, bytes);
            } else if (connection->role == 'e') {
                send_all(connection->fd.get(), bytes);
            } else if (connection->group != nullptr) {
                for (const int member : *connection->group) {
                    send_all(member, bytes);
                }
            }
            if (bytes.size() < buffer_.size()) {
                return; // epoll(7): that was all; what comes later raises another edge
            }
        }
    }

    void begin(Connection& connection, std::string_view line) {
        if (line.size() < 4 || line.back() != '\n') {
            return; // it comes in one piece from roombench
        }
        connection.role = line[line.size() - 2];
        connection.group = &groups_[std::string(line.substr(0, line.size() - 3))];
        if (connection.role == 'm') {
            connection.group->push_back(connection.fd.get());
        }
        send_all(connection.fd.get(), "ok\n");
    }

    static void send_all(int fd, std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t size = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (size > 0) {
                bytes.remove_prefix(static_cast<std::size_t>(size));
            } else if (errno == EAGAIN) {
                pollfd entry{fd, POLLOUT, 0};
                static_cast<void>(::poll(&entry, 1, -1));
            } else {
                return; // it has gone; its own edge says so
            }
        }
    }

    void drop(Key key, Connection& connection) {
        if (connection.role == 'm' && connection.group != nullptr) {
            std::erase(*connection.group, connection.fd.get());
        }
        poller_.remove(connection.fd.get());
        connections_.erase(key);
    }

    Poller poller_;
    Fd listener_;
    SlotMap<Connection> connections_;
    std::map<std::string, std::vector<int>> groups_;
    std::vector<char> buffer_;
};

} // namespace

int run_relay(std::uint16_t port) {
    try {
        static_cast<void>(sys::raise_descriptor_limit());
        Relay relay(port);
        relay.run();
    } catch (const std::exception& error) {
        static_cast<void>(std::fprintf(stderr, "roombench: cannot listen on 127.0.0.1:%u: %s\n",
                                       unsigned{port}, error.what()));
        return status_unavailable;
    }
}

} // namespace roomd::bench
