#include "daemon/admin.h"

#include "daemon/admin_connection.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

namespace roomd {

namespace {

constexpr std::uint32_t accepts_per_tick_max = 8;
constexpr std::uint32_t root = 0;

/// The last words to one who is not let in. What it has sent already is read: closing a Unix socket
/// with input unread resets the other end (unix(7)), and that destroys the answer on its way.
void refuse(const Fd& fd, std::string text) {
    constexpr int reads_max = 4; // a command is short
    text += "\n";
    const iovec piece{text.data(), text.size()};
    static_cast<void>(sys::write_some(fd.get(), std::span(&piece, 1)));
    sys::shutdown_write(fd.get());
    std::array<char, 1024> heard{};
    const iovec into{heard.data(), heard.size()};
    int budget = reads_max;
    while (budget-- > 0 && sys::read_some(fd.get(), std::span(&into, 1)).status == IoStatus::ok) {
    }
}

Fd checked(Fd fd) {
    if (sys::local_address(fd.get()).storage.ss_family != AF_UNIX) {
        throw std::system_error(EINVAL, std::generic_category(),
                                "--admin takes a Unix socket, which knows who is on the other end");
    }
    return fd;
}

} // namespace

Admin::Admin(const AdminHost& host, const AdminRules& rules, Fd fd, UnixFile file)
    : host_(host), rules_(rules), spare_(sys::reserve_descriptor()),
      listener_(host.loop, checked(std::move(fd)), accepts_per_tick_max, *this, std::move(file)) {
    host_.orders.set_verdict_listener(this);
}

Admin::~Admin() {
    host_.orders.set_verdict_listener(nullptr);
    host_.loop.cancel(second_);
}

std::size_t Admin::connection_count() const {
    return static_cast<std::size_t>(
        std::count_if(connections_.begin(), connections_.end(),
                      [](const auto& connection) { return !connection->closed(); }));
}

// Root and the daemon's own user, and not too many of them. Who is not let in has been told.
bool Admin::may_come_in(const Fd& fd) {
    const std::optional<std::uint32_t> user = sys::peer_user(fd.get());
    if (!user || (*user != root && *user != rules_.user)) {
        const std::string name = user ? std::to_string(*user) : "unknown";
        refuse(fd, "error not_allowed: user " + name + " may not command this roomd; user " +
                       std::to_string(rules_.user) + " and root may");
        host_.log.line(LogLevel::warning, "admin_refused",
                       {{"user", name}, {"reason", "not_allowed"}});
        return false;
    }
    if (connection_count() >= rules_.connections_max) {
        refuse(fd, "error full: " + std::to_string(rules_.connections_max) +
                       " admin connections are open; close one of them");
        host_.log.line(LogLevel::warning, "admin_refused",
                       {{"user", std::uint64_t{*user}}, {"reason", "full"}});
        return false;
    }
    return true;
}

bool Admin::on_accept(Listener& listener, Fd fd, const SocketAddress& /*peer*/) {
    if (!may_come_in(fd)) {
        return false;
    }
    const std::uint32_t user = sys::peer_user(fd.get()).value_or(root);
    try {
        connections_.push_back(std::make_unique<AdminConnection>(*this, std::move(fd), user));
    } catch (const std::system_error& error) { // the poller takes no more
        on_accept_error(listener, error.code().value());
        return false;
    }
    if (!second_) {
        second_ = host_.loop.after(std::chrono::seconds(1), *this);
    }
    return true;
}

// Whoever has gone may not have been noticed yet: their end can stand behind a newcomer among the
// edges of one tick.
void Admin::notice_who_has_gone() {
    for (const std::unique_ptr<AdminConnection>& connection : connections_) {
        if (connection->peer_has_gone()) {
            connection->leave();
        }
    }
}

bool Admin::take_last(Listener& listener, Fd& fd, const SocketAddress& peer) {
    if (!spare_) {
        notice_who_has_gone(); // then there is a spare again
    }
    if (!spare_) {
        return false; // one is here with it already
    }
    spare_.reset();
    if (!on_accept(listener, std::move(fd), peer)) {
        on_connection_closed();
    }
    return true;
}

void Admin::on_refuse(Listener& /*listener*/, const Fd& fd, const SocketAddress& /*peer*/) {
    refuse(fd, "error full: no descriptor is left; close another admin connection or some clients");
    host_.log.line(LogLevel::warning, "admin_refused", {{"reason", "no_descriptor"}});
}

void Admin::on_accept_error(Listener& /*listener*/, int error) {
    host_.log.line(LogLevel::error, "accept_failed", {{"error", sys::error_text(error)}});
}

void Admin::on_connection_closed() {
    if (!spare_) { // before anybody else takes what has just become free
        spare_ = sys::reserve_descriptor();
    }
    listener_.resume();
}

void Admin::on_timer(TimerKey /*key*/) {
    second_ = {};
    for (const std::unique_ptr<AdminConnection>& connection : connections_) {
        if (!connection->closed()) {
            connection->on_second(rules_.idle_max);
        }
    }
    std::erase_if(connections_, [](const auto& connection) { return connection->closed(); });
    if (!connections_.empty()) {
        second_ = host_.loop.after(std::chrono::seconds(1), *this);
    }
}

void Admin::on_verdict(Request request, const Verdict& verdict) {
    for (const std::unique_ptr<AdminConnection>& connection : connections_) {
        connection->on_verdict(request, verdict);
    }
}

void Admin::finish() {
    for (const std::unique_ptr<AdminConnection>& connection : connections_) {
        connection->finish();
    }
}

} // namespace roomd
