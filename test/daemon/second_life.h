// live_on — a server that goes on from a snapshot, with sockets of its own in the place of those
// that were: whether it holds together for a few ticks.
//
// For tests and fuzz targets. The snapshot need not come from a server: whatever decode_snapshot()
// lets through has to be bearable.
#pragma once

#include "daemon/server.h"
#include "daemon/snapshot_format.h"
#include "reactor/sys.h"

#include <array>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace roomd::test {

inline std::pair<Fd, Fd> socket_pair() {
    std::array<int, 2> ends{};
    constexpr int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (::socketpair(AF_UNIX, type, 0, ends.data()) != 0) {
        std::abort();
    }
    return {Fd(ends[0]), Fd(ends[1])};
}

/// Returns how many connections could not go on. Ends the program where check() does not hold.
inline std::size_t live_on(Snapshot& snapshot, const Config& config, Log& log) {
    constexpr int ticks = 4;
    std::vector<Fd> sockets;
    std::vector<Fd> peers;
    for (SavedSession& session : snapshot.sessions) {
        auto [ours, theirs] = socket_pair();
        session.cookie = sys::socket_cookie(ours.get());
        sockets.push_back(std::move(ours));
        peers.push_back(std::move(theirs));
    }
    EventLoop loop;
    Server server(loop, config, log);
    server.check_each_tick();
    const std::size_t lost = server.restore(snapshot, std::move(sockets));
    server.check();
    constexpr std::string_view words{"\0\0\0\2hi\n/who\n", 12};
    for (int tick = 0; tick < ticks; ++tick) {
        for (const Fd& peer : peers) {
            static_cast<void>(::send(peer.get(), words.data(), words.size(), MSG_NOSIGNAL));
            std::array<char, 4096> heard{};
            static_cast<void>(::recv(peer.get(), heard.data(), heard.size(), 0));
        }
        loop.tick(Duration::zero());
    }
    // And it can go on once more.
    const std::string bytes = encode_snapshot(server.save());
    std::string error;
    if (!decode_snapshot(bytes, error)) {
        std::cerr << "it cannot go on once more: " << error << '\n';
        std::abort();
    }
    return lost;
}

} // namespace roomd::test
