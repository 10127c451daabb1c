// activation — sockets that the service manager opened and handed over, as sd_listen_fds(3)
// describes.
//
// Called once by main, before there are threads. Takes ownership of the descriptors; what has no
// use is closed with them.
#pragma once

#include "reactor/fd.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace roomd {

/// Name (FileDescriptorName=, "unknown" without one) and descriptor of each, close-on-exec and
/// non-blocking; without those that turn out to be closed. Empty when LISTEN_PID is not this
/// process. The variables are taken out of the
/// environment, so that no child mistakes them for its own.
[[nodiscard]] std::vector<std::pair<std::string, Fd>> inherited_sockets();

/// What can be done with a descriptor that somebody else opened.
enum class SocketKind : std::uint8_t {
    listening, // a stream socket, TCP or Unix, that connections can be accepted from
    datagram,  // a bound UDP socket
    other,     // anything else: a file, a connection, a socket that does not listen
};

/// Asks the kernel, three calls at most.
[[nodiscard]] SocketKind kind_of_socket(const Fd& fd);

} // namespace roomd
