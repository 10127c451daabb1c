// activation — sockets that the service manager opened and handed over, as sd_listen_fds(3)
// describes.
//
// Called once by main, before there are threads. Takes ownership of the descriptors; what has no
// use is closed with them.
#pragma once

#include "reactor/fd.h"

#include <string>
#include <utility>
#include <vector>

namespace roomd {

/// Name (FileDescriptorName=, "unknown" without one) and descriptor of each, close-on-exec and
/// non-blocking. Empty when LISTEN_PID is not this process. The variables are taken out of the
/// environment, so that no child mistakes them for its own.
[[nodiscard]] std::vector<std::pair<std::string, Fd>> inherited_sockets();

} // namespace roomd
