// IoResult — what one system call on a socket came to. A value; the errno lives only in `error`,
// for logs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace roomd {

enum class IoStatus : std::uint8_t {
    ok,          // `bytes` were moved; may be fewer than asked for
    would_block, // EAGAIN: the next edge will tell
    end,         // read: the peer has sent its last byte
    failed       // the connection is dead; `error` is the errno
};

struct IoResult {
    IoStatus status;
    std::size_t bytes = 0;
    int error = 0;
};

} // namespace roomd
