#include "reactor/event_loop.h"

#include "reactor/fd.h"
#include "reactor/sys.h"
#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace roomd {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Counts its calls and does what it was told to.
struct Probe final : Watcher {
    void on_ready(Ready ready) override {
        calls.push_back(ready);
        if (act) {
            act();
        }
    }

    std::vector<Ready> calls;
    std::function<void()> act;
};

struct Alarm final : Timed {
    void on_timer(TimerKey key) override {
        fired.push_back(key);
        if (act) {
            act();
        }
    }

    std::vector<TimerKey> fired;
    std::function<void()> act;
};

struct Hook final : TickEnd {
    Activity on_tick_end() override {
        ++calls;
        return answer;
    }

    int calls = 0;
    Activity answer = Activity::idle;
};

/// A pipe whose read end is watched.
struct Pipe {
    Pipe() : Pipe(sys::make_pipe()) {}

    explicit Pipe(std::pair<Fd, Fd> ends)
        : read(std::move(ends.first)), write(std::move(ends.second)) {}

    void poke() const { sys::write_byte(write.get(), '!'); }

    Fd read;
    Fd write;
    Probe probe;
    Key key;
};

std::vector<std::unique_ptr<Pipe>> watched_pipes(EventLoop& loop, std::size_t count) {
    std::vector<std::unique_ptr<Pipe>> pipes;
    for (std::size_t index = 0; index < count; ++index) {
        pipes.push_back(std::make_unique<Pipe>());
        pipes.back()->key =
            loop.watch(pipes.back()->read.get(), Interest::read, pipes.back()->probe);
    }
    return pipes;
}

/// How long a tick that may wait five seconds takes: a lost wake-up is a failure, not a hang.
Duration tick_time(EventLoop& loop) {
    const TimePoint before = sys::monotonic_now();
    loop.tick(seconds(5));
    return sys::monotonic_now() - before;
}

constexpr Duration at_once = seconds(1);

/// Of `count` watchers with work in one batch, the one called at place `actor` forgets the
/// `victim`-th of those not yet called, and a stranger takes its slot and its descriptor.
class Takeover {
public:
    Takeover(std::size_t count, std::size_t actor, std::size_t victim)
        : pipes_(watched_pipes(loop_, count)), actor_(actor), victim_(victim) {
        for (const auto& pipe : pipes_) {
            pipe->probe.act = [this] { called(); };
        }
    }

    void raise_edges() {
        for (const auto& pipe : pipes_) {
            pipe->poke();
        }
        loop_.tick(seconds(1));
        verify();
    }

    void raise_requeued() {
        for (const auto& pipe : pipes_) {
            loop_.again(pipe->key, Ready::readable);
        }
        loop_.tick(seconds(1));
        verify();
    }

private:
    void called() {
        if (calls_++ != actor_) {
            return;
        }
        std::size_t left = victim_;
        for (const auto& pipe : pipes_) {
            if (pipe->probe.calls.empty() && left-- == 0) {
                replace(*pipe);
                return;
            }
        }
    }

    void replace(Pipe& old) {
        forgotten_ = &old;
        const int fd = old.read.get();
        loop_.forget(old.key, fd);
        REQUIRE(::dup2(stranger_.read.get(), fd) == fd); // closes the old one
        stranger_.key = loop_.watch(fd, Interest::read, stranger_.probe);
        CHECK(stranger_.key.slot == old.key.slot);
        CHECK(stranger_.key != old.key);
    }

    void verify() {
        REQUIRE(forgotten_ != nullptr);
        for (const auto& pipe : pipes_) {
            REQUIRE(pipe->probe.calls.size() == (pipe.get() == forgotten_ ? 0 : 1));
        }
        REQUIRE(stranger_.probe.calls.empty());
        stranger_.poke();
        loop_.tick(seconds(1));
        REQUIRE(stranger_.probe.calls.size() == 1); // its own edge reaches it
        REQUIRE(loop_.watched() == pipes_.size());
    }

