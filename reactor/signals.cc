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

// The leader of our session: the shell whose terminal this is, or ourselves.
std::atomic<pid_t> session_leader{-1}; // NOLINT: the same
static_assert(std::atomic<pid_t>::is_always_lock_free);

// Marks a SIGHUP in the pipe that may be about the terminal.
constexpr unsigned char by_terminal = 0x80;

// When a terminal goes, the kernel tells the leader of its session and the foreground job, and a
// shell passes it on to its other jobs. Neither is somebody's kill(1).
void on_signal_raised(int signal, siginfo_t* info, void* /*context*/) {
    const int fd = pipe_end.load(std::memory_order_relaxed);
    if (fd < 0) {
        return;
    }
    auto byte = static_cast<unsigned char>(signal);
    if (signal == SIGHUP &&
        (info->si_pid == 0 || info->si_pid == session_leader.load(std::memory_order_relaxed))) {
        byte |= by_terminal;
    }
    sys::write_byte(fd, byte);
}

struct sigaction ignoring() {
    struct sigaction action {};

    action.sa_handler = SIG_IGN;
    sigemptyset(&action.sa_mask);
    return action;
}

struct sigaction catching() {
    struct sigaction action {};

    action.sa_sigaction = &on_signal_raised;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    return action;
}

bool is_ignored(const struct sigaction& action) {
    return (static_cast<unsigned>(action.sa_flags) & static_cast<unsigned>(SA_SIGINFO)) == 0 &&
           action.sa_handler == SIG_IGN;
}

} // namespace

Signals::Signals(EventLoop& loop, std::initializer_list<int> signals, SignalOwner& owner)
    : loop_(&loop), owner_(&owner), had_terminal_(sys::has_terminal()) {
    assert(pipe_end.load() == -1);
    std::tie(read_end_, write_end_) = sys::make_pipe();
    key_ = loop.watch(read_end_.get(), Interest::read, *this);
    pipe_end.store(write_end_.get());
    session_leader.store(::getsid(0));
    const auto install = [this](int signal, const struct sigaction& action) {
        Saved saved{signal, {}};
        if (::sigaction(signal, &action, &saved.action) != 0) {
            throw std::system_error(errno, std::generic_category(), "sigaction");
        }
        saved_.push_back(saved);
    };
    try {
        install(SIGPIPE, ignoring());
        for (const int signal : signals) {
            install(signal, catching());
            if (is_ignored(saved_.back().action)) {
                static_cast<void>(::sigaction(signal, &saved_.back().action, nullptr));
                left_ignored_.push_back(signal);
            }
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
        saved.action = ignoring();
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
            const unsigned signal = raised[index] & ~unsigned{by_terminal};
            static_cast<void>(::kill(::getpid(), static_cast<int>(signal)));
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

// The terminal is asked, too: our session's leader may send SIGHUP by hand while it is open.
void Signals::tell(unsigned char raised) {
    const bool maybe_hangup = (raised & by_terminal) != 0;
    if (maybe_hangup && had_terminal_ && !sys::has_terminal()) {
        owner_->on_hangup();
        return;
    }
    owner_->on_signal(static_cast<int>(raised & ~unsigned{by_terminal}));
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
            tell(raised[index]);
        }
    }
}

} // namespace roomd
