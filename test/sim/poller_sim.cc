#include "reactor/poller.h"

#include "test/sim/world.h"

namespace roomd {

// The world keeps the registrations: there is one poller in a run.
struct Poller::Impl {};

Poller::Poller() = default;
Poller::~Poller() = default;

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): the real one has a state
void Poller::add(int fd, Interest interest, Key key) {
    sim::World::current().add(fd, interest, key);
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): the real one has a state
void Poller::remove(int fd) noexcept {
    sim::World::current().remove(fd);
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): the real one has a state
std::span<const Edge> Poller::wait(std::optional<Duration> timeout) {
    return sim::World::current().wait(timeout);
}

std::string_view Poller::name() {
    return "sim";
}

} // namespace roomd
