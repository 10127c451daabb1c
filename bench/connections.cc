#include "bench/loads.h"
#include "bench/meter.h"
#include "bench/swarm.h"
#include "reactor/sys.h"

#include <algorithm>

// Loads in which connections themselves are what counts: idle ones for memory, and those that come
// and go.
namespace roomd::bench {

namespace {

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

/// All are there and none says a word.
class Idle final : public Listening {
public:
    Idle(const Server& server, const Scenario& scenario, const RunOptions& options, Result& result)
        : result_(&result), meter_(server, scenario, options, result),
          swarm_(server, options, *this) {
        for (std::uint32_t room = 0; room < scenario.rooms; ++room) {
            for (std::uint32_t member = 0; member < scenario.members; ++member) {
                swarm_.add(Role::member, room);
            }
        }
    }

    void run() {
        const TimePoint before = sys::monotonic_now();
        if (swarm_.until([&] { return swarm_.entered() == swarm_.size(); },
                         "all connections have entered")) {
            result_->connect_seconds = seconds(sys::monotonic_now() - before);
            result_->connections = swarm_.size();
            meter_.begin(sys::monotonic_now());
            while (swarm_.may_go_on(nullptr) && meter_.phase() != Meter::Phase::over) {
                swarm_.tick(Swarm::step);
                static_cast<void>(meter_.at(sys::monotonic_now(), 0, 0, 0));
            }
        }
        result_->failure = swarm_.failure();
    }

    void on_entered(Peer& /*peer*/) override {}

    std::size_t on_heard(Peer& /*peer*/, std::string_view bytes) override { return bytes.size(); }

    void on_gone(Peer& peer) override {
        swarm_.fail("the server closed connection " + std::to_string(peer.number));
    }

    void on_tick() override {}

private:
    Result* result_;
    Meter meter_;
    Swarm swarm_;
};

/// As many at a time as there are members; each goes as soon as it was welcomed, and comes again.
/// A delivery is a welcome; its latency is counted from the connect.
class Churn final : public Listening {
public:
    Churn(const Server& server, const Scenario& scenario, const RunOptions& options, Result& result)
        : result_(&result), meter_(server, scenario, options, result),
          swarm_(server, options, *this), opened_(std::size_t{scenario.rooms} * scenario.members) {
        for (std::uint32_t member = 0; member < opened_.size(); ++member) {
            swarm_.add(Role::member, member % scenario.rooms).seat = member;
        }
    }

    void run() {
        meter_.begin(sys::monotonic_now());
        std::fill(opened_.begin(), opened_.end(), sys::monotonic_now());
        while (swarm_.may_go_on("connections are welcomed") &&
               meter_.phase() != Meter::Phase::over) {
            swarm_.tick(Swarm::step);
            static_cast<void>(meter_.at(sys::monotonic_now(), welcomed_, welcomed_, 0));
        }
        result_->connections = welcomed_;
        result_->failure = swarm_.failure();
    }

    void on_entered(Peer& peer) override {
        ++welcomed_;
        if (meter_.phase() == Meter::Phase::measuring) {
            const Duration took = sys::monotonic_now() - opened_[peer.seat];
            result_->latency.record(static_cast<std::uint64_t>(took.count()));
        }
        leaving_.push_back(&peer);
    }

    std::size_t on_heard(Peer& /*peer*/, std::string_view bytes) override { return bytes.size(); }

    void on_gone(Peer& peer) override {
        swarm_.fail("the server closed connection " + std::to_string(peer.number) +
                    " before it was welcomed");
    }

    void on_tick() override {
        for (Peer* const peer : leaving_) {
            swarm_.open_again(*peer);
            opened_[peer->seat] = swarm_.now();
        }
        leaving_.clear();
    }

private:
    Result* result_;
    Meter meter_;
    Swarm swarm_;
    std::vector<TimePoint> opened_;
    std::vector<Peer*> leaving_;
    std::uint64_t welcomed_ = 0;
};

} // namespace

void run_idle(const Server& server, const Scenario& scenario, const RunOptions& options,
              Result& result) {
    Idle(server, scenario, options, result).run();
}

void run_connect(const Server& server, const Scenario& scenario, const RunOptions& options,
                 Result& result) {
    Churn(server, scenario, options, result).run();
}

} // namespace roomd::bench
