// Server — the daemon's listeners, sessions and clockwork; where policy about all connections
// together is kept.
//
// Owned by main (or a test), on an EventLoop that outlives it. One tick-end hook, in this order:
//
//     turns of those who wait -> hand out runs -> flush (within a budget) -> enforce limits of
//     queues -> account memory -> reap who has gone, and tell listeners of free descriptors
//
// A death is announced to rooms, which dirties others: those wait for the next tick (`busy`),
// never a second pass.
//
// Invariants: every session is in sessions_ until it is reaped; nothing is destroyed inside an
// event; closing never happens inside a broadcast (a queue over its limits is in over_limits_ and
// judged behind the flush).
#pragma once

#include "daemon/config.h"
#include "daemon/counters.h"
#include "daemon/hub.h"
#include "daemon/leave_plan.h"
#include "daemon/listen_sockets.h"
#include "daemon/log.h"
#include "daemon/memory_account.h"
#include "daemon/metrics_listener.h"
#include "daemon/metrics_pages.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"
#include "daemon/sources.h"
#include "daemon/tick_meter.h"
#include "daemon/tracer.h"
#include "reactor/event_loop.h"
#include "reactor/listener.h"
#include "reactor/stream.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

class DatagramListener;
struct ListenPlan;
struct SavedSession;
struct Snapshot;

class Server final : public ListenerOwner, public TickEnd, public Timed, public Turns {
public:
    /// `config` is copied; `loop` and `log` are borrowed. Registers the loop's tick-end hook.
    Server(EventLoop& loop, Config config, Log& log);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    Server(Server&&) = delete;
    Server& operator=(Server&&) = delete;

    /// Binds what the configuration names; operators' socket first, and that one stays when the
    /// others cannot be had: then they can see that the rest is waited for. Throws
    /// std::system_error or std::runtime_error with a message that names the endpoint and the way
    /// out; then nobody else can connect.
    void open_listeners();

    /// Takes over a new configuration, all or nothing: new listeners are bound first; if one cannot
    /// be, nothing changes and `error` says why. Before any is open: for the next open_listeners().
    /// What is already ours is no obstacle: an address that a listener gives up goes to the one
    /// that asks for it, with those who wait there, and 0.0.0.0 can take the place of 127.0.0.1.
    /// `names`: see names_to_resolve(); a name that is not in it is resolved, which blocks.
    [[nodiscard]] bool reload(const Config& given, std::string& error,
                              const ResolvedNames* names = nullptr);
    /// The names that a reload to `given` would have to resolve, each once.
    [[nodiscard]] std::vector<std::string> names_to_resolve(const Config& given) const;

    /// First call: no more accepts, a goodbye to everybody, drain, then the loop stops. Second:
    /// stops at once.
    void stop();

    /// Takes this daemon out of service gently: no more accepts, and each connection hears its
    /// goodbye at a random moment within `over`, so that they do not come back all at once. When
    /// all have, it is as after stop(). False: it is being drained or stopped already.
    [[nodiscard]] bool drain(Duration over);

    enum class Phase : std::uint8_t { serving, draining, stopping };

    [[nodiscard]] Phase phase() const { return phase_; }

    /// For an operator under attack: while it is on, those whom rates and limits per source hold
    /// for (strangers, unless their listener says otherwise) cannot connect, and those of them who
    /// are connected cannot open a room. Outlives a reload and a handover, not an end.
    void set_lockdown(bool on);

    [[nodiscard]] bool lockdown() const { return lockdown_; }

