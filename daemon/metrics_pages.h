// MetricsPages — what operators see over HTTP: the figures, whether all is well, and a page.
//
// Owned by the Server and borrows it; reads it inside an event, changes nothing. Names follow
// Prometheus' conventions (prometheus.io/docs/practices/naming): base units, `_total` for counters,
// and only labels whose values are known when this is compiled, so that no client can add a series.
#pragma once

#include "daemon/metrics_listener.h"
#include "daemon/metrics_text.h"
#include "reactor/time.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace roomd {

class Server;

class MetricsPages final : public HttpPages {
public:
    /// Remembers the time as when the program began.
    explicit MetricsPages(Server& server);

    [[nodiscard]] HttpAnswer answer(std::string_view path) override;
    void on_http_accept_error(int error) override;

    /// Everything that is counted. Walks all connections, but for at most a fiftieth of the time:
    /// asked more often, it shows what it saw last.
    [[nodiscard]] std::string metrics();

private:
    /// What only all connections together know.
    struct Survey {
        static constexpr std::size_t framings = 4;
        static constexpr std::size_t formats = 4; // those of Format, and none yet or any more
        std::array<std::array<std::uint64_t, formats>, framings> connections{};
        std::uint64_t queue_bytes = 0;
        std::uint64_t queue_bytes_largest = 0;
        std::uint64_t waiting = 0; // connections with something unsent
        Duration oldest_unsent{};
    };

    void look_around();
    void write_connections(MetricsText& text) const;
    void write_talk(MetricsText& text) const;
    void write_queues(MetricsText& text) const;
    void write_clockwork(MetricsText& text) const;
    void write_process(MetricsText& text) const;

    Server& server_;
    Survey survey_;
    TimePoint look_again_{}; // not before
    WallTime born_;
};

} // namespace roomd
