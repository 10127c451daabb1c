#include "reactor/listener.h"

#include "reactor/sys.h"
#include "test/reactor/streams.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace roomd {

namespace {

using std::chrono::milliseconds;

constexpr std::string_view reason = "server full\n";

struct Door final : ListenerOwner {
    bool on_accept(Listener& /*listener*/, Fd fd, const SocketAddress& peer) override {
        CHECK(peer.length > 0);
        if (!welcoming) {
            ++sent_away;
            return false;
        }
        guests.push_back(std::move(fd));
        return true;
    }

    void on_refuse(Listener& /*listener*/, const Fd& fd, const SocketAddress& /*peer*/) override {
        ++refused;
        const iovec piece{const_cast<char*>(reason.data()), reason.size()}; // NOLINT: only read
        CHECK(sys::write_some(fd.get(), std::span(&piece, 1)).bytes == reason.size());
    }

    void on_accept_error(Listener& /*listener*/, int error) override { errors.push_back(error); }

    void on_accept_rate(Listener& /*listener*/) override { ++waits; }

    bool take_last(Listener& /*listener*/, Fd& fd, const SocketAddress& /*peer*/) override {
        if (!spare) {
            return false;
        }
        spare.reset();
        last = std::move(fd);
        return true;
    }

    std::vector<Fd> guests;
    bool welcoming = true;
    std::size_t sent_away = 0;
    std::size_t refused = 0;
    std::size_t waits = 0; // because more came in a second than may
    std::vector<int> errors;
    Fd spare; // given up for `last`
    Fd last;
};

/// The sanitizers verify an object's type at its first virtual call, for which they need a
/// descriptor: each kind of call is made once while there are some.
void make_each_call_once() {
    EventLoop loop;
    Door door;
    Listener listener(loop, sys::listen_stream(sys::resolve("127.0.0.1", 0, false).at(0), {}), 1,
                      door);
    Watcher& watcher = listener;
    Timed& timed = listener;
    ListenerOwner& owner = door;
    watcher.on_ready(Ready::readable);
    timed.on_timer({});
    auto [ours, theirs] = connected(Medium::unix_socket);
    const SocketAddress peer = sys::peer_address(theirs.get());
    owner.on_refuse(listener, ours, peer);
    owner.on_accept(listener, std::move(ours), peer);
    owner.on_accept_error(listener, 0);
}

/// No descriptor is to be had until end(), but for those freed on purpose.
class Drought {
public:
    Drought() {
        make_each_call_once();
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &saved_) == 0);
        const rlim_t lowest_free = static_cast<rlim_t>(sys::reserve_descriptor().get());
        const rlimit lowered{lowest_free + 8, saved_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &lowered) == 0);
        while (Fd filler = sys::reserve_descriptor()) {
            fillers_.push_back(std::move(filler));
        }
    }

    ~Drought() { end(); }

    Drought(const Drought&) = delete;
    Drought& operator=(const Drought&) = delete;
    Drought(Drought&&) = delete;
    Drought& operator=(Drought&&) = delete;

    void free_one() {
        REQUIRE_FALSE(fillers_.empty());
        fillers_.pop_back();
    }

    void end() {
        fillers_.clear();
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &saved_));
    }

private:
    rlimit saved_{};
    std::vector<Fd> fillers_;
};

/// A listener on loopback, and sockets that were made before the descriptors ran out.
struct Inn {
    explicit Inn(std::uint32_t accepts_per_tick_max = 128)
        : socket(sys::listen_stream(sys::resolve("127.0.0.1", 0, false).at(0), {})),
          address(sys::local_address(socket.get())), budget(accepts_per_tick_max) {}

    void open() { listener = std::make_unique<Listener>(loop, std::move(socket), budget, door); }

    void prepare(std::size_t count) {
        for (std::size_t index = 0; index < count; ++index) {
            callers.emplace_back(
                Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
            REQUIRE(callers.back().fd());
        }
    }

    void call(std::size_t index) {
        const auto* const to = reinterpret_cast<const sockaddr*>(&address.storage); // NOLINT
        const int status = ::connect(callers[index].fd().get(), to, address.length);
        REQUIRE((status == 0 || errno == EINPROGRESS));
        await(callers[index].fd(), POLLOUT);
    }

    template <typename Condition>
    bool until(Condition condition, Duration longest = std::chrono::seconds(3)) {
        const TimePoint deadline = sys::monotonic_now() + longest;
        while (!condition() && sys::monotonic_now() < deadline) {
            loop.tick(milliseconds(10));
        }
        return condition();
    }

    EventLoop loop;
    Door door;
    Fd socket;
    SocketAddress address;
    std::uint32_t budget;
    std::unique_ptr<Listener> listener;
    std::vector<Peer> callers;
};

} // namespace