    EventLoop loop_;
    std::vector<std::unique_ptr<Pipe>> pipes_;
    Pipe stranger_;
    Pipe* forgotten_ = nullptr;
    std::size_t actor_;
    std::size_t victim_;
    std::size_t calls_ = 0;
};

} // namespace

TEST_CASE("EventLoop: an edge never reaches the next tenant of a slot and descriptor") {
    for (std::size_t count = 2; count <= 8; ++count) {
        for (std::size_t actor = 0; actor + 1 < count; ++actor) {
            for (std::size_t victim = 0; actor + victim + 1 < count; ++victim) {
                CAPTURE(count);
                CAPTURE(actor);
                CAPTURE(victim);
                Takeover(count, actor, victim).raise_edges();
                Takeover(count, actor, victim).raise_requeued();
            }
        }
    }
}

TEST_CASE("EventLoop: an edge is told once, and the next one only when something new has come") {
    EventLoop loop;
    const auto pipes = watched_pipes(loop, 1);
    pipes[0]->poke();
    loop.tick(seconds(1));
    CHECK(pipes[0]->probe.calls == std::vector{Ready::readable});
    loop.tick(Duration::zero());
    CHECK(pipes[0]->probe.calls.size() == 1);
    pipes[0]->poke();
    loop.tick(seconds(1));
    CHECK(pipes[0]->probe.calls.size() == 2);
}

TEST_CASE("EventLoop: what is there already when watching begins counts as an edge") {
    EventLoop loop;
    Pipe pipe;
    pipe.poke();
    static_cast<void>(loop.watch(pipe.read.get(), Interest::read, pipe.probe));
    loop.tick(seconds(1));
    CHECK(pipe.probe.calls.size() == 1);
}

TEST_CASE("EventLoop: again() calls in the next tick, once, with all bits asked for") {
    EventLoop loop;
    const auto pipes = watched_pipes(loop, 1);
    Probe& probe = pipes[0]->probe;
    loop.again(pipes[0]->key, Ready::readable);
    loop.again(pipes[0]->key, Ready::writable);
    loop.again(pipes[0]->key, Ready::readable);
    CHECK(probe.calls.empty());
    CHECK(tick_time(loop) < at_once);
    CHECK(probe.calls == std::vector{Ready::both});
    loop.tick(Duration::zero());
    CHECK(probe.calls.size() == 1);
}

TEST_CASE("EventLoop: what is requeued during a tick waits for the next, also beside an edge") {
    EventLoop loop;
    const auto pipes = watched_pipes(loop, 1);
    Probe& probe = pipes[0]->probe;
    const Key key = pipes[0]->key;
    probe.act = [&] { loop.again(key, Ready::writable); };
    loop.again(key, Ready::readable);
    pipes[0]->poke();
    loop.tick(seconds(1));
    CHECK(probe.calls == std::vector{Ready::readable, Ready::readable}); // the edge and the old one
    probe.act = nullptr;
    CHECK(tick_time(loop) < at_once);
    CHECK(probe.calls.size() == 3);
    CHECK(probe.calls.back() == Ready::writable);
}

TEST_CASE(
    "EventLoop: a watcher that requeues itself for ever does not keep the others from edges") {
    EventLoop loop;
    const auto pipes = watched_pipes(loop, 2);
    pipes[0]->probe.act = [&] { loop.again(pipes[0]->key, Ready::readable); };
    loop.again(pipes[0]->key, Ready::readable);
    for (std::size_t round = 1; round <= 100; ++round) {
        pipes[1]->poke();
        CHECK(tick_time(loop) < at_once);
        CHECK(pipes[0]->probe.calls.size() == round);
        CHECK(pipes[1]->probe.calls.size() == round);
    }
}

