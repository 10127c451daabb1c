#include "bench/loads.h"
#include "bench/meter.h"
#include "bench/swarm.h"
#include "bench/transcript.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cstring>
#include <vector>

// Each connection sends texts, and must get the very bytes back: no framing, no rooms.
namespace roomd::bench {

namespace {

class Echo final : public Listening {
public:
    Echo(const Server& server, const Scenario& scenario, const RunOptions& options, Result& result)
        : scenario_(scenario), result_(&result), meter_(server, scenario, options, result),
          swarm_(server, options, *this), lines_(scenario.publishers),
          size_(std::max<std::size_t>(scenario.size, stamp_bytes)) {
        for (std::uint32_t index = 0; index < scenario.publishers; ++index) {
            swarm_.add(Role::echo, 0).seat = index;
        }
    }

    void run() {
        if (swarm_.until([&] { return swarm_.entered() == swarm_.size(); },
                         "all connections have entered")) {
            result_->connections = swarm_.size();
            meter_.begin(sys::monotonic_now());
            speaking_ = true;
            while (swarm_.may_go_on("bytes come back") && meter_.phase() != Meter::Phase::over) {
                swarm_.tick(Swarm::step);
                const std::uint64_t returned = bytes_ / size_;
                static_cast<void>(meter_.at(sys::monotonic_now(), returned, returned, bytes_));
            }
            speaking_ = false;
            static_cast<void>(swarm_.until(
                [&] {
                    return std::all_of(lines_.begin(), lines_.end(),
                                       [](const Line& line) { return line.waiting.empty(); });
                },
                "the last byte comes back"));
        }
        result_->failure = swarm_.failure();
    }

    void on_entered(Peer& /*peer*/) override {}

    std::size_t on_heard(Peer& peer, std::string_view bytes) override {
        Line& line = lines_[peer.seat];
        const std::string_view due = std::string_view(line.waiting).substr(0, bytes.size());
        if (due != bytes) {
            swarm_.fail("connection " + std::to_string(peer.number) +
                        " got other bytes back than it had sent");
        }
        line.waiting.erase(0, due.size());
        bytes_ += bytes.size();
        return bytes.size();
    }

    void on_gone(Peer& peer) override {
        swarm_.fail("the server closed connection " + std::to_string(peer.number));
    }

    void on_tick() override {
        if (!speaking_) {
            return;
        }
        for (Peer& peer : swarm_.peers()) {
            Line& line = lines_[peer.seat];
            const std::size_t before = line.waiting.size();
            while (line.waiting.size() < size_ * scenario_.window) {
                write_text(line.waiting, {peer.seat, line.sent++}, size_);
            }
            peer.stream().send(std::string_view(line.waiting).substr(before));
        }
    }

private:
    struct Line {
        std::string waiting; // sent, not yet back
        std::uint64_t sent = 0;
    };

    const Scenario& scenario_;
    Result* result_;
    Meter meter_;
    Swarm swarm_;
    std::vector<Line> lines_;
    std::size_t size_;
    std::uint64_t bytes_ = 0;
    bool speaking_ = false;
};

} // namespace

void run_echo(const Server& server, const Scenario& scenario, const RunOptions& options,
              Result& result) {
    Echo(server, scenario, options, result).run();
}

} // namespace roomd::bench