    /// A socket that the service manager handed over, for listeners `fd:NAME`; several may have one
    /// name. Before open_listeners(), which gives up, and names in the log, those that no listener
    /// wants. What is no socket to listen on is closed at once. If the configuration chose no
    /// listeners, those called chat, debug, unix and public are served, each as its name says.
    void adopt(std::string name, Fd socket);
    /// What is served where a service manager has opened sockets of these names: those that are
    /// well known, unless the configuration says where to listen itself.
    [[nodiscard]] static Config with_inherited(const Config& config,
                                               const std::vector<std::string>& names);
    /// Copies of all that was handed over, for an upgrade, whose configuration may want what ours
    /// does not. They close with the listeners, when no other program will come.
    void keep_given(InheritedSockets copies);
    [[nodiscard]] const InheritedSockets& given() const;

    // server_handover.cc: the way into another process. All of it between two ticks.

    /// Everything as it is now; nothing is given up. Sessions and listeners are in the order of
    /// descriptors(). The views are valid until the server is touched.
    [[nodiscard]] Snapshot save();
    /// About what save() costs, written and with the index that is needed for it, from what is
    /// counted anyhow. O(rooms).
    [[nodiscard]] std::uint64_t saved_bytes_estimate() const;
    /// The descriptors of what save() returned last: connections, then listeners, each with its
    /// lock behind it. Still ours.
    [[nodiscard]] std::vector<int> descriptors();
    /// Gives all those up, open, and forgets who they were: nobody is told anything, no file is
    /// removed. What is left of the server can only be destroyed.
    [[nodiscard]] std::vector<Fd> release();
    /// Before open_listeners(): listening sockets that go on as they are, for the listeners of the
    /// configuration that want the same address. They are taken from the end of `sockets`, which
    /// begins with the connections'. Those that have a name come back: they are for adopt().
    [[nodiscard]] InheritedSockets adopt_listeners(const Snapshot& snapshot,
                                                   std::vector<Fd>& sockets);
    /// Behind open_listeners(), once, into an empty server. Connections go on where the other
    /// process has stopped; what kernel and peers have done meanwhile is seen in the next tick. If
    /// it is stopping by now they hear the goodbye, and the loop goes on until it is said. Returns
    /// how many could not: their descriptor was missing or somebody else's.
    [[nodiscard]] std::size_t restore(const Snapshot& snapshot, std::vector<Fd> sockets);

    /// Where each listens, with the real port where 0 was asked for. Valid until the next reload.
    struct Bound {
        std::string address;
        const ListenerSpec* spec;
    };

    [[nodiscard]] std::vector<Bound> bound() const;

    /// Where operators ask over HTTP; nullptr: nowhere.
    [[nodiscard]] const MetricsListener* metrics() const { return metrics_.get(); }

    // for sessions
    [[nodiscard]] const Limits& limits() const { return config_.limits; }

    [[nodiscard]] Hub& hub() { return hub_; }

    [[nodiscard]] Counters& counters() { return counters_; }

    [[nodiscard]] EventLoop& loop() { return loop_; }

    [[nodiscard]] StreamHost& host() { return host_; }

    [[nodiscard]] Tracer& tracer() { return tracer_; }

    [[nodiscard]] Sources& sources() { return sources_; }

    [[nodiscard]] const Config& config() const { return config_; }

    [[nodiscard]] Scheduler& scheduler() { return scheduler_; }

    /// Whether this session may say something to rooms now; see Scheduler::may_say().
    [[nodiscard]] bool may_say(const Share& share) const {
        return scheduler_.may_say(share, *this);
    }

    /// The number of this tick, for shares.
    [[nodiscard]] std::uint32_t tick() const { return static_cast<std::uint32_t>(loop_.ticks()); }

    /// Units of work that the kernel's reading was since the last call.

    /// Queues hold nearly as much as they may: answers to those who do not read are kept short, so
    /// that those who read can still be told everything.
    [[nodiscard]] bool output_scarce() const { return output_scarce_; }

    /// How much of its own answers a session may leave unread before its commands wait, in this
    /// tick.
    /// Own answers cannot be dropped, so all of them together must leave most of pinned_bytes_max
    /// to what rooms say: each has at most its share of a quarter.
    [[nodiscard]] std::uint32_t reply_bytes_max() const { return reply_bytes_max_; }

