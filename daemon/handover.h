// Handover — this process gives everything it has to the next one, and nobody notices.
//
// Owned by main; borrows loop, server, log and supervisor, which outlive it. Two ways:
//
//   in place   (SIGUSR2, roomctl upgrade) the program at our path is executed in this very process
//   by store   (SIGTERM with keep_connections) the parcel goes to the service manager, which gives
//              it to the process it starts next
//
// Both begin with a question: a child of the program at our path is given the state as it is now,
// proves that it is a roomd (successor.h) and says whether it can take the state over, and listen
// where it is configured to (--probe-state). The loop goes on meanwhile. Only then, and between two
// ticks, the state is taken again and given away, to the very file that was asked. Until execve(2)
// has succeeded, or the manager has the parcel, nothing is given up here: whatever fails, memory
// that is not there included, is told and changes nothing. A state for which there is no room
// beside what is there already is refused before it is written: a limit of the cgroup is no error
// that a program hears of, but its end.
//
//   idle ──begin──▶ probing ──the child says yes──▶ due ──carry_out──▶ (another process)
//     ▲                 │ no, or too late             │ failed
//     └─────────────────┴─────────────────────────────┘
#pragma once

#include "daemon/inheritance.h"
#include "daemon/log.h"
#include "daemon/operator.h"
#include "daemon/parcel.h"
#include "daemon/server.h"
#include "daemon/snapshot.h"
#include "daemon/successor.h"
#include "daemon/supervisor.h"
#include "reactor/event_loop.h"
#include "reactor/signals.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

namespace roomd {

/// What it works with; all of it is borrowed.
struct HandoverHost {
    EventLoop& loop;
    Server& server;
    Log& log;
    Supervisor& supervisor;
    Signals& signals;
    Operator& orders; // hears what becomes of an upgrade
};

/// Further descriptors of the same sockets, under the same names.
[[nodiscard]] InheritedSockets copies_of(const InheritedSockets& sockets);

class Handover final : public Upgrade, public Watcher, public Timed {
public:
    /// `arguments` are those of this process; the next one gets the same. `program`: where it is
    /// to be found (sys::own_program).
    Handover(const HandoverHost& host, std::span<char*> arguments, std::string program);
    ~Handover();
    Handover(const Handover&) = delete;
    Handover& operator=(const Handover&) = delete;
    Handover(Handover&&) = delete;
    Handover& operator=(Handover&&) = delete;

    bool begin(std::string& why) override;
    bool leave(std::string& why) override;

    /// The loop has been stopped for carry_out(), and for nothing else.
    [[nodiscard]] bool due() const { return state_ == State::due; }

    /// Between two ticks. In place: does not return if it succeeds. By store: true if the manager
    /// has the connections; what is left here is to end without a word. False: nothing has
    /// happened, the loop goes on; if this process was to end, everybody has been told.
    [[nodiscard]] bool carry_out();

    void on_ready(Ready ready) override;  // the child has said something, or ended
    void on_timer(TimerKey key) override; // it takes too long, or is to be looked at again

private:
    enum class State : std::uint8_t { idle, probing, due };
    enum class Way : std::uint8_t { in_place, by_store };

    [[nodiscard]] bool probe(Way way, std::string& why);
    [[nodiscard]] bool ask(std::string& why);
    void probed(bool good, const std::string& why);
    void give_up(const std::string& why);
    void look_after_child();
    void forget_child();
    void end_question();
    [[nodiscard]] std::vector<int> add_given(Snapshot& snapshot) const;
    [[nodiscard]] Fd question(std::string& why) const;
    [[nodiscard]] bool pack(ParcelEnds& parcel, std::string& why);
    [[nodiscard]] bool commit(std::string& why);
    [[nodiscard]] bool has_room(std::string& why) const;
    [[nodiscard]] bool execute(const ParcelEnds& parcel, std::string& why);
    [[nodiscard]] bool store(ParcelEnds parcel, std::string& why);

    EventLoop& loop_;
    Server& server_;
    Log& log_;
    Supervisor& supervisor_;
    Signals& signals_;
    Operator& orders_;
    std::span<char*> arguments_;
    std::string program_;
    State state_ = State::idle;
    Way way_ = Way::in_place;
    pid_t child_ = -1;
    Fd answer_; // what the child writes
    Key key_;
    TimePoint deadline_{}; // for its answer
    TimerKey patience_;
    std::string said_;
    std::optional<Successor> successor_; // from the question until it is answered or acted upon
    std::string word_;                   // that proves it
};

} // namespace roomd
