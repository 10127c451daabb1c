#include "reactor/signals.h"

#include "reactor/sys.h"

#include <array>
#include <atomic>
#include <cassert>
#include <csignal>
#include <system_error>

#include <unistd.h>

namespace roomd {

namespace {

// The one thing a handler can reach. -1: nobody listens.
std::atomic<int> pipe_end{-1}; // NOLINT: handlers have no argument to carry it
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal_raised(int signal) {
    const int fd = pipe_end.load(std::memory_order_relaxed);
    if (fd >= 0) {
        sys::write_byte(fd, static_cast<unsigned char>(signal));
    }
}

struct sigaction action_of(void (*handler)(int)) {
    struct sigaction action {};

    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    return action;
}

} // namespace

Signals::Signals(EventLoop& loop, std::initializer_list<int> signals, SignalOwner& owner)
    : loop_(&loop), owner_(&owner) {
    assert(pipe_end.load() == -1);
    std::tie(read_end_, write_end_) = sys::make_pipe();
    key_ = loop.watch(read_end_.get(), Interest::read, *this);
    pipe_end.store(write_end_.get());
    const auto install = [this](int signal, const struct sigaction& action) {
        Saved saved{signal, {}};
        if (::sigaction(signal, &action, &saved.action) != 0) {
            throw std::system_error(errno, std::generic_category(), "sigaction");
        }
        saved_.push_back(saved);
    };
    try {
        install(SIGPIPE, action_of(SIG_IGN));
        for (const int signal : signals) {
            install(signal, action_of(&on_signal_raised));
        }
    } catch (...) {
        withdraw();
        throw;
    }
}

Signals::~Signals() {
    withdraw();
}

void Signals::ignore_from_now() noexcept {
    for (Saved& saved : saved_) {
        saved.action = action_of(SIG_IGN);
        static_cast<void>(::sigaction(saved.signal, &saved.action, nullptr));
    }
}

void Signals::raise_unheard() {
    std::array<unsigned char, 64> raised{};
    const iovec piece{raised.data(), raised.size()};
    while (true) {
        const IoResult result = sys::read_some(read_end_.get(), std::span(&piece, 1));
        if (result.status != IoStatus::ok) {
            return;
        }
        for (std::size_t index = 0; index < result.bytes; ++index) {
            static_cast<void>(::kill(::getpid(), raised[index]));
        }
    }
}

void Signals::withdraw() noexcept {
    for (const Saved& saved : saved_) {
        static_cast<void>(::sigaction(saved.signal, &saved.action, nullptr));
    }
    pipe_end.store(-1);
    loop_->forget(key_, read_end_.get());
}

void Signals::on_ready(Ready /*ready*/) {
    std::array<unsigned char, 64> raised{};
    while (true) {
        const iovec piece{raised.data(), raised.size()};
        const IoResult result = sys::read_some(read_end_.get(), std::span(&piece, 1));
        if (result.status != IoStatus::ok) {
            return;
        }
        for (std::size_t index = 0; index < result.bytes; ++index) {
            owner_->on_signal(raised[index]);
        }
    }
}

} // namespace roomd