TEST_CASE("EventLoop: what was requeued and then forgotten is not called") {
    EventLoop loop;
    const auto pipes = watched_pipes(loop, 1);
    loop.again(pipes[0]->key, Ready::readable);
    loop.forget(pipes[0]->key, pipes[0]->read.get());
    loop.forget(pipes[0]->key, pipes[0]->read.get());
    loop.again(pipes[0]->key, Ready::readable);
    loop.tick(Duration::zero());
    loop.tick(Duration::zero());
    CHECK(pipes[0]->probe.calls.empty());
    CHECK(loop.watched() == 0);
}

TEST_CASE("EventLoop: a watcher may forget itself, and watch others, from its own call") {
    EventLoop loop;
    auto pipes = watched_pipes(loop, 1);
    std::vector<std::unique_ptr<Pipe>> more;
    pipes[0]->probe.act = [&] {
        loop.forget(pipes[0]->key, pipes[0]->read.get());
        more = watched_pipes(loop, 100); // moves the table of watchers
    };
    pipes[0]->poke();
    loop.tick(seconds(1));
    CHECK(loop.watched() == 100);
    for (const auto& pipe : more) {
        pipe->poke();
    }
    loop.tick(seconds(1));
    CHECK(
        std::ranges::all_of(more, [](const auto& pipe) { return pipe->probe.calls.size() == 1; }));
}

TEST_CASE("EventLoop: more watchers ready than fit in one batch are all heard") {
    REQUIRE(sys::raise_descriptor_limit() >= 2048);
    EventLoop loop;
    std::vector<std::unique_ptr<Pipe>> pipes = watched_pipes(loop, 450);
    std::vector<Probe> twins(450);
    std::vector<Fd> copies;
    for (std::size_t index = 0; index < pipes.size(); ++index) {
        // A duplicate is one more registration of the same pipe.
        copies.emplace_back(::dup(pipes[index]->read.get()));
        REQUIRE(copies.back());
        static_cast<void>(loop.watch(copies.back().get(), Interest::read, twins[index]));
        pipes[index]->poke();
    }
    loop.tick(seconds(1));
    loop.tick(seconds(1));
    CHECK(
        std::ranges::all_of(pipes, [](const auto& pipe) { return pipe->probe.calls.size() == 1; }));
    CHECK(std::ranges::all_of(twins, [](const Probe& probe) { return probe.calls.size() == 1; }));
}

TEST_CASE("EventLoop: a busy hook keeps the next tick from sleeping, an idle one does not") {
    EventLoop loop;
    Hook hook;
    loop.at_tick_end(hook);
    hook.answer = Activity::busy;
    loop.tick(Duration::zero());
    CHECK(tick_time(loop) < at_once);
    CHECK(hook.calls == 2);
    hook.answer = Activity::idle;
    loop.tick(Duration::zero());
    const TimePoint before = sys::monotonic_now();
    loop.tick(milliseconds(20));
    CHECK(sys::monotonic_now() - before >= milliseconds(20));
    CHECK(hook.calls == 4);
}

TEST_CASE("EventLoop: timers fire in order, not early, and in the tick their time has come") {
    EventLoop loop;
    Alarm late;
    Alarm early;
    Alarm never;
    std::vector<int> order;
    early.act = [&] { order.push_back(1); };
    late.act = [&] { order.push_back(2); };
    loop.tick(Duration::zero());
    const TimePoint start = loop.now();
    static_cast<void>(loop.after(milliseconds(12), late));
    static_cast<void>(loop.after(milliseconds(4), early));
    const TimerKey cancelled = loop.after(milliseconds(6), never);
    loop.cancel(cancelled);
    while (early.fired.empty()) {
        CHECK(tick_time(loop) < at_once);
    }
    CHECK(loop.now() - start >= milliseconds(4));
    while (late.fired.empty()) {
        CHECK(tick_time(loop) < at_once);
    }
    CHECK(loop.now() - start >= milliseconds(12));
    CHECK(order == std::vector{1, 2});
    CHECK(never.fired.empty());
    CHECK(loop.ticks() < 20); // it slept in between
}