TEST_CASE(
    "Listener: a backlog is drained in portions, without an edge for each and without sleep") {
    Inn inn(10);
    inn.prepare(95);
    for (std::size_t index = 0; index < 95; ++index) {
        inn.call(index);
    }
    inn.open(); // one edge for all of them
    for (std::size_t tick = 1; tick <= 10; ++tick) {
        const TimePoint before = sys::monotonic_now();
        inn.loop.tick(std::chrono::seconds(2));
        CHECK(sys::monotonic_now() - before < std::chrono::seconds(1));
        CHECK(inn.door.guests.size() == std::min<std::size_t>(tick * 10, 95));
    }
    inn.prepare(1);
    inn.call(95);
    CHECK(inn.until([&] { return inn.door.guests.size() == 96; }));
    CHECK(inn.door.refused == 0);
}

TEST_CASE(
    "Listener: without a descriptor it refuses with a reason, at rest, and then serves again") {
    Inn inn;
    inn.prepare(60);
    inn.open();
    Drought drought;
    for (std::size_t index = 0; index < 50; ++index) {
        inn.call(index);
    }
    CHECK(inn.until([&] { return inn.door.refused == 50; }));
    CHECK(inn.door.guests.empty());
    for (std::size_t index = 0; index < 50; ++index) {
        await(inn.callers[index].fd(), POLLIN);
        inn.callers[index].hear();
        CHECK(inn.callers[index].heard == reason);
        CHECK(inn.callers[index].ended);
    }
    // The shortage goes on, and nobody calls: the loop sleeps.
    const std::uint64_t ticks = inn.loop.ticks();
    const TimePoint end = sys::monotonic_now() + milliseconds(100);
    while (sys::monotonic_now() < end) {
        inn.loop.tick(milliseconds(50));
    }
    CHECK(inn.loop.ticks() - ticks <= 5);

    drought.free_one();
    inn.call(50);
    CHECK(inn.until([&] { return inn.door.guests.size() == 1; }));
    inn.call(51); // and that one was the last
    CHECK(inn.until([&] { return inn.door.refused == 51; }));
    drought.end();
    inn.call(52);
    CHECK(inn.until([&] { return inn.door.guests.size() == 2; }));
    CHECK(inn.door.errors.empty());
}

TEST_CASE(
    "Listener: without even a spare one it pauses, says so, and nobody in the backlog is lost") {
    Inn inn;
    inn.prepare(12);
    Drought drought;
    inn.open(); // it finds none to keep in reserve
    for (std::size_t index = 0; index < 10; ++index) {
        inn.call(index);
    }
    const std::uint64_t ticks = inn.loop.ticks();
    const TimePoint end = sys::monotonic_now() + milliseconds(150);
    while (sys::monotonic_now() < end) {
        inn.loop.tick(milliseconds(200));
    }
    CHECK(inn.loop.ticks() - ticks <= 10);
    CHECK(inn.door.errors.size() >= 1);
    CHECK(inn.door.errors.size() <= 10);
    CHECK(inn.door.errors.front() == EMFILE);

    SUBCASE("it tries again by itself") {
        drought.end();
        CHECK(inn.until([&] { return inn.door.guests.size() == 10; }, std::chrono::seconds(1)));
    }
    SUBCASE("it tries at once when it is told") {
        drought.end();
        inn.listener->resume();
        inn.loop.tick(Duration::zero());
        CHECK(inn.door.guests.size() == 10);
        inn.listener->resume(); // not pausing: nothing
        const TimePoint before = sys::monotonic_now();
        inn.loop.tick(milliseconds(20));
        CHECK(sys::monotonic_now() - before >= milliseconds(20));
    }
    SUBCASE("the first that becomes free is the spare one, so that all hear why") {
        drought.free_one();
        inn.listener->resume();
        CHECK(inn.until([&] { return inn.door.refused == 10; }));
    }
}

TEST_CASE("Listener: an owner that keeps a descriptor for it has one guest more, and only one") {
    Inn inn;
    inn.prepare(3);
    inn.door.spare = sys::reserve_descriptor();
    inn.open();
    const Drought drought;
    inn.call(0);
    CHECK(inn.until([&] { return static_cast<bool>(inn.door.last); }));
    CHECK(inn.door.refused == 0);
    inn.call(1); // the listener has its own spare again, and says why
    CHECK(inn.until([&] { return inn.door.refused == 1; }));
    inn.door.last.reset();
    inn.door.spare = sys::reserve_descriptor();
    inn.call(2);
    CHECK(inn.until([&] { return static_cast<bool>(inn.door.last); }));
    CHECK(inn.door.refused == 1);
    CHECK(inn.door.errors.empty());
}

