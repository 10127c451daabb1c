#include "reactor/poller.h"

#include "reactor/fd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <system_error>

#include <sys/epoll.h>

namespace roomd {

namespace {

// Enough for a busy tick; more ready descriptors than this rotate through the next calls
// (epoll_wait(2)).
constexpr std::size_t batch_max = 512;

std::uint32_t events_of(Interest interest) {
    const std::uint32_t read = EPOLLIN | EPOLLRDHUP | EPOLLET;
    return interest == Interest::read ? read : read | EPOLLOUT;
}

Ready ready_of(std::uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        return Ready::both;
    }
    Ready ready = Ready::none;
    if ((events & (EPOLLIN | EPOLLRDHUP)) !=
        0) { // RDHUP: data may still be there, read finds the end
        ready = ready | Ready::readable;
    }
    if ((events & EPOLLOUT) != 0) {
        ready = ready | Ready::writable;
    }
    return ready;
}

int milliseconds_of(std::optional<Duration> timeout) {
    if (!timeout) {
        return -1;
    }
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
    return static_cast<int>(std::clamp<std::int64_t>(rounded, 0, std::numeric_limits<int>::max()));
}

} // namespace

struct Poller::Impl {
    Fd epoll;
    std::array<epoll_event, batch_max> events{};
    std::array<Edge, batch_max> edges{};
};

Poller::Poller() : impl_(std::make_unique<Impl>()) {
    impl_->epoll = Fd(::epoll_create1(EPOLL_CLOEXEC));
    if (!impl_->epoll) {
        throw std::system_error(errno, std::generic_category(), "epoll_create1");
    }
}

Poller::~Poller() = default;

void Poller::add(int fd, Interest interest, Key key) {
    epoll_event event{};
    event.events = events_of(interest);
    event.data.u64 = key.packed();
    if (::epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
}

void Poller::remove(int fd) noexcept {
    // The event argument is ignored but must not be null before Linux 2.6.9. Fails only for a
    // descriptor that was never added, which is a bug elsewhere that the next wait() would show.
    epoll_event unused{};
    ::epoll_ctl(impl_->epoll.get(), EPOLL_CTL_DEL, fd, &unused);
}

std::span<const Edge> Poller::wait(std::optional<Duration> timeout) {
    const auto size = static_cast<int>(impl_->events.size());
    int count =
        ::epoll_wait(impl_->epoll.get(), impl_->events.data(), size, milliseconds_of(timeout));
    if (count < 0 && errno == EINTR) {
        // Perhaps the process stood still (signal(7): SIGCONT): edges that came meanwhile must be
        // seen before the timers judge anybody.
        count = ::epoll_wait(impl_->epoll.get(), impl_->events.data(), size, 0);
    }
    if (count < 0) {
        if (errno == EINTR) {
            return {};
        }
        throw std::system_error(errno, std::generic_category(), "epoll_wait");
    }
    const auto ready = static_cast<std::size_t>(count);
    for (std::size_t index = 0; index < ready; ++index) {
        const epoll_event& event = impl_->events[index];
        impl_->edges[index] = {Key::unpacked(event.data.u64), ready_of(event.events)};
    }
    return {impl_->edges.data(), ready};
}

std::string_view Poller::name() {
    return "epoll";
}

} // namespace roomd
