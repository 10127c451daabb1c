// Relay — the floor: a server that does no more than read and send.
//
// No rooms beyond a number, no parsing, no queues, no order but the kernel's: what it reads from
// one connection it writes, in one blocking call each, to all others of its group. Nothing that
// sends to sockets one by one can cost less, so this is what all servers are compared with. A
// reader that stalls stalls the relay: it is a measure, not a server.
//
// A connection begins with one line, `GROUP ROLE\n` (ROLE `m`: hears; `p`: only speaks; `e`: gets
// its own bytes back), and is answered `ok\n`.
#pragma once

#include <cstdint>

namespace roomd::bench {

/// Listens on 127.0.0.1:`port` until SIGTERM. Returns an exit status; says why on stderr.
int run_relay(std::uint16_t port);

} // namespace roomd::bench