TEST_CASE("EventLoop: a negative delay is no delay") {
    EventLoop loop;
    Alarm alarm;
    static_cast<void>(loop.after(milliseconds(-5), alarm));
    CHECK(tick_time(loop) < at_once);
    CHECK(alarm.fired.size() == 1);
}

TEST_CASE("EventLoop: a herd of timers fires in portions, with edges in between and no sleep") {
    EventLoop loop;
    Alarm alarm;
    const auto pipes = watched_pipes(loop, 1);
    constexpr std::size_t portion = 256;
    for (std::size_t index = 0; index < 2 * portion + 100; ++index) {
        static_cast<void>(loop.after(Duration::zero(), alarm));
    }
    for (std::size_t tick = 1; tick <= 3; ++tick) {
        CHECK(alarm.fired.size() < tick * portion);
        pipes[0]->poke();
        CHECK(tick_time(loop) < at_once);
        CHECK(pipes[0]->probe.calls.size() == tick);
        CHECK(alarm.fired.size() <= tick * portion);
    }
    CHECK(alarm.fired.size() == 2 * portion + 100);
}

TEST_CASE("EventLoop: the clock stands still within a tick") {
    EventLoop loop;
    const auto pipes = watched_pipes(loop, 2);
    std::vector<TimePoint> seen;
    for (const auto& pipe : pipes) {
        pipe->probe.act = [&] {
            seen.push_back(loop.now());
            const TimePoint from = sys::monotonic_now();
            while (sys::monotonic_now() == from) {
            }
        };
        pipe->poke();
    }
    loop.tick(seconds(1));
    REQUIRE(seen.size() == 2);
    CHECK(seen[0] == seen[1]);
}

TEST_CASE("EventLoop: run() ends after the tick in which stop() was called") {
    EventLoop loop;
    Hook hook;
    Alarm alarm;
    loop.at_tick_end(hook);
    alarm.act = [&] { loop.stop(); };
    static_cast<void>(loop.after(milliseconds(1), alarm));
    loop.run();
    CHECK(alarm.fired.size() == 1);
    CHECK(hook.calls == static_cast<int>(loop.ticks()));
}

TEST_CASE("EventLoop: a descriptor that cannot be watched leaves nothing behind") {
    EventLoop loop;
    Probe probe;
    const Fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    REQUIRE(file);
    CHECK_THROWS_AS(static_cast<void>(loop.watch(file.get(), Interest::read, probe)),
                    std::system_error);
    CHECK(loop.watched() == 0);
}

TEST_CASE("EventLoop: it never sleeps while something is requeued, whatever else happens") {
    EventLoop loop;
    sim::Random random(10);
    auto pipes = watched_pipes(loop, 16);
    std::size_t calls = 0;
    for (std::size_t index = 0; index < pipes.size(); ++index) {
        pipes[index]->probe.act = [&] {
            ++calls;
            if (random.one_in(3)) {
                loop.again(pipes[random.below(16)]->key, Ready::readable);
            }
            if (random.one_in(10)) {
                Pipe& other = *pipes[random.below(16)];
                loop.forget(other.key, other.read.get());
                other.key = loop.watch(other.read.get(), Interest::read, other.probe);
                loop.again(other.key, Ready::readable);
            }
        };
    }
    for (int step = 0; step < 5000; ++step) {
        const std::size_t chosen = random.below(16);
        loop.again(pipes[chosen]->key, Ready::readable);
        const std::size_t before = calls;
        const std::size_t own = pipes[chosen]->probe.calls.size();
        REQUIRE(tick_time(loop) < at_once);
        REQUIRE(calls > before);
        CHECK(pipes[chosen]->probe.calls.size() <= own + 1);
    }
}

} // namespace roomd
