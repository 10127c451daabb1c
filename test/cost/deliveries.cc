// roomd-deliveries — the whole daemon on a fixed script over the simulated kernel, so that what it
// does can be counted exactly: check.py runs it under callgrind and divides by the deliveries.
//
// Nothing here depends on time, chance or the machine: every latency is one constant, no fault
// happens, buffers are ample. Each round every publisher says a window of messages; the round is
// over when every member has heard every one and every publisher has its answers. What is heard is
// compared with what was said, so that a daemon that is cheap because it is wrong fails.
#include "daemon/server.h"
#include "test/sim/scenario.h"
#include "test/sim/world.h"

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::cost {

namespace {

struct Script {
    const char* name;
    Format format;
    std::uint32_t rooms;   // with one publisher each, who hears its answers but does not count
    std::uint32_t members; // of each room, beside its publisher
    std::uint32_t size;    // of a text
    std::uint32_t window;  // messages of one publisher in one round
    std::uint32_t warm_rounds;
    std::uint32_t rounds; // counted
};

// The cases S1, S5 and S4 of the bench, and what a message costs before anybody hears it.
constexpr std::array<Script, 5> scripts{{
    {"fanout-plain", Format::plain, 1, 1'000, 64, 512, 3, 4},
    {"fanout-event", Format::event, 1, 1'000, 64, 512, 3, 4},
    {"large-plain", Format::plain, 1, 100, 4'096, 64, 8, 16},
    {"rooms-plain", Format::plain, 100, 10, 64, 8, 40, 40},
    {"acknowledged-event", Format::event, 1, 0, 64, 512, 3, 40},
}};

// Every script fills the histories before it counts, with few rounds.
constexpr std::uint32_t history_messages_max = 256;
constexpr std::uint16_t port = 8888;
constexpr const char* address = "127.0.0.1:8888";
constexpr std::size_t header_bytes = 4;
constexpr sim::Instant quiet = 3 * sim::second; // for what the daemon tells once a second

sim::Faults no_faults() {
    sim::Faults faults;
    faults.tick_us_max = 1;
    faults.latency_us_min = faults.latency_us_max = 5;
    faults.buffer_bytes_min = faults.buffer_bytes_max = 4U << 20U;
    faults.segment_bytes_max = SIZE_MAX;
    return faults;
}

Config config() {
    ListenerSpec spec;
    spec.endpoint.transport = Transport::tcp;
    spec.endpoint.host = "127.0.0.1";
    spec.endpoint.port = port;
    spec.framing = Framing::frame;
    spec.room = "";
    spec.uri = address;
    Config made;
    made.listeners = {spec};
    made.limits.history_messages_max = history_messages_max;
    return made;
}

void append_frame(std::string& out, std::string_view payload) {
    for (unsigned shift = 32; shift > 0;) {
        shift -= 8;
        out += static_cast<char>((payload.size() >> shift) & 0xFFU);
    }
    out += payload;
}

/// One client: takes what comes at once and counts in it what it waits for.
class Client final : public sim::Peer {
public:
    /// Counts payloads that begin with `begin` and end with `end`.
    Client(sim::World& world, std::string_view begin, std::string_view end)
        : world_(&world), begin_(begin), end_(end) {}

    void dial(std::uint32_t number) {
        link_ = world_->dial(address, *this, sim::caller_address(number, false));
    }

    void send(std::string_view bytes) { world_->link_send(link_, bytes); }

    [[nodiscard]] std::uint64_t heard() const { return heard_; }

    void on_connected(sim::LinkId /*link*/) override {}

    void on_refused(sim::LinkId /*link*/) override { world_->fail("a client was refused"); }

    void on_reset(sim::LinkId /*link*/) override { world_->fail("a connection was reset"); }

    void on_readable(sim::LinkId link) override {
        input_ += world_->link_take(link, SIZE_MAX);
        std::string_view rest = input_;
        while (rest.size() >= header_bytes) {
            std::size_t size = 0;
            for (std::size_t index = 0; index < header_bytes; ++index) {
                size = (size << 8U) | static_cast<unsigned char>(rest[index]);
            }
            if (rest.size() < header_bytes + size) {
                break;
            }
            const std::string_view payload = rest.substr(header_bytes, size);
            heard_ += payload.starts_with(begin_) && payload.ends_with(end_) ? 1U : 0U;
            rest.remove_prefix(header_bytes + size);
        }
        input_.erase(0, input_.size() - rest.size());
        if (world_->link_ended(link)) {
            world_->fail("the daemon closed a connection");
        }
    }

private:
    sim::World* world_;
    std::string begin_;
    std::string end_;
    std::string input_; // from the last whole payload on
    std::uint64_t heard_ = 0;
    sim::LinkId link_ = sim::nothing;
};

class Stage {
public:
    explicit Stage(const Script& script)
        : script_(&script), world_(1, no_faults(), false),
          log_(LogFormat::text, LogLevel::error, 0), server_(loop_, config(), log_),
          text_(script.size, 'x') {
        server_.open_listeners();
        for (std::uint32_t message = 0; message < script.window; ++message) {
            append_frame(window_, text_);
        }
    }

    /// Everybody connects and enters; until it is quiet.
    void enter() {
        const bool event = script_->format == Format::event;
        for (std::uint32_t room = 0; room < script_->rooms; ++room) {
            std::string first;
            if (event) {
                append_frame(first, "/hello 1");
            }
            append_frame(first, "/join room-" + std::to_string(room));
            // A plain publisher hears itself, an event one is told that its message was taken.
            admit(publishers_, first, event ? "ok say " : text_, event ? "" : text_);
            for (std::uint32_t member = 0; member < script_->members; ++member) {
                admit(members_, first, event ? "msg " : text_, text_);
            }
        }
        while (sound() && world_.now() < quiet) {
            loop_.tick(std::nullopt);
        }
    }

    void play_round() {
        said_ += script_->window;
        for (const auto& publisher : publishers_) {
            publisher->send(window_);
        }
        while (sound() && !(all_heard(members_) && all_heard(publishers_))) {
            loop_.tick(std::nullopt);
        }
    }

    [[nodiscard]] bool sound() const { return world_.failure().empty(); }

    [[nodiscard]] const std::string& failure() const { return world_.failure(); }

    /// Messages heard by members; published, if there are none.
    [[nodiscard]] std::uint64_t deliveries() const {
        return said_ * (members_.empty() ? publishers_.size() : members_.size());
    }

    [[nodiscard]] std::uint64_t calls() const { return world_.calls() + world_.waits(); }

    [[nodiscard]] std::uint32_t rounds() const { return script_->rounds; }

private:
    using Clients = std::vector<std::unique_ptr<Client>>;

    void admit(Clients& clients, std::string_view first, std::string_view begin,
               std::string_view end) {
        clients.push_back(std::make_unique<Client>(world_, begin, end));
        clients.back()->dial(++admitted_);
        clients.back()->send(first);
    }

    [[nodiscard]] bool all_heard(const Clients& clients) {
        bool all = true;
        for (const auto& client : clients) {
            if (client->heard() > said_) {
                world_.fail("a client heard more than was said");
            }
            all = all && client->heard() == said_;
        }
        return all;
    }

    const Script* script_;
    sim::World world_;
    EventLoop loop_;
    Log log_;
    Server server_;
    std::string text_;
    std::string window_;
    Clients publishers_;
    Clients members_;
    std::uint32_t admitted_ = 0;
    std::uint64_t said_ = 0; // by each publisher
};

} // namespace

// What happens below this function is what is counted: check.py knows its name.
[[gnu::noinline]] static void play_counted_rounds(Stage& stage) {
    for (std::uint32_t round = 0; round < stage.rounds(); ++round) {
        stage.play_round();
    }
}

static bool play(const Script& script) {
    Stage stage(script);
    stage.enter();
    for (std::uint32_t round = 0; round < script.warm_rounds; ++round) {
        stage.play_round();
    }
    const std::uint64_t deliveries = stage.deliveries();
    const std::uint64_t calls = stage.calls();
    play_counted_rounds(stage);
    if (!stage.sound()) {
        static_cast<void>(std::fprintf(stderr, "%s: %s\n", script.name, stage.failure().c_str()));
        return false;
    }
    static_cast<void>(std::printf("%s %llu %llu\n", script.name,
                                  static_cast<unsigned long long>(stage.deliveries() - deliveries),
                                  static_cast<unsigned long long>(stage.calls() - calls)));
    return true;
}

// check.py reads the first line and the last.
static void show_help() {
    static_cast<void>(std::printf("%s\n"
                                  "usage: roomd-deliveries [SCRIPT]...\n"
                                  "Plays them, all if none is named; prints the name of each, its "
                                  "deliveries, and calls into the kernel.\n",
                                  ROOMD_COMPILER));
    for (const Script& script : scripts) {
        static_cast<void>(std::printf("%s ", script.name));
    }
    static_cast<void>(std::printf("\n"));
}

static bool play_named(std::string_view name) {
    for (const Script& script : scripts) {
        if (name == script.name) {
            return play(script);
        }
    }
    static_cast<void>(std::fprintf(stderr, "no such script: %s\n", std::string(name).c_str()));
    return false;
}

} // namespace roomd::cost

int main(int argc, char** argv) {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    if (!arguments.empty() && arguments.front().starts_with("-")) {
        roomd::cost::show_help();
        return 0;
    }
    bool good = true;
    if (arguments.empty()) {
        for (const auto& script : roomd::cost::scripts) {
            good = roomd::cost::play(script) && good;
        }
    }
    for (const std::string_view name : arguments) {
        good = roomd::cost::play_named(name) && good;
    }
    return good ? 0 : 1;
}