TEST_CASE("Listener: above its rate guests wait in the backlog, nobody is refused or forgotten") {
    Inn inn;
    constexpr std::size_t count = 60;
    inn.prepare(count);
    for (std::size_t index = 0; index < count; ++index) {
        inn.call(index);
    }
    inn.open(); // one edge for all of them, and none to come
    inn.listener->set_accepts_per_second_max(100);
    const TimePoint begin = sys::monotonic_now();
    std::uint64_t ticks = inn.loop.ticks();
    inn.loop.tick(Duration::zero());
    const std::size_t at_once = inn.door.guests.size();
    CHECK(at_once >= 10); // a tenth of a second's
    CHECK(at_once <= 12);
    CHECK(inn.until([&] { return inn.door.guests.size() == count; }));
    const auto took = sys::monotonic_now() - begin;
    CHECK(took >= milliseconds(10 * static_cast<int>(count - at_once) - 20));
    CHECK(inn.loop.ticks() - ticks <= count + 10); // it slept between them
    CHECK(inn.door.waits > 0);
    CHECK(inn.door.refused == 0);
    ticks = inn.loop.ticks();
    inn.loop.tick(milliseconds(50)); // what was armed last finds nobody
    inn.loop.tick(milliseconds(50));
    CHECK(inn.loop.ticks() - ticks == 2);
}

TEST_CASE("Listener: whoever the owner sends away takes nothing of the rate from others") {
    Inn inn;
    constexpr std::size_t count = 60;
    inn.prepare(count + 1);
    for (std::size_t index = 0; index < count; ++index) {
        inn.call(index);
    }
    inn.open();
    inn.listener->set_accepts_per_second_max(10);
    inn.door.welcoming = false;
    inn.loop.tick(Duration::zero());
    CHECK(inn.door.sent_away == count);
    inn.door.welcoming = true;
    inn.call(count);
    inn.loop.tick(milliseconds(10));
    CHECK(inn.door.guests.size() == 1);
    CHECK(inn.door.waits == 0);
}

TEST_CASE("Listener: a rate that is raised or taken away lets those in who wait") {
    for (const std::uint32_t rate : {0U, 100'000U}) {
        Inn inn;
        inn.prepare(20);
        for (std::size_t index = 0; index < 20; ++index) {
            inn.call(index);
        }
        inn.open();
        inn.listener->set_accepts_per_second_max(1);
        inn.loop.tick(Duration::zero());
        inn.loop.tick(milliseconds(20));
        CHECK(inn.door.guests.size() <= 2);
        inn.listener->resume(); // of descriptors: that is not what it waits for
        inn.loop.tick(Duration::zero());
        CHECK(inn.door.guests.size() <= 2);
        inn.listener->set_accepts_per_second_max(rate);
        CHECK(inn.until([&] { return inn.door.guests.size() == 20; }, milliseconds(500)));
    }
}

TEST_CASE("Listener: a listening socket that broke is reported, and does not keep the loop busy") {
    for (const bool short_of_descriptors : {false, true}) {
        Inn inn;
        inn.open();
        inn.loop.tick(Duration::zero());
        std::unique_ptr<Drought> drought;
        if (short_of_descriptors) {
            drought = std::make_unique<Drought>();
        }
        REQUIRE(::shutdown(inn.listener->fd(), SHUT_RDWR) == 0); // accept(2): EINVAL from now on
        CHECK(inn.until([&] { return !inn.door.errors.empty(); }));
        const std::uint64_t ticks = inn.loop.ticks();
        const TimePoint end = sys::monotonic_now() + milliseconds(50);
        while (sys::monotonic_now() < end) {
            inn.loop.tick(milliseconds(50));
        }
        CHECK(inn.loop.ticks() - ticks <= 5);
        CHECK(inn.door.errors.front() == EINVAL);
        CHECK(inn.door.refused == 0);
    }
}

TEST_CASE("Listener: it takes its Unix socket file along, and leaves an inherited one's alone") {
    std::array<char, 32> name{"/tmp/roomd-listener-XXXXXX"};
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    const std::string path = std::string(name.data()) + "/sock";
    EventLoop loop;
    Door door;

    struct stat status {};

    for (const bool ours : {false, true}) {
        {
            const Listener listener(loop, sys::listen_stream(unix_address(path), {}), 10, door,
                                    ours ? UnixFile{path, sys::lock_beside(path)} : UnixFile{});
            const Fd caller = sys::connect_begin(unix_address(path));
            loop.tick(std::chrono::seconds(1));
            CHECK(door.guests.size() == (ours ? 2 : 1));
        }
        CHECK((::lstat(path.c_str(), &status) == 0) == !ours);
        sys::unlink_path(path);
        CHECK(loop.watched() == 0);
    }
    sys::unlink_path(path + ".lock");
    ::rmdir(name.data());
}

} // namespace roomd
