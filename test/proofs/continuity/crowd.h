// Crowd — all members, the loop they live on, the books they are held against.
//
// Owned by the Run, which it tells of each tick. Deals out who speaks which dialect at which door
// in which rooms, opens the connections some at a time and, where the daemon may crash, again.
//
// Invariant: nothing is opened, closed or destroyed inside an event.
#pragma once

#include "reactor/event_loop.h"
#include "reactor/flush_list.h"
#include "reactor/socket_address.h"
#include "reactor/stream.h"
#include "test/proofs/continuity/findings.h"
#include "test/proofs/continuity/member.h"
#include "test/proofs/continuity/options.h"
#include "test/proofs/continuity/windows.h"
#include "test/sim/random.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace roomd::continuity {

/// Who is told that a tick ends; what is sent then goes out in this tick.
class Ticking {
public:
    virtual void on_tick(TimePoint now) = 0;

protected:
    ~Ticking() = default;
};

struct Tally {
    std::uint64_t said = 0;
    std::uint64_t unsaid = 0; // whose turn it was and who was away
    std::uint64_t deliveries = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t histories = 0;
    std::uint64_t gap_ids = 0;
    std::uint64_t lost = 0;
    std::uint64_t entered = 0;
};

class Crowd final : public TickEnd {
public:
    /// Throws std::runtime_error or std::system_error if an address cannot be resolved.
    Crowd(const Options& options, Findings& findings, Ticking& ticking);
    ~Crowd();
    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;
    Crowd(Crowd&&) = delete;
    Crowd& operator=(Crowd&&) = delete;

    void tick() { loop_.tick(std::chrono::milliseconds(1)); }

    /// From now on members come, and come back.
    void gather() { gathering_ = true; }

    /// From now on nobody may be said to come, go or change.
    void hold_steady() { steady_ = true; }

    [[nodiscard]] bool steady() const { return steady_; }

    [[nodiscard]] std::size_t present() const { return present_; }

    [[nodiscard]] bool all_present() const { return present_ == members_.size(); }

    [[nodiscard]] std::deque<Member>& members() { return members_; }

    [[nodiscard]] std::vector<Room>& rooms() { return rooms_; }

    [[nodiscard]] EventLoop& loop() { return loop_; }

    /// Microseconds since the run began.
    [[nodiscard]] std::uint64_t us(TimePoint time) const {
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(time - began_).count());
    }

    [[nodiscard]] const SocketAddress& address(std::uint32_t door) const {
        return addresses_[door];
    }

    [[nodiscard]] const std::string& door_name(std::uint32_t door) const {
        return options_->doors[door];
    }

    [[nodiscard]] const Options& options() const { return *options_; }

    [[nodiscard]] Windows& windows() { return windows_; }

    [[nodiscard]] Tally& tally() { return tally_; }

    // For members.
    [[nodiscard]] Room& room(std::uint32_t number) { return rooms_[number]; }

    [[nodiscard]] StreamHost& host() { return host_; }

    void fault(const Member& member, const Fault& fault);
    void entered(Member& member);
    void left(Member& member, bool was_present, const std::string& how);
    void not_connected(Member& member, int error);
    void delivered(Member& member, const Stamp& stamp, TimePoint at);

    void acknowledged() { ++tally_.acknowledged; }

    void history_shown() { ++tally_.histories; }

    void gap_told(std::uint64_t ids) { tally_.gap_ids += ids; }

    Activity on_tick_end() override;

private:
    void deal();
    void open_some();
    void try_later(Member& member);

    const Options* options_;
    Findings* findings_;
    Ticking* ticking_;
    EventLoop loop_;
    Arena arena_;
    FlushList flush_list_;
    StreamHost host_;
    std::vector<SocketAddress> addresses_;
    std::vector<Room> rooms_;
    std::deque<Member> members_;
    std::vector<Member*> away_;
    sim::Random random_;
    Windows windows_;
    Tally tally_;
    TimePoint began_;
    std::size_t present_ = 0;
    std::size_t entering_ = 0;
    bool gathering_ = false;
    bool steady_ = false;
    bool closing_ = false;
};

} // namespace roomd::continuity
