// World — the operating system and the network of one simulated run: clock, descriptors, sockets,
// edges.
//
// One exists at a time; sys_sim.cc and poller_sim.cc find it through current(), because what they
// stand for is global too. It knows bytes and descriptors, no chat: who talks is a Peer, what it
// means is the Ledger's. Everything random comes from the seed, everything has an order (no hash
// tables, no pointers compared), no real time is read, so a seed replays bit by bit; digest() sums
// up every call and every edge to prove it.
//
// Time passes only in wait() and a little with each call of it. An edge-triggered kernel's duties
// are kept to the letter of poller.h, and its liberties are taken as often as Faults says.
//
// The daemon's mistakes that the world sees itself are told by fail(): a descriptor used after its
// close, closed while registered, leaked; sleeping with work pending; spinning without doing
// anything.
#pragma once

#include "reactor/poller.h"
#include "reactor/sys.h"
#include "test/sim/faults.h"
#include "test/sim/link.h"
#include "test/sim/random.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd::sim {

class World {
public:
    World(std::uint64_t seed, const Faults& faults, bool trace);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    World(World&&) = delete;
    World& operator=(World&&) = delete;

    [[nodiscard]] static World& current();

    // --- time and verdict ---
    [[nodiscard]] Instant now() const { return now_; }

    void at(Instant delay, Actor& actor, std::uint32_t what, std::uint64_t argument);

    /// Makes the current wait() return with what it has.
    void interrupt() { interrupted_ = true; }

    [[nodiscard]] Random& chance() { return chance_; }

    [[nodiscard]] Faults& faults() { return faults_; }

    void fail(const std::string& what);

    /// Told once, at the first failure.
    void on_failure(Actor& actor, std::uint32_t what) {
        mourner_ = &actor;
        mourner_what_ = what;
    }

    /// Time goes by without a daemon.
    void pass(Instant length);

    [[nodiscard]] const std::string& failure() const { return failure_; }

    [[nodiscard]] std::uint64_t digest() const { return digest_; }

    [[nodiscard]] bool tracing() const { return trace_; }

    void note(std::string_view what, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0);
    void say(const std::string& line) const; // only shown when tracing

    // --- the peers' end ---
    /// The key of a listener: what to_string(SocketAddress) says of it.
    [[nodiscard]] LinkId dial(const std::string& address, Peer& peer, const SocketAddress& from);
    void link_send(LinkId id, std::string_view bytes);
    void link_shut(LinkId id); // half-close, after what was sent
    [[nodiscard]] std::string link_take(LinkId id, std::size_t bytes_max);
    void link_close(LinkId id);
    void link_reset(LinkId id);

    [[nodiscard]] const Link& link(LinkId id) const { return *links_[id]; }

    /// Everything was taken and nothing more will come.
    [[nodiscard]] bool link_ended(LinkId id) const;
    void send_datagram(const std::string& address, const SocketAddress& from, std::string text);

    // --- the daemon's end, for sys_sim.cc ---
    [[nodiscard]] IoResult read(int fd, std::span<const iovec> into);
    [[nodiscard]] IoResult write(int fd, std::span<const iovec> from);
    [[nodiscard]] std::uint32_t unacknowledged(int fd);
    [[nodiscard]] IoResult receive(int fd, std::span<std::byte> into, SocketAddress& sender);
    void shut(int fd);
    void close(int fd);
    [[nodiscard]] sys::AcceptResult accept(int fd);
    [[nodiscard]] int listen(const SocketAddress& address, bool datagram, int backlog); // -errno
    void listen_again(int fd, int backlog);
    [[nodiscard]] std::pair<int, int> pipe();
    void write_byte(int fd, unsigned char byte);
    [[nodiscard]] int open_plain(); // -errno
    [[nodiscard]] SocketAddress local_address(int fd);
    [[nodiscard]] SocketAddress peer_address(int fd);
    [[nodiscard]] std::uint64_t cookie(int fd);
    [[nodiscard]] bool unix_path_bound(const std::string& path) const;
    [[nodiscard]] bool unix_path_live(const std::string& path) const;

    void unlink(const std::string& path) { unix_paths_.erase(path); }

    [[nodiscard]] Random& entropy() { return entropy_; }

    [[nodiscard]] int descriptor_limit() const { return descriptor_limit_; }

    void limit_descriptors(int limit);

    [[nodiscard]] std::size_t open_descriptors() const { return open_count_; }

    [[nodiscard]] std::string open_list() const;

    // --- for poller_sim.cc ---
    void add(int fd, Interest interest, Key key);
    void remove(int fd);
    [[nodiscard]] std::span<const Edge> wait(std::optional<Duration> timeout);

    /// No more faults from here on; what was held back comes.
    void calm();

    /// While set, unread input is not held against the daemon (a policy makes it wait).
    void excuse_unread(bool excused) { unread_excused_ = excused; }

    /// The same of these descriptors alone, until the next call.
    void excuse_unread_of(std::vector<int> descriptors) {
        unread_excused_of_ = std::move(descriptors);
    }

    /// While set, the daemon may have thrown away what it had to write (memory is scarce).
    void excuse_unsent(bool excused) { unsent_excused_ = excused; }

    [[nodiscard]] std::uint64_t calls() const { return calls_; }

