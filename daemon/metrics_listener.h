// MetricsListener — answers operators' GET and HEAD over HTTP: metrics, health, the status page.
//
// Owned by the Server, which calls on_tick_end() in its own hook. Knows HTTP and nothing of rooms:
// what stands on a page is its HttpPages' to say. Never touches what chats use: streams here have
// an arena and a flush list of their own, so an operator is answered while rooms are over every
// limit, and what operators read is not counted as what members read.
//
// One request a connection, then `Connection: close`: a scrape every some seconds gains nothing
// from a kept connection, and without them there is no pipelining to bound and no idle connection
// to keep. At most http_connections_max at once: one more closes the one that has been there
// longest. http_patience_ms after it was accepted a connection is closed, whatever it is doing.
//
// Invariants: an HttpSession is in sessions_ until it is buried at a tick's end; nothing is
// destroyed inside an event.
#pragma once

#include "daemon/http_request.h"
#include "daemon/listen_sockets.h"
#include "reactor/event_loop.h"
#include "reactor/listener.h"
#include "reactor/stream.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

inline constexpr std::size_t http_connections_max = 16;
inline constexpr std::uint32_t http_patience_ms = 10'000;

struct HttpAnswer {
    HttpStatus status = HttpStatus::not_found;
    std::string_view content_type = "text/plain; charset=utf-8";
    std::string body;
    std::string fields; // further header fields, each with its end of line
};

/// What can be asked for.
class HttpPages {
public:
    /// `path` begins with '/'. Called inside an event: must not block, nor destroy the listener.
    [[nodiscard]] virtual HttpAnswer answer(std::string_view path) = 0;
    /// Accepting failed; the listener goes on by itself.
    virtual void on_http_accept_error(int error) = 0;

protected:
    ~HttpPages() = default;
};

class HttpSession;

class MetricsListener final : public ListenerOwner {
public:
    /// `uri`: as asked_by() has it. `sockets`: at least one. `loop` and `pages` are borrowed.
    /// Throws std::system_error.
    MetricsListener(EventLoop& loop, std::string uri, std::vector<ListenSocket> sockets,
                    HttpPages& pages);
    ~MetricsListener();
    MetricsListener(const MetricsListener&) = delete;
    MetricsListener& operator=(const MetricsListener&) = delete;
    MetricsListener(MetricsListener&&) = delete;
    MetricsListener& operator=(MetricsListener&&) = delete;

    /// Writes what was answered and buries the dead. Cheap when nothing happened.
    Activity on_tick_end();

    /// A descriptor has become free: see Listener::resume().
    void resume();

    struct Open {
        std::string address; // host:port or path, with the real port where 0 was asked for
        std::unique_ptr<Listener> listener;
    };

    /// At least one.
    [[nodiscard]] const std::vector<Open>& listeners() const { return listeners_; }

    [[nodiscard]] const std::string& uri() const { return uri_; }

    /// Each socket, and behind it the lock of its file if it has one: for another process. Listens
    /// nowhere from now on; those who are being answered are.
    [[nodiscard]] std::vector<Fd> release();

    [[nodiscard]] std::size_t connection_count() const { return sessions_.size(); }

    [[nodiscard]] HttpPages& pages() { return *pages_; }

    // ListenerOwner
    bool on_accept(Listener& listener, Fd fd, const SocketAddress& peer) override;
    void on_refuse(Listener& listener, const Fd& fd, const SocketAddress& peer) override;
    void on_accept_error(Listener& listener, int error) override;

private:
    HttpPages* pages_;
    EventLoop* loop_;
    Arena arena_;
    FlushList flush_list_;
    StreamHost host_;
    std::vector<std::unique_ptr<HttpSession>> sessions_; // oldest first
    std::vector<Open> listeners_;
    std::string uri_;
};

} // namespace roomd