    [[nodiscard]] const MemoryAccount& memory() const { return memory_; }

    /// The hub's clock is this tick's: before anything is said in it. O(1).
    void tell_time();
    /// Its queue has passed a limit: enforce_limits() behind the flush.
    void enforce_later(Session& session);
    /// It has a reason now and is about to leave its rooms: for the log.
    void on_session_ending(const Session& session);
    /// The stream has closed: it leaves its rooms and is erased at a tick's end.
    void on_session_closed(Session& session);
    /// K=V pairs of the whole daemon, for /stats.
    [[nodiscard]] std::string stats() const;

    /// One line a connection, for /conns; returns how many.
    [[nodiscard]] std::uint32_t connection_slots() const { return sessions_.slot_count(); }

    /// What /conns says of the connection in this slot; empty: there is none.
    [[nodiscard]] std::string connection_line(std::uint32_t slot);

    /// `name value` a line, for whoever runs the daemon: state, listeners, connections by framing
    /// and format, what is held, limits that were met. O(connections).
    [[nodiscard]] std::vector<std::string> status_lines() const;

    /// The configured limits, with what a 0 stands for.
    [[nodiscard]] Limits limits_in_force() const;

    /// Newcomers are served.
    [[nodiscard]] bool ready() const { return serving_ && !stopping(); }

    [[nodiscard]] bool stopping() const { return phase_ != Phase::serving; }

    // for the metrics
    [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }

    [[nodiscard]] std::size_t room_count() const { return hub_.room_count(); }

    [[nodiscard]] SlotMap<std::unique_ptr<Session>>& sessions() { return sessions_; }

    [[nodiscard]] const TickMeter& meter() const { return meter_; }

    [[nodiscard]] std::uint64_t log_lines_dropped() const { return log_.dropped(); }

    /// As many as the configuration and the descriptors allow.
    [[nodiscard]] std::uint32_t connections_max() const;

    [[nodiscard]] std::uint64_t bytes_pinned() const { return arena_.bytes_pinned(); }

    void check() const;

    /// check() at every tick's end: for tests and the simulator.
    void check_each_tick() { checking_ = true; }

    // ListenerOwner
    bool on_accept(Listener& listener, Fd fd, const SocketAddress& peer) override;
    void on_refuse(Listener& listener, const Fd& fd, const SocketAddress& peer) override;
    void on_accept_error(Listener& listener, int error) override;
    void on_accept_budget(Listener& listener) override;
    void on_accept_rate(Listener& listener) override;
    /// The same for a listener of operators.
    void on_operators_accept_error(int error);
    // TickEnd
    Activity on_tick_end() override;
    // Turns
    [[nodiscard]] Share* share_of(Key session) override;
    void run_turn(Key session) override;
    [[nodiscard]] bool may_speak() const override;
    // Timed: the second, or somebody's time to leave
    void on_timer(TimerKey key) override;

private:
    struct OpenListener {
        std::unique_ptr<ListenerSpec> spec; // kept until the last session that has it is gone
        std::unique_ptr<Listener> stream;   // one of the two, or none any more
        std::unique_ptr<DatagramListener> datagram;
        std::string address;
    };