    [[nodiscard]] std::uint64_t waits() const { return waits_; }

    /// Calls of the daemon that did something, and reads of its peers that got something: still
    /// changing while the world is not at rest.
    [[nodiscard]] std::uint64_t moved() const { return moved_ + taken_by_peers_; }

    /// Bytes the daemon has read from connections; and those of connections it never watched.
    [[nodiscard]] std::uint64_t bytes_read() const;
    [[nodiscard]] std::uint64_t bytes_read_of_refused() const;
    /// All that the links' channels ever carried is accounted for; told by fail().
    void check_bytes();

private:
    enum class Kind : std::uint8_t { free, plain, link, listener, pipe_read, pipe_write };
    enum class What : std::uint32_t {
        deliver,
        tell_peer,
        tell_reset,
        reset_daemon,
        unblock,
        raise,
        arrive
    };

    struct Descriptor {
        Kind kind = Kind::free;
        std::uint32_t index = nothing;        // link, listener or pipe
        std::uint32_t registration = nothing; // in registrations_
    };

    struct Registration {
        int fd = -1;
        Key key;
        Interest interest = Interest::read;
        Ready pending = Ready::none;
        std::uint32_t delayed = 0; // edges under way
        bool alive = true;
        bool listed = false;
    };

    struct Happening {
        Instant at;
        std::uint64_t order;
        Actor* actor; // nullptr: the world itself
        std::uint32_t what;
        std::uint64_t argument;
    };

    struct Pipe {
        std::string bytes;
        int read_fd = -1;
        int write_fd = -1;
        bool read_told = false;
    };

    [[nodiscard]] Instant latency() {
        return static_cast<Instant>(
                   chance_.between(faults_.latency_us_min, faults_.latency_us_max)) *
               microsecond;
    }

    void at_self(Instant delay, What what, std::uint64_t argument);
    void run_due();
    void happen(const Happening& happening);
    void deliver(Link& link, LinkId id);
    void schedule_delivery(Link& link, LinkId id);
    void schedule_telling(Link& link, LinkId id);
    void reset_daemon_end(Link& link);
    static void reset_peer_end(Link& link, LinkId id);
    void arrive(LinkId id);
    [[nodiscard]] Door* listener_at(const std::string& address);

    [[nodiscard]] int take_descriptor(Kind kind, std::uint32_t index); // -EMFILE
    [[nodiscard]] Descriptor* find(int fd, const char* call);
    [[nodiscard]] Link* link_of(int fd, const char* call, LinkId& id);
    void close_link(Link& link, LinkId id);
    void close_listener(Door& listener);
    void room_made(Link& link, bool taken);
    [[nodiscard]] IoResult read_pipe(Pipe& pipe, std::span<const iovec> into);

    void raise(int fd, Ready ready, Instant delay = 0);
    void raise_now(std::uint32_t index, Ready ready);
    /// Raises a readable edge if the edge mode has one now, `delay` later.
    void mark_read(bool& told, bool was_empty, int fd, Instant delay = 0);
    void collect();
    void spice_batch();
    void check_may_sleep();
    void check_link_may_sleep(int fd, const Link& link);
    void check_listeners_may_sleep();
    [[nodiscard]] bool edge_coming(int fd) const;

    static World* current_world;
    Faults faults_;
    Random chance_;
    Random entropy_;
    Instant now_ = 0;
    std::uint64_t orders_ = 0;
    std::vector<Happening> happenings_; // a heap
    std::vector<std::unique_ptr<Link>> links_;
    std::vector<std::string> dialled_; // by LinkId: the listener's address
    std::vector<std::unique_ptr<Door>> listeners_;
    std::vector<std::unique_ptr<Pipe>> pipes_;
    std::vector<Descriptor> descriptors_;
    std::set<int> free_descriptors_; // below descriptors_.size()
    std::set<int> unread_;           // daemon ends with something to read
    std::set<int> owed_;             // daemon ends with write_owed
    std::set<std::string> unix_paths_;
    std::map<std::string, std::uint32_t> addresses_;
    std::size_t open_count_ = 0;
    int descriptor_limit_ = 1 << 20;
    int accept_error_ = 0;
    Instant accept_error_until_ = 0;
    Instant accept_trouble_at_ = -(1LL << 60);

    std::vector<Registration> registrations_;
    std::vector<std::uint32_t> raised_; // registrations with pending edges, in order
    std::vector<Key> dead_keys_;
    std::vector<Edge> batch_;
    std::size_t idle_waits_ = 0;
    std::uint64_t calls_ = 0;
    std::uint64_t waits_ = 0;
    std::uint64_t moved_ = 0;          // calls that did something
    std::uint64_t taken_by_peers_ = 0; // reads
    std::uint64_t moved_before_ = 0;
    std::uint16_t next_port_ = 40'000;

    std::string failure_;
    Actor* mourner_ = nullptr;
    std::uint32_t mourner_what_ = 0;
    std::uint64_t digest_ = 0xCBF29CE484222325ULL;
    bool trace_ = false;
    bool interrupted_ = false;
    bool unread_excused_ = false;
    std::vector<int> unread_excused_of_;
    bool unsent_excused_ = false;
};

} // namespace roomd::sim
