// StreamWorld — a loop with what streams share, an owner that writes down all it hears, and the
// other ends of the connections, driven by hand on the same thread.
//
// Nothing here waits for a time to pass: until() ticks until a condition holds, and gives up after
// a few seconds so that a lost edge is a failed test and not a hang.
#pragma once

#include "reactor/arena.h"
#include "reactor/event_loop.h"
#include "reactor/fd.h"
#include "reactor/flush_list.h"
#include "reactor/stream.h"
#include "reactor/sys.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace roomd {

enum class Medium { unix_socket, tcp };
inline constexpr std::array media{Medium::unix_socket, Medium::tcp};

inline void set_socket_option(const Fd& fd, int name, int value) {
    REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, name, &value, sizeof value) == 0);
}

/// Blocks until `fd` is ready for `events`; for the few places where the kernel needs a moment.
inline void await(const Fd& fd, short events) {
    pollfd entry{fd.get(), events, 0};
    REQUIRE(::poll(&entry, 1, 2000) == 1);
}

/// Two connected non-blocking sockets.
inline std::pair<Fd, Fd> connected(Medium medium) {
    if (medium == Medium::unix_socket) {
        std::array<int, 2> ends{};
        constexpr int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
        REQUIRE(::socketpair(AF_UNIX, type, 0, ends.data()) == 0);
        return {Fd(ends[0]), Fd(ends[1])};
    }
    const Fd listener = sys::listen_stream(sys::resolve("127.0.0.1", 0, false).at(0), {});
    Fd client = sys::connect_begin(sys::local_address(listener.get()));
    await(listener, POLLIN);
    sys::AcceptResult accepted = sys::accept_one(listener.get());
    REQUIRE(accepted.status == sys::AcceptStatus::ok);
    await(client, POLLOUT);
    return {std::move(accepted.fd), std::move(client)};
}

/// The other end of a stream.
class Peer {
public:
    explicit Peer(Fd fd) : fd_(std::move(fd)) {}

    /// Says as much as the kernel takes; returns how many bytes that was.
    std::size_t say(std::string_view text) {
        std::size_t said = 0;
        while (fd_ && said < text.size()) {
            const ssize_t step =
                ::send(fd_.get(), text.data() + said, text.size() - said, MSG_NOSIGNAL);
            if (step <= 0) {
                break;
            }
            said += static_cast<std::size_t>(step);
        }
        return said;
    }

    /// Takes in what has come, at most `bytes_max`.
    void hear(std::size_t bytes_max = SIZE_MAX) {
        std::array<char, 4096> buffer{};
        while (fd_ && !ended && !reset && bytes_max > 0) {
            const ssize_t step =
                ::recv(fd_.get(), buffer.data(), std::min(buffer.size(), bytes_max), 0);
            if (step < 0) {
                reset = errno != EAGAIN;
                return;
            }
            ended = step == 0;
            heard.append(buffer.data(), static_cast<std::size_t>(step));
            bytes_max -= static_cast<std::size_t>(step);
        }
    }

    void finish() { sys::shutdown_write(fd_.get()); }

    void close() { fd_.reset(); }

    /// Goes without a word: over TCP the connection is reset.
    void vanish() {
        const linger at_once{1, 0};
        if (fd_) {
            ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        fd_.reset();
    }

    [[nodiscard]] const Fd& fd() const { return fd_; }

    std::string heard;
    bool ended = false;
    bool reset = false;

private:
    Fd fd_;
};

/// Writes down what it hears, and does what it was told to instead of the usual.
class StreamEar final : public StreamOwner {
public:
    void on_input(Stream& stream) override {
        CHECK(closed.empty());
        ++inputs;
        if (input_act) {
            input_act(stream);
        } else {
            take_all(stream);
        }
    }

    void on_end_of_input(Stream& stream) override {
        CHECK(closed.empty());
        ++ends_of_input;
        if (end_act) {
            end_act(stream);
        }
    }

    void write_notice(Stream& /*stream*/, const std::vector<Lost>& lost,
                      std::string& out) override {
        CHECK(closed.empty());
        CHECK(out.empty());
        ++notices;
        for (const Lost& one : lost) {
            out += "<" + std::to_string(one.first) + "-" + std::to_string(one.last) + " " +
                   std::to_string(one.count) + ">";
        }
    }

    void on_flushed(Stream& stream) override {
        CHECK(closed.empty());
        ++flushes;
        if (flushed_act) {
            flushed_act(stream);
        }
    }

    void on_closed(Stream& stream, StreamEnd end) override {
        CHECK(stream.closed());
        stream.check();
        closed.push_back(end);
        if (closed_act) {
            closed_act(stream);
        }
    }

    void take_all(Stream& stream) {
        heard += stream.input().readable();
        stream.input().consume(stream.input().size());
    }

    /// Closed exactly once, and so.
    [[nodiscard]] bool closed_as(StreamEnd end) const { return closed == std::vector{end}; }

    std::string heard;
    int inputs = 0;
    int ends_of_input = 0;
    int notices = 0;
    int flushes = 0;
    std::vector<StreamEnd> closed;
    std::function<void(Stream&)> input_act;
    std::function<void(Stream&)> end_act;
    std::function<void(Stream&)> flushed_act;
    std::function<void(Stream&)> closed_act;
};

class StreamWorld final : public TickEnd {
public:
    StreamWorld() { loop.at_tick_end(*this); }

    Activity on_tick_end() override { return flush_list.flush_some(flush_cost_max); }

    /// Ticks without ever sleeping longer than a moment; false when it was in vain.
    template <typename Condition>
    [[nodiscard]] bool until(Condition condition) {
        const TimePoint deadline = sys::monotonic_now() + std::chrono::seconds(3);
        while (!condition()) {
            if (sys::monotonic_now() > deadline) {
                return false;
            }
            loop.tick(std::chrono::milliseconds(10));
        }
        return true;
    }

    void ticks(int count) {
        for (int tick = 0; tick < count; ++tick) {
            loop.tick(Duration::zero());
        }
    }

    /// Whether it comes to rest: nothing stays requeued, no budget is left to spend, no edge waits.
    /// Two ticks are granted for a last would_block and a spurious edge.
    [[nodiscard]] bool would_sleep() {
        ticks(2);
        constexpr Duration nap = std::chrono::milliseconds(5);
        const TimePoint before = sys::monotonic_now();
        loop.tick(nap);
        return sys::monotonic_now() - before >= nap;
    }

    EventLoop loop;
    Arena arena;
    FlushList flush_list{loop};
    std::uint64_t flush_cost_max = UINT64_MAX;
    StreamHost host{loop, arena, flush_list, {}};
};

/// A stream with its owner, and the peer it is connected with.
struct Wire {
    Wire(StreamWorld& world, Medium medium) : Wire(world, connected(medium)) {}

    Wire(StreamWorld& world, std::pair<Fd, Fd> ends)
        : peer(std::move(ends.second)), stream(world.host, std::move(ends.first), ear) {}

    StreamEar ear;
    Peer peer;
    Stream stream;
};

/// Text in which every place can be told from every other.
inline std::string counted_text(std::size_t bytes) {
    std::string text;
    for (std::size_t number = 0; text.size() < bytes; ++number) {
        text += std::to_string(number) + ' ';
    }
    text.resize(bytes);
    return text;
}

} // namespace roomd
