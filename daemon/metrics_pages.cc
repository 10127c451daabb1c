#include "daemon/metrics_pages.h"

#include "daemon/dialect_names.h"
#include "daemon/http_answer.h"
#include "daemon/server.h"
#include "daemon/status_page.h"
#include "reactor/sys.h"

#include <algorithm>

namespace roomd {

namespace {
// Of all the time, what walking over all connections may take: one part in so many.
constexpr int look_around_share = 50;

// 128 bits, as the Content Security Policy wants them at least.
std::string fresh_nonce() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<std::byte, 16> chance{};
    sys::random_bytes(chance);
    std::string nonce;
    for (const std::byte byte : chance) {
        nonce += digits[std::to_integer<unsigned>(byte) / 16];
        nonce += digits[std::to_integer<unsigned>(byte) % 16];
    }
    return nonce;
}

std::string readiness(const Server& server) {
    if (server.ready()) {
        return "ready\n";
    }
    if (server.phase() == Server::Phase::draining) {
        return "draining\n";
    }
    return server.stopping() ? "stopping\n" : "starting\n";
}
} // namespace

MetricsPages::MetricsPages(Server& server) : server_(server), born_(sys::wall_now()) {}

HttpAnswer MetricsPages::answer(std::string_view path) {
    HttpAnswer answer;
    answer.status = HttpStatus::ok;
    if (path == "/metrics") {
        answer.content_type = MetricsText::content_type;
        answer.body = metrics();
    } else if (path == "/healthz") {
        answer.body = "ok\n"; // the loop turns, or nobody would say so
    } else if (path == "/readyz") {
        answer.status = server_.ready() ? HttpStatus::ok : HttpStatus::unavailable;
        answer.body = readiness(server_);
    } else if (path == "/") {
        answer = status_page(fresh_nonce());
    } else {
        answer = refusal(HttpStatus::not_found);
    }
    return answer;
}

void MetricsPages::on_http_accept_error(int error) {
    server_.on_operators_accept_error(error);
}

// A poll in a tight loop must not cost the rooms more than it is worth: a walk over 10,000
// connections takes about a millisecond.
void MetricsPages::look_around() {
    const TimePoint begin = sys::monotonic_now();
    if (begin < look_again_) {
        return;
    }
    survey_ = {};
    const TimePoint now = server_.loop().now();
    server_.sessions().for_each([&](Key /*key*/, const std::unique_ptr<Session>& session) {
        const Member* const member = server_.hub().member(session->member());
        const std::size_t format = member == nullptr
                                       ? Survey::formats - 1
                                       : static_cast<std::size_t>(member->dialect.format);
        ++survey_.connections.at(static_cast<std::size_t>(session->framing())).at(format);
        const Stream& stream = session->stream();
        if (stream.output().empty()) {
            return;
        }
        const std::uint64_t bytes = stream.output().bytes();
        survey_.queue_bytes += bytes;
        survey_.queue_bytes_largest = std::max(survey_.queue_bytes_largest, bytes);
        ++survey_.waiting;
        if (stream.blocked()) {
            survey_.oldest_unsent = std::max(survey_.oldest_unsent, now - stream.blocked_since());
        }
    });
    const TimePoint end = sys::monotonic_now();
    look_again_ = end + (end - begin) * (look_around_share - 1);
}

std::string MetricsPages::metrics() {
    look_around();
    MetricsText text;
    write_connections(text);
    write_talk(text);
    write_queues(text);
    write_clockwork(text);
    write_process(text);
    return text.take();
}

void MetricsPages::write_connections(MetricsText& text) const {
    constexpr std::array framings = {Framing::frame, Framing::line, Framing::echo,
                                     Framing::automatic};
    text.gauge("roomd_connections", "Open connections; format is none before the first payload, "
                                    "for echo, and after the goodbye.");
    for (const Framing framing : framings) {
        const bool speaks = framing == Framing::frame || framing == Framing::line;
        const auto& row = survey_.connections.at(static_cast<std::size_t>(framing));
        for (std::size_t format = speaks ? 0 : Survey::formats - 1; format < Survey::formats;
             ++format) {
            const std::string_view name =
                format == Survey::formats - 1 ? "none" : word(static_cast<Format>(format));
            text.sample(row.at(format), MetricsText::label("framing", name_of(framing)) + "," +
                                            MetricsText::label("format", name));
        }
    }
    const Counters& counters = server_.counters();
    text.gauge("roomd_connections_max", "Connections that may be open at once.",
               server_.connections_max());
    text.counter("roomd_connections_accepted_total", "Connections taken in.", counters.accepted);
    text.counter("roomd_connections_refused_total",
                 "Connections closed at the door: full, or too many from one address.",
                 counters.refused);
    text.counter("roomd_closes_total", "Connections that have ended, by reason.");
    for (std::size_t reason = 0; reason < close_reason_count; ++reason) {
        text.sample(counters.closes.at(reason),
                    MetricsText::label("reason", word(static_cast<CloseReason>(reason))));
    }
    text.counter("roomd_accept_errors_total", "Times that accepting a connection has failed.",
                 counters.accept_errors);
}

