#include "daemon/server.h"
#include "reactor/sys.h"

#include <array>
#include <cassert>
#include <system_error>

// Who is let in, and what those hear who are not.
namespace roomd {

namespace {
// A refused peer that sends faster than it is read must not hold the reactor.
constexpr int refusal_reads_max = 16;
} // namespace

bool Server::on_accept(Listener& listener, Fd fd, const SocketAddress& peer) {
    const ListenerSpec* const spec = spec_of(listener);
    assert(spec != nullptr);
    if (sessions_.size() >= connections_max()) {
        counters_.hit(Limit::connections_max);
        refuse(fd, *spec, peer, "connections_max",
               "full: there are as many connections as there may be; try again later");
        return false;
    }
    const bool strangers = !is_local(peer);
    const bool limited = limits_hold(*spec, strangers);
    if (limited && lockdown_) {
        refuse(fd, *spec, peer, "lockdown", "full: nobody new is let in for now; try again later");
        return false;
    }
    const SourceKey source = limited ? source_of(peer) : SourceKey{};
    if (limited && !admit(fd, *spec, peer, source)) {
        return false;
    }
    const Limits& limits = config_.limits;
    sys::tune_stream(fd.get(), {limits.keepalive_idle_s, limits.keepalive_interval_s,
                                limits.keepalive_probes, limits.user_timeout_ms});
    sys::limit_unsent(fd.get(), limits.notsent_lowat_bytes);
    std::unique_ptr<Session> session;
    try {
        session =
            std::make_unique<Session>(*this, host_, std::move(fd), *spec, Guest{strangers, source});
    } catch (const std::system_error& error) { // the poller takes no more
        if (limited) {
            sources_.release(source);
        }
        on_accept_error(listener, error.code().value());
        return false;
    }
    ++counters_.accepted;
    tell_time();
    const Key key = sessions_.insert(std::move(session));
    if (config_.log_level <= LogLevel::debug) {
        log_.line(LogLevel::debug, "connected",
                  {{"connection", std::uint64_t{key.slot}}, {"peer", to_string(peer)}});
    }
    sessions_.at(key)->start(key);
    return true;
}

// Whether this source may have one more. If not, the peer has been told.
bool Server::admit(const Fd& fd, const ListenerSpec& spec, const SocketAddress& peer,
                   const SourceKey& source) {
    switch (sources_.admit(source, config_.limits.source_connections_max,
                           config_.limits.source_connects_per_minute_max, loop_.now())) {
    case Sources::Verdict::welcome:
        return true;
    case Sources::Verdict::too_many:
        counters_.hit(Limit::source_connections_max);
        refuse(fd, spec, peer, "source_connections_max",
               "full: too many connections from your address");
        return false;
    case Sources::Verdict::too_fast:
        counters_.hit(Limit::source_connects_per_minute_max);
        refuse(fd, spec, peer, "source_connects_per_minute_max",
               "rate_limited: too many new connections from your address");
        return false;
    }
    return false;
}

void Server::on_refuse(Listener& listener, const Fd& fd, const SocketAddress& peer) {
    counters_.hit(Limit::connections_max);
    refuse(fd, *spec_of(listener), peer, "descriptors",
           "full: no descriptor is left for you; try again later");
}

// `limit`: what was met, for the log; so is the address, whole, for fail2ban and its like.
void Server::refuse(const Fd& fd, const ListenerSpec& spec, const SocketAddress& peer,
                    std::string_view limit, std::string_view why) {
    ++counters_.refused;
    std::string text;
    const bool frame = spec.framing == Framing::frame;
    encode_payload(text, frame ? Framing::frame : Framing::line, "! " + std::string(why));
    const iovec piece{text.data(), text.size()};
    static_cast<void>(sys::write_some(fd.get(), std::span(&piece, 1)));
    sys::shutdown_write(fd.get());
    // What the peer has sent already must be read, or the close would destroy the answer. There is
    // no descriptor to wait with, so what comes later is its loss.
    std::array<char, 4096> heard{};
    const iovec into{heard.data(), heard.size()};
    int budget = refusal_reads_max;
    while (budget-- > 0 && sys::read_some(fd.get(), std::span(&into, 1)).status == IoStatus::ok) {
    }
    log_.line(LogLevel::warning, "refused",
              {{"reason", why.substr(0, why.find(':'))},
               {"peer", to_string(peer)},
               {"limit", limit},
               {"listener", spec.uri}});
}

void Server::on_accept_budget(Listener& /*listener*/) {
    counters_.hit(Limit::accepts_per_tick_max);
}

void Server::on_accept_rate(Listener& /*listener*/) {
    counters_.hit(Limit::accepts_per_second_max);
}

void Server::on_accept_error(Listener& /*listener*/, int error) {
    on_operators_accept_error(error);
}

void Server::on_operators_accept_error(int error) {
    ++counters_.accept_errors;
    log_.line(LogLevel::error, "accept_failed", {{"error", sys::error_text(error)}});
}

} // namespace roomd
