#include "reactor/poller.h"

#include "reactor/fd.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/event.h>
#include <sys/time.h>
#include <sys/types.h>

namespace roomd {

namespace {

using Event = struct kevent; // the function of the same name hides the type
using Udata = decltype(Event::udata);

// A key must fit behind the kernel's pointer. NetBSD has an integer there, hence no pointer cast.
static_assert(sizeof(Udata) == sizeof(std::uint64_t));

// As many as an epoll batch: two filters a socket make it half as many sockets.
constexpr std::size_t batch_max = 512;

// macOS refuses a tv_sec above 10^8 with EINVAL; waking once a day for nothing costs nothing.
constexpr Duration timeout_max = std::chrono::hours(24);

// Field by field, not EV_SET: the macro's casts are not ours to silence.
template <typename Filter>
Event change(int fd, Filter filter, unsigned flags, Key key) {
    Event event{};
    event.ident = static_cast<decltype(event.ident)>(fd);
    event.filter = static_cast<decltype(event.filter)>(filter);
    event.flags = static_cast<decltype(event.flags)>(flags);
    event.udata = std::bit_cast<Udata>(key.packed());
    return event;
}

// With no room for answers, kevent(2) stops at the first change that fails and says so in errno.
int submit(int queue, std::span<const Event> changes) {
    return ::kevent(queue, changes.data(), static_cast<int>(changes.size()), nullptr, 0, nullptr);
}

// EV_EOF speaks for both directions, whichever filter brings it and whether or not fflags name an
// error: a refused connect and a peer that the kernel has given up come with it, and where one
// descriptor gives one edge for both filters (libkqueue is such a place) the other filter stays
// silent for good. A half-close is among them; then the edge for writing is one too many, which the
// contract allows. EV_ERROR as well: nobody else will speak of it.
Ready ready_of(const Event& event) {
    if ((event.flags & (EV_EOF | EV_ERROR)) != 0) {
        return Ready::both;
    }
    return event.filter == EVFILT_WRITE ? Ready::writable : Ready::readable;
}

timespec timespec_of(Duration timeout) {
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(
        std::clamp(timeout, Duration::zero(), timeout_max));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(rounded);
    timespec result{};
    result.tv_sec = static_cast<decltype(result.tv_sec)>(seconds.count());
    result.tv_nsec = static_cast<decltype(result.tv_nsec)>(Duration(rounded - seconds).count());
    return result;
}

} // namespace

struct Poller::Impl {
    Fd queue;
    std::array<Event, batch_max> events{};
    std::array<Edge, batch_max> edges{};
};

Poller::Poller() : impl_(std::make_unique<Impl>()) {
    impl_->queue = Fd(::kqueue());
    if (!impl_->queue) {
        throw std::system_error(errno, std::generic_category(), "kqueue");
    }
    // Not inherited by fork(2), but by an exec without one; there is no portable kqueue1().
    ::fcntl(impl_->queue.get(), F_SETFD, FD_CLOEXEC);
}

Poller::~Poller() = default;

void Poller::add(int fd, Interest interest, Key key) {
    const std::array<Event, 2> changes{change(fd, EVFILT_READ, EV_ADD | EV_CLEAR, key),
                                       change(fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, key)};
    const std::size_t filters = interest == Interest::read ? 1 : 2;
    if (submit(impl_->queue.get(), std::span(changes).first(filters)) == 0) {
        return;
    }
    // FreeBSD and macOS refuse the write filter of a pipe whose reader has gone. The read filter,
    // added before it, is in place and tells the end.
    if (errno != EPIPE) {
        throw std::system_error(errno, std::generic_category(), "kevent");
    }
}

void Poller::remove(int fd) noexcept {
    // Reading first: it is always there, and the first failure ends the call. ENOENT for the write
    // filter is what a descriptor with Interest::read answers.
    const std::array<Event, 2> changes{change(fd, EVFILT_READ, EV_DELETE, Key{}),
                                       change(fd, EVFILT_WRITE, EV_DELETE, Key{})};
    submit(impl_->queue.get(), changes);
}

std::span<const Edge> Poller::wait(std::optional<Duration> timeout) {
    const timespec limit = timespec_of(timeout.value_or(Duration::zero()));
    const timespec at_once{};
    const auto size = static_cast<int>(impl_->events.size());
    int count = ::kevent(impl_->queue.get(), nullptr, 0, impl_->events.data(), size,
                         timeout ? &limit : nullptr);
    if (count < 0 && errno == EINTR) {
        // Perhaps the process stood still: edges that came meanwhile must be seen before the timers
        // judge anybody.
        count = ::kevent(impl_->queue.get(), nullptr, 0, impl_->events.data(), size, &at_once);
    }
    if (count < 0) {
        if (errno == EINTR) {
            return {};
        }
        throw std::system_error(errno, std::generic_category(), "kevent");
    }
    std::size_t edges = 0;
    for (const Event& event : std::span(impl_->events).first(static_cast<std::size_t>(count))) {
        impl_->edges[edges] = {Key::unpacked(std::bit_cast<std::uint64_t>(event.udata)),
                               ready_of(event)};
        ++edges;
    }
    return {impl_->edges.data(), edges};
}

std::string_view Poller::name() {
    return "kqueue";
}

} // namespace roomd