void MetricsPages::write_talk(MetricsText& text) const {
    const Counters& counters = server_.counters();
    const Hub& hub = server_.hub();
    text.gauge("roomd_members", "Connections that are somebody.", hub.member_count());
    text.gauge("roomd_rooms", "Rooms that are remembered.", hub.room_count());
    text.counter("roomd_payloads_received_total", "Frames and lines received.", counters.payloads);
    text.counter("roomd_commands_refused_total", "Payloads answered with an error.",
                 counters.commands_refused);
    text.counter("roomd_messages_received_total", "Messages said in rooms.",
                 counters.messages_said);
    text.counter("roomd_messages_delivered_total",
                 "Messages put into members' queues: each counts once a member.",
                 counters.messages_delivered);
    text.counter("roomd_messages_lost_total",
                 "Messages that a slow reader's queue had to give up; it is told which.",
                 counters.messages_dropped);
    text.counter("roomd_state_dropped_total",
                 "Joins, parts, names and topics dropped from slow readers' queues.",
                 counters.state_dropped);
    text.counter("roomd_gaps_total", "Notices to readers that name what they lost.", counters.gaps);
    text.counter("roomd_datagrams_received_total", "Datagrams received.", counters.datagrams);
    text.counter("roomd_datagrams_dropped_total", "Datagrams that were not said in a room.",
                 counters.datagrams_dropped);
    text.counter("roomd_limit_hits_total", "Times that a limit of the configuration was met.");
    for (std::size_t index = 0; index < limit_count; ++index) {
        text.sample(counters.hits.at(index),
                    MetricsText::label("limit", name_of(static_cast<Limit>(index))));
    }
}

void MetricsPages::write_queues(MetricsText& text) const {
    const Limits& limits = server_.limits();
    text.gauge("roomd_queue_bytes", "Bytes that wait to be sent, over all connections.",
               survey_.queue_bytes);
    text.gauge("roomd_queue_largest_bytes", "The same of the connection with the most.",
               survey_.queue_bytes_largest);
    text.gauge("roomd_queue_connections", "Connections for which something waits.",
               survey_.waiting);
    text.gauge("roomd_oldest_unsent_seconds",
               "How long the reader that has stood still longest has taken nothing.");
    text.sample_thousandths(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(survey_.oldest_unsent).count()));
    text.gauge("roomd_pinned_bytes", "Memory held by what waits to be sent.",
               server_.bytes_pinned());
    text.gauge("roomd_pinned_bytes_max", "Above it nobody may speak.", limits.pinned_bytes_max);
    text.gauge("roomd_history_bytes", "Memory held by what rooms remember.",
               server_.hub().history_bytes());
    text.gauge("roomd_history_bytes_max", "Above it the oldest go.",
               limits.history_total_bytes_max);
    text.gauge("roomd_memory_bytes", "Memory held for clients: input, queues, history, tables.",
               server_.memory().use().total());
    text.gauge("roomd_memory_bytes_max", "Near it newcomers wait, above it the largest lose.",
               server_.memory().ceiling());
}

void MetricsPages::write_clockwork(MetricsText& text) const {
    const StreamHost& host = server_.host();
    text.histogram("roomd_tick_duration_seconds",
                   "How long a turn of the loop took, without its wait.",
                   server_.meter().tick_lengths());
    text.histogram("roomd_delivery_latency_seconds",
                   "From a message being read to its last reader having had its turn.",
                   server_.meter().latencies());
    text.counter("roomd_read_bytes_total", "Bytes read from connections.", host.bytes_read);
    text.counter("roomd_written_bytes_total", "Bytes the kernel took for connections.",
                 host.bytes_written);
    text.counter("roomd_read_calls_total", "System calls that read.", host.read_calls);
    text.counter("roomd_write_calls_total", "System calls that wrote.", host.write_calls);
    text.counter("roomd_log_lines_dropped_total",
                 "Log lines that stderr did not take or the rate held back.",
                 server_.log_lines_dropped());
    text.gauge("roomd_ready", "1 while newcomers are served.", server_.ready() ? 1 : 0);
    text.gauge("roomd_build_info", "What this is; always 1.");
    text.sample(1, MetricsText::label("version", version()) + "," +
                       MetricsText::label("poller", Poller::name()));
}

// The names every exporter has for these.
void MetricsPages::write_process(MetricsText& text) const {
    const sys::ProcessUsage usage = sys::process_usage();
    text.counter("process_cpu_seconds_total", "Processor time used, in the kernel too.");
    text.sample_thousandths(usage.cpu_ms);
    text.gauge("process_start_time_seconds", "When this program began, since 1970.");
    text.sample_thousandths(born_);
    if (usage.resident_bytes) {
        text.gauge("process_resident_memory_bytes", "Memory in use.", *usage.resident_bytes);
    }
    if (usage.virtual_bytes) {
        text.gauge("process_virtual_memory_bytes", "Address space in use.", *usage.virtual_bytes);
    }
    if (usage.descriptors_open) {
        text.gauge("process_open_fds", "Descriptors in use.", *usage.descriptors_open);
    }
    text.gauge("process_max_fds", "Descriptors there may be.", sys::descriptor_limit());
}

} // namespace roomd
