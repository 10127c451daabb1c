// Probes — short connections, begun all the time: each says hello, wants to be welcomed, and goes.
//
// Owned by the Run. A connect that is refused is a fault, whatever happens to the daemon; one that
// breaks or is not answered is one as long as the daemon has not crashed.
#pragma once

#include "bench/histogram.h"
#include "reactor/event_loop.h"
#include "reactor/fd.h"
#include "test/proofs/continuity/crowd.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace roomd::continuity {

class Probe final : public Watcher {
public:
    enum class State : std::uint8_t { connecting, asked, welcomed, refused, broken };

    Probe(EventLoop& loop, const SocketAddress& address, std::uint32_t its_door);
    ~Probe();
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;
    Probe(Probe&&) = delete;
    Probe& operator=(Probe&&) = delete;

    void on_ready(Ready ready) override;

    [[nodiscard]] State state() const { return state_; }

    [[nodiscard]] bool over() const { return state_ >= State::welcomed; }

    [[nodiscard]] int error() const { return error_; }

    const TimePoint begun;    // NOLINT(misc-non-private-member-variables-in-classes): constants
    const std::uint32_t door; // NOLINT(misc-non-private-member-variables-in-classes)
    TimePoint ended{};

private:
    void ask();
    void listen();
    void end(State state, int error);

    EventLoop* loop_;
    Fd fd_;
    Key key_;
    std::string heard_;
    int error_ = 0;
    State state_ = State::connecting;
};

class Probes {
public:
    Probes(Crowd& crowd, Findings& findings) : crowd_(&crowd), findings_(&findings) {}

    /// Each tick: begins what is due, judges what has ended.
    void step(TimePoint now);

    /// The daemon has just been told to crash: probes come faster until one is welcomed.
    void daemon_crashed(TimePoint now);

    /// When a probe was welcomed that had been begun after the first connection broke.
    [[nodiscard]] std::optional<TimePoint> back() const { return back_; }

    [[nodiscard]] std::uint64_t begun() const { return begun_; }

    [[nodiscard]] std::uint64_t welcomed() const { return welcome_us_.count(); }

    /// Broken by a crash.
    [[nodiscard]] std::uint64_t cut() const { return cut_; }

    [[nodiscard]] std::size_t open() const { return probes_.size(); }

    [[nodiscard]] const bench::Histogram& welcome_us() const { return welcome_us_; }

private:
    void judge(const Probe& probe);
    void fault(const Probe& probe, FaultKind kind, const std::string& text);

    Crowd* crowd_;
    Findings* findings_;
    std::vector<std::unique_ptr<Probe>> probes_;
    bench::Histogram welcome_us_;
    TimePoint next_{};
    TimePoint crashed_{};
    std::optional<TimePoint> back_;
    std::uint64_t begun_ = 0;
    std::uint64_t cut_ = 0;
    bool crashing_ = false;
};

} // namespace roomd::continuity
