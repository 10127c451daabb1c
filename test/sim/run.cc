#include "test/sim/run.h"

#include "daemon/server.h"
#include "test/sim/echo_client.h"
#include "test/sim/scenario.h"
#include "test/sim/vandal.h"

#include <memory>
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
    enum What : std::uint32_t { phase_over, shortage_begins, shortage_ends, datagram, failed };

    void on_event(std::uint32_t what, std::uint64_t argument) override;
    void invite();
    void live(Server& server, EventLoop& loop);
    void tick_until_phase(Server& server, EventLoop& loop, Instant length);
    void rest(Server& server, EventLoop& loop);
    void judge(Server& server);
    void stop(Server& server, EventLoop& loop);

    [[nodiscard]] bool alive() const { return world_.failure().empty(); }

    Random random_;
    Scenario scenario_;
    World world_;
    Ledger ledger_;
    EventLoop* loop_ = nullptr;
    std::vector<std::unique_ptr<ChatClient>> people_;
    std::vector<std::unique_ptr<Vandal>> vandals_;
    std::vector<std::unique_ptr<EchoClient>> echoes_;
    std::vector<std::uint32_t> datagrams_; // tokens
    bool over_ = false;
    std::uint64_t ticks_ = 0;
};

Run::Run(std::uint64_t seed, bool trace)
    : random_(seed), scenario_(draw_scenario(random_)), world_(seed, scenario_.faults, trace),
      ledger_(world_) {
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
}

void Run::tick_until_phase(Server& server, EventLoop& loop, Instant length) {
    over_ = false;
    world_.at(length, *this, phase_over, 0);
    // One tick may say more before the tick's end brings it back under the limit.
    const std::uint64_t pinned_bound = scenario_.config.limits.pinned_bytes_max + pinned_slack;
    while (!over_ && alive()) {
        loop.tick(std::nullopt);
        if (++ticks_ % 64 == 0 && people_.size() < 100) {
            server.check();
        }
        if (server.bytes_pinned() > pinned_bound) {
            world_.fail("queues and runs hold " + std::to_string(server.bytes_pinned()) +
                        " bytes, allowed are " + std::to_string(pinned_bound));
        }
    }
}

void Run::rest(Server& server, EventLoop& loop) {
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
        tick_until_phase(server, loop, rest_step);
        quiet = world_.moved() == moved ? quiet + 1 : 0;
        moved = world_.moved();
        if (step > rest_steps_max) {
            world_.fail("nothing new is said, and still the world does not come to rest");
        }
    }
}

void Run::judge(Server& server) {
    server.check();
    for (const auto& person : people_) {
        person->check_settled();
    }
    for (const auto& echo : echoes_) {
        echo->check_done();
    }
    ledger_.check_leaves();
    world_.check_bytes();
    if (alive() &&
        world_.bytes_read() != server.host().bytes_read + world_.bytes_read_of_refused()) {
        world_.fail("the daemon counts " + std::to_string(server.host().bytes_read) +
                    " bytes read, it has read " + std::to_string(world_.bytes_read()));
    }
}

void Run::stop(Server& server, EventLoop& loop) {
    for (const auto& person : people_) {
        person->expect_stop();
    }
    for (const auto& echo : echoes_) {
        echo->expect_stop();
    }
    server.stop();
    if (scenario_.stop_twice) {
        for (const auto& person : people_) {
            person->excuse();
        }
        server.stop();
    }
    over_ = false;
    world_.at(60 * second, *this, phase_over, 0);
    while (!over_ && alive() && !loop.stopping()) {
        loop.tick(std::nullopt);
    }
    if (over_ && alive()) {
        world_.fail("the daemon was stopped and does not end");
    }
}

void Run::live(Server& server, EventLoop& loop) {
    tick_until_phase(server, loop, scenario_.active);
    if (alive() && !scenario_.stop_early) {
        rest(server, loop);
        if (alive()) {
            judge(server);
        }
    }
    if (alive()) {
        stop(server, loop);
    }
}

Verdict Run::play() {
    {
        EventLoop loop;
        loop_ = &loop;
        Log log(LogFormat::text, LogLevel::debug, 0);
        Server server(loop, scenario_.config, log);
        server.open_listeners();
        invite();
        live(server, loop);
    }
    loop_ = nullptr;
    if (alive()) {
        world_.pass(120 * second);
        for (const auto& person : people_) {
            person->check_over();
        }
    }
    if (alive() && world_.open_descriptors() != 0) {
        world_.fail("descriptors are still open:" + world_.open_list());
    }
    return {world_.failure(), world_.digest(), world_.calls(), ledger_.size(), people_.size()};
}

} // namespace

Verdict run_seed(std::uint64_t seed, bool trace) {
    Run run(seed, trace);
    return run.play();
}

} // namespace roomd::sim