    // server_inherited.cc
    void drop_unused_inherited();
    // server_listeners.cc
    [[nodiscard]] std::unique_ptr<MetricsListener> open_metrics(const Config& config,
                                                                const ListenPlan& plan);
    [[nodiscard]] std::vector<OpenListener> open(const ListenerSpec& spec, ListenPlan& plan);
    [[nodiscard]] std::vector<OpenListener> open_new(const Config& config, ListenPlan& plan);
    [[nodiscard]] bool is_open(const ListenerSpec& spec) const;
    [[nodiscard]] std::string exposed_by(const Config& config) const;
    [[nodiscard]] std::vector<OwnSocket> own_sockets(const Config& config) const;
    void change_mode(const OpenListener& listener);
    void log_notes(const std::vector<std::string>& notes);
    void keep_wanted(const Config& config, std::vector<OpenListener>& kept);
    void change_plan(const Config& config);
    static void share_no_port(const ListenPlan& plan);
    void accept_at_closing(const Config& config);
    void drop_unused_specs();
    [[nodiscard]] const ListenerSpec* spec_of(const Listener& listener) const;
    void log_listening(const OpenListener& listener);
    void limit_accepts(const OpenListener& listener) const;
    // server_handover.cc
    void settle();
    [[nodiscard]] const ListenerSpec& spec_for(std::string_view uri);
    [[nodiscard]] bool restore_session(const SavedSession& saved, Fd fd,
                                       const std::vector<ChunkRef>& chunks,
                                       const std::vector<Key>& rooms);
    // server_stop.cc
    void close_listeners();
    void say_goodbye();
    void next_departures();
    [[nodiscard]] bool over() const; // while stopping: nobody is waited for any more
    [[nodiscard]] bool muted(const OpenListener& listener) const;
    void apply_config();
    [[nodiscard]] bool admit(const Fd& fd, const ListenerSpec& spec, const SocketAddress& peer,
                             const SourceKey& source);
    void refuse(const Fd& fd, const ListenerSpec& spec, const SocketAddress& peer,
                std::string_view limit, std::string_view why);
    [[nodiscard]] Activity flush();
    void enforce_limits();
    void account_memory();
    void relieve_memory();
    [[nodiscard]] std::vector<std::pair<std::uint64_t, Key>> queues_over(std::uint64_t floor,
                                                                         bool only_blocked) const;
    static void shed_queue(Session& session);
    void shed_queues(std::uint64_t bytes_needed, std::uint64_t limit);
    enum class Reap : std::uint8_t { within_budget, all };
    void reap(Reap how);
    void begin_tick();
    void share_out_answers();

    EventLoop& loop_;
    Log& log_;
    Config config_;
    Counters counters_;
    Arena arena_;
    FlushList flush_list_;
    StreamHost host_;
    HashKey hash_key_; // of tables of sources
    Hub hub_;
    Sources sources_;
    Tracer tracer_;
    SlotMap<std::unique_ptr<Session>> sessions_;
    std::vector<OpenListener> listeners_;
    InheritedSockets inherited_;       // and not served yet
    HandedSockets handed_;             // another process served them; not claimed yet
    std::vector<std::string> adopted_; // the names of all that ever were
    InheritedSockets given_;           // copies, for an upgrade
    MetricsPages metrics_pages_;
    std::unique_ptr<MetricsListener> metrics_;
    TickMeter meter_;
    std::vector<OpenListener> retired_; // specs of closed listeners that sessions still refer to
    Budget budget_;
    Scheduler scheduler_{budget_};
    MemoryAccount memory_;
    std::vector<Key> over_limits_; // queues to be judged behind the flush
    std::deque<Key> closed_;       // their streams have closed; to leave their rooms and be erased
    TimerKey relief_pause_;        // memory was short, and those who hold most have just lost some
    TimePoint gave_back_; // when sys::give_back_memory() was called because memory was scarce
    std::uint32_t reply_bytes_max_ = 0;
    bool output_scarce_ = false;
    bool newcomers_wait_ = false; // memory is scarce
    TimerKey second_;
    LeavePlan leave_plan_; // while draining
    TimerKey departure_;
    TimePoint drain_deadline_{};
    std::uint64_t told_tick_ = 0;      // of the hub's clock
    FlushList::Mark sent_when_passed_; // of what has been said
    bool sending_ = false;             // something has been said that not all have been sent
    bool serving_ = false;             // its listeners have been opened
    Phase phase_ = Phase::serving;
    bool asked_to_stop_ = false;
    bool lockdown_ = false;
    bool checking_ = false;
};

} // namespace roomd
