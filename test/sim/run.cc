#include "test/sim/run.h"

#include "daemon/server.h"
#include "daemon/snapshot_format.h"
#include "test/sim/echo_client.h"
#include "test/sim/scenario.h"
#include "test/sim/vandal.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace roomd::sim {

namespace {

constexpr Instant rest_step = 5 * second;
constexpr std::uint64_t pinned_slack = 1U << 20U;
constexpr int rest_steps_max = 2'000;
constexpr int quiet_steps_needed = 14; // longer than the longest stall that ends

class Run final : public Actor {
public:
    Run(std::uint64_t seed, bool trace);
    Verdict play();

private:
    enum What : std::uint32_t {
        phase_over,
        shortage_begins,
        shortage_ends,
        datagram,
        handover,
        failed
    };

    void on_event(std::uint32_t what, std::uint64_t argument) override;
    void invite();
    void live();
    void tick_until_phase(Instant length);
    void start();
    void excuse_held();
    void hand_over();
    void rest();
    void judge();
    void stop();

    [[nodiscard]] bool alive() const { return world_.failure().empty(); }

    Random random_;
    Scenario scenario_;
    World world_;
    Ledger ledger_;
    Log log_{LogFormat::text, LogLevel::debug, 0};
    std::unique_ptr<EventLoop> loop_;
    std::unique_ptr<Server> server_;
    std::vector<std::unique_ptr<ChatClient>> people_;
    std::vector<std::unique_ptr<Vandal>> vandals_;
    std::vector<std::unique_ptr<EchoClient>> echoes_;
    std::vector<std::uint32_t> datagrams_; // tokens
    bool over_ = false;
    bool handover_due_ = false;
    std::uint64_t ticks_ = 0;
};

Run::Run(std::uint64_t seed, bool trace)
    : random_(seed), scenario_(draw_scenario(random_)), world_(seed, scenario_.faults, trace),
      ledger_(world_) {
    Random apart(~seed); // drawn apart, so that the rest of a seed's world stays what it was
    scenario_.handovers = apart.one_in(3) ? apart.between(1, 5) : 0;
    draw_steady(apart, scenario_);
    world_.excuse_unread(scenario_.unread_excused);
    world_.excuse_unsent(scenario_.memory_scarce);
    world_.on_failure(*this, failed);
}

void Run::on_event(std::uint32_t what, std::uint64_t /*argument*/) {
    switch (what) {
    case phase_over:
        over_ = true;
        world_.interrupt();
        break;
    case shortage_begins:
        world_.limit_descriptors(
            static_cast<int>(world_.open_descriptors() + 3 + random_.below(3)));
        world_.at(static_cast<Instant>(random_.skewed(1, 5'000)) * millisecond, *this,
                  shortage_ends, 0);
        break;
    case shortage_ends:
        world_.limit_descriptors(1 << 20);
        break;
    case datagram: {
        Saying saying;
        saying.room = "lobby";
        saying.text = "from afar";
        datagrams_.push_back(ledger_.add(saying));
        world_.send_datagram(datagram_address,
                             caller_address(static_cast<std::uint32_t>(datagrams_.size()), false),
                             ledger_.at(datagrams_.back()).text);
        break;
    }
    case handover:
        handover_due_ = true;
        world_.interrupt();
        break;
    default: // failed: nothing is waited for any more
        if (loop_ != nullptr) {
            loop_->stop();
        }
        break;
    }
}

void Run::invite() {
    const auto some_time = [this] {
        return static_cast<Instant>(
            random_.below(static_cast<std::uint64_t>(scenario_.active / 4) + 1));
    };
    std::uint32_t number = 0;
    for (const Role& role : scenario_.people) {
        people_.push_back(
            std::make_unique<ChatClient>(world_, ledger_, random_.fork(), role, number++));
        people_.back()->begin(random_.one_in(2) ? 0 : some_time());
    }
    for (const auto& [address, sniffed] : scenario_.vandals) {
        const SocketAddress from =
            address[0] == '/' ? unix_caller() : caller_address(number++, false);
        vandals_.push_back(
            std::make_unique<Vandal>(world_, ledger_, random_.fork(), address, from, sniffed));
        vandals_.back()->begin(some_time());
    }
    const Limits& limits = scenario_.config.limits;
    const bool scarce = scenario_.memory_scarce || scenario_.shortages > 0 ||
                        limits.connections_max != 0 ||
                        limits.queue_soft_bytes < 2 * limits.reply_bytes_max; // judged as slow
    for (std::size_t index = 0; index < scenario_.echoes; ++index) {
        echoes_.push_back(std::make_unique<EchoClient>(world_, random_.fork(), echo_address,
                                                       caller_address(number++, false), scarce));
        echoes_.back()->begin(some_time());
    }
    for (std::size_t index = 0; index < scenario_.datagrams; ++index) {
        world_.at(some_time(), *this, datagram, 0);
    }
    for (std::size_t index = 0; index < scenario_.shortages; ++index) {
        world_.at(some_time(), *this, shortage_begins, 0);
    }
    for (std::size_t index = 0; index < scenario_.handovers; ++index) {
        world_.at(some_time(), *this, handover, 0);
    }
}

void Run::tick_until_phase(Instant length) {
    over_ = false;
    world_.at(length, *this, phase_over, 0);
    // One tick may say more before the tick's end brings it back under the limit.
    const std::uint64_t pinned_bound = scenario_.config.limits.pinned_bytes_max + pinned_slack;
    while (!over_ && alive()) {
        excuse_held();
        loop_->tick(std::nullopt);
        if (std::exchange(handover_due_, false)) {
            hand_over();
        }
        if (++ticks_ % 64 == 0 && people_.size() < 100) {
            server_->check();
        }
        if (server_->bytes_pinned() > pinned_bound) {
            world_.fail("queues and runs hold " + std::to_string(server_->bytes_pinned()) +
                        " bytes, allowed are " + std::to_string(pinned_bound));
        }
    }
}

// Over its rates a connection is left unread until a timer of its own.
void Run::excuse_held() {
    std::vector<int> held;
    server_->sessions().for_each([&](Key /*key*/, const std::unique_ptr<Session>& session) {
        if (session->held_by_meter()) {
            held.push_back(session->stream().fd());
        }
    });
    world_.excuse_unread_of(std::move(held));
}

void Run::start() {
    loop_ = std::make_unique<EventLoop>();
    server_ = std::make_unique<Server>(*loop_, scenario_.config, log_);
}

// Another process takes over, as far as a world of one process can have it: nothing but bytes and
// descriptors gets from the one to the other.
void Run::hand_over() {
    const std::string bytes = encode_snapshot(server_->save());
    std::vector<Fd> sockets = server_->release();
    server_.reset();
    loop_.reset();
    start();
    std::string error;
    const std::optional<Snapshot> snapshot = decode_snapshot(bytes, error);
    if (!snapshot) {
        world_.fail("what was handed over cannot be read: " + error);
        return;
    }
    for (auto& [name, fd] : server_->adopt_listeners(*snapshot, sockets)) {
        server_->adopt(name, std::move(fd));
    }
    server_->open_listeners();
    if (const std::size_t lost = server_->restore(*snapshot, std::move(sockets)); lost != 0) {
        world_.fail(std::to_string(lost) + " connections were not taken over");
    }
    server_->check();
}

void Run::rest() {
    world_.calm();
    for (const auto& person : people_) {
        person->settle();
    }
    for (const auto& vandal : vandals_) {
        vandal->settle();
    }
    std::uint64_t moved = 0;
    int quiet = 0;
    for (int step = 0; quiet < quiet_steps_needed && alive(); ++step) {
        tick_until_phase(rest_step);
        quiet = world_.moved() == moved ? quiet + 1 : 0;
        moved = world_.moved();
        if (step > rest_steps_max) {
            world_.fail("nothing new is said, and still the world does not come to rest");
        }
    }
}

void Run::judge() {
    server_->check();
    for (const auto& person : people_) {
        person->check_settled();
    }
    for (const auto& echo : echoes_) {
        echo->check_done();
    }
    ledger_.check_leaves();
    world_.check_bytes();
    if (alive() &&
        world_.bytes_read() != server_->host().bytes_read + world_.bytes_read_of_refused()) {
        world_.fail("the daemon counts " + std::to_string(server_->host().bytes_read) +
                    " bytes read, it has read " + std::to_string(world_.bytes_read()));
    }
}

void Run::stop() {
    for (const auto& person : people_) {
        person->expect_stop();
    }
    for (const auto& echo : echoes_) {
        echo->expect_stop();
    }
    if (scenario_.drain_over == 0) {
        server_->stop();
    } else if (!server_->drain(std::chrono::nanoseconds(scenario_.drain_over))) {
        world_.fail("the daemon serves and cannot be drained");
    }
    if (scenario_.stop_twice) {
        for (const auto& person : people_) {
            person->excuse();
        }
        server_->stop();
        if (scenario_.drain_over != 0) { // the first one was for those who had time left
            server_->stop();
        }
    }
    over_ = false;
    world_.at(60 * second, *this, phase_over, 0);
    while (!over_ && alive() && !loop_->stopping()) {
        excuse_held();
        loop_->tick(std::nullopt);
    }
    if (over_ && alive()) {
        world_.fail("the daemon was stopped and does not end");
    }
}

void Run::live() {
    tick_until_phase(scenario_.active);
    if (alive() && !scenario_.stop_early) {
        rest();
        if (alive()) {
            judge();
        }
    }
    if (alive()) {
        stop();
    }
}

Verdict Run::play() {
    start();
    server_->open_listeners();
    invite();
    live();
    const Counters& counters = server_->counters();
    std::array<std::uint64_t, close_reason_count> closes = counters.closes;
    // Who finds no room is told so before it is a session.
    closes[static_cast<std::size_t>(CloseReason::full)] += counters.refused;
    server_.reset();
    loop_.reset();
    if (alive()) {
        for (const auto& person : people_) {
            person->settle(); // nobody takes 200 bytes a second of what is on its way for ever
        }
        world_.pass(120 * second);
        for (const auto& person : people_) {
            person->check_over();
        }
    }
    if (alive() && world_.open_descriptors() != 0) {
        world_.fail("descriptors are still open:" + world_.open_list());
    }
    return {world_.failure(), world_.digest(), world_.calls(),
            ledger_.size(),   people_.size(),  closes};
}

} // namespace

Verdict run_seed(std::uint64_t seed, bool trace) {
    Run run(seed, trace);
    return run.play();
}

} // namespace roomd::sim
