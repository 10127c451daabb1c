#include "reactor/signals.h"

#include "reactor/sys.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <system_error>
#include <vector>

#include <sys/time.h>
#include <unistd.h>

namespace roomd {

namespace {

struct Recorder final : SignalOwner {
    void on_signal(int signal) override { heard.push_back(signal); }

    std::vector<int> heard;
};

using Handler = void (*)(int);

bool is_handled_by(int signal, Handler handler) {
    struct sigaction action {};

    REQUIRE(::sigaction(signal, nullptr, &action) == 0);
    return action.sa_handler == handler;
}

void do_nothing(int /*signal*/) {}

void handle_by(int signal, Handler handler) {
    const bool done = std::signal(signal, handler) != SIG_ERR;
    REQUIRE(done);
}

void send_self(int signal) {
    const bool sent = ::raise(signal) == 0;
    REQUIRE(sent);
}

} // namespace

TEST_CASE("Signals: a signal is heard in the loop, not in the handler, and wakes it") {
    EventLoop loop;
    Recorder recorder;
    const Signals signals(loop, {SIGUSR1, SIGHUP}, recorder);
    send_self(SIGUSR1);
    CHECK(recorder.heard.empty());
    loop.tick(std::chrono::seconds(2));
    CHECK(recorder.heard == std::vector{SIGUSR1});
    send_self(SIGHUP);
    send_self(SIGUSR1);
    loop.tick(std::chrono::seconds(2));
    CHECK(recorder.heard == std::vector{SIGUSR1, SIGHUP, SIGUSR1});
}

TEST_CASE("Signals: a signal that interrupts the wait is not an error") {
    EventLoop loop;
    Recorder recorder;
    const Signals signals(loop, {SIGALRM}, recorder);
    const itimerval soon{{0, 0}, {0, 5000}};
    REQUIRE(::setitimer(ITIMER_REAL, &soon, nullptr) == 0);
    const TimePoint deadline = sys::monotonic_now() + std::chrono::seconds(3);
    while (recorder.heard.empty() && sys::monotonic_now() < deadline) {
        loop.tick(std::chrono::seconds(3)); // EINTR, then the pipe's edge
    }
    CHECK(recorder.heard == std::vector{SIGALRM});
}

TEST_CASE("Signals: a storm neither blocks nor is lost altogether") {
    EventLoop loop;
    Recorder recorder;
    const Signals signals(loop, {SIGUSR1, SIGUSR2}, recorder);
    for (int count = 0; count < 100'000; ++count) { // more than a pipe holds
        send_self(SIGUSR1);
    }
    loop.tick(std::chrono::seconds(2));
    CHECK(recorder.heard.size() >= 1);
    send_self(SIGUSR2);
    loop.tick(std::chrono::seconds(2));
    CHECK(recorder.heard.back() == SIGUSR2);
}

TEST_CASE("Signals: once the end has begun a late signal means nothing, afterwards too") {
    const Handler before = SIG_DFL;
    handle_by(SIGUSR1, before);
    {
        EventLoop loop;
        Recorder recorder;
        Signals signals(loop, {SIGUSR1}, recorder);
        signals.ignore_from_now();
        send_self(SIGUSR1);
        loop.tick(std::chrono::milliseconds(10));
        CHECK(recorder.heard.empty());
    }
    CHECK(is_handled_by(SIGUSR1, SIG_IGN));
    send_self(SIGUSR1); // by default it would end this process
    handle_by(SIGUSR1, before);
}

TEST_CASE("Signals: writing to a peer that is gone does not end the process") {
    EventLoop loop;
    Recorder recorder;
    const Signals signals(loop, {}, recorder);
    CHECK(is_handled_by(SIGPIPE, SIG_IGN));
    auto [read_end, write_end] = sys::make_pipe();
    read_end.reset();
    CHECK(::write(write_end.get(), "x", 1) == -1);
}

TEST_CASE("Signals: the old handlers are back when it goes") {
    handle_by(SIGUSR1, &do_nothing);
    handle_by(SIGPIPE, SIG_DFL);
    for (int round = 0; round < 2; ++round) { // one after the other is allowed
        EventLoop loop;
        Recorder recorder;
        {
            const Signals signals(loop, {SIGUSR1}, recorder);
            CHECK_FALSE(is_handled_by(SIGUSR1, &do_nothing));
        }
        CHECK(is_handled_by(SIGUSR1, &do_nothing));
        CHECK(is_handled_by(SIGPIPE, SIG_DFL));
        CHECK(loop.watched() == 0);
        send_self(SIGUSR1);
        loop.tick(Duration::zero());
        CHECK(recorder.heard.empty());
    }
    handle_by(SIGUSR1, SIG_DFL);
}

TEST_CASE("Signals: one that cannot be caught is an error that leaves nothing behind") {
    EventLoop loop;
    Recorder recorder;
    CHECK_THROWS_AS(Signals(loop, {SIGUSR1, SIGKILL}, recorder), std::system_error);
    CHECK(loop.watched() == 0);
    CHECK(is_handled_by(SIGUSR1, SIG_DFL));
    const Signals signals(loop, {SIGUSR1}, recorder); // the place is free
    send_self(SIGUSR1);
    loop.tick(std::chrono::seconds(2));
    CHECK(recorder.heard.size() == 1);
}

TEST_CASE("Signals: what nobody has heard of yet waits for whoever lets it in next") {
    EventLoop loop;
    Recorder recorder;
    Signals signals(loop, {SIGUSR1, SIGHUP}, recorder);
    send_self(SIGHUP); // in the pipe, and the loop has not looked
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGHUP);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &both, nullptr) == 0);
    send_self(SIGUSR1); // and this one has to wait itself
    signals.raise_unheard();
    loop.tick(Duration::zero());
    CHECK(recorder.heard.empty());
    sigset_t waiting;
    REQUIRE(::sigpending(&waiting) == 0);
    CHECK(sigismember(&waiting, SIGHUP) == 1);
    CHECK(sigismember(&waiting, SIGUSR1) == 1);
    REQUIRE(::pthread_sigmask(SIG_UNBLOCK, &both, nullptr) == 0);
    loop.tick(std::chrono::seconds(1));
    CHECK(recorder.heard.size() == 2);
}

TEST_CASE("Signals: a signal that was ignored before stays ignored") {
    handle_by(SIGHUP, SIG_IGN);
    {
        EventLoop loop;
        Recorder recorder;
        const Signals signals(loop, {SIGHUP, SIGUSR1}, recorder);
        CHECK(signals.left_ignored() == std::vector{SIGHUP});
        send_self(SIGHUP);
        send_self(SIGUSR1);
        loop.tick(std::chrono::seconds(2));
        CHECK(recorder.heard == std::vector{SIGUSR1});
    }
    CHECK(is_handled_by(SIGHUP, SIG_IGN));
    handle_by(SIGHUP, SIG_DFL);
}

} // namespace roomd
