#include "daemon/snapshot_format.h"

// Apart from everything else: the program of the test that restarts into the version before, and
// back, links another body (test/daemon/snapshot_version_before.cc).
namespace roomd {

//   1  everything but
//   2  counters
std::uint32_t snapshot_version() {
    return 2;
}

std::uint32_t snapshot_readable_from() {
    return 1;
}

std::uint32_t snapshot_oldest() {
    return 1;
}

} // namespace roomd
