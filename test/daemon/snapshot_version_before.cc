// The version of the format before the present one, for a program that only tests have: it writes
// and reads everything but the counters.
#include "daemon/snapshot_format.h"

namespace roomd {

std::uint32_t snapshot_version() {
    return 1;
}

std::uint32_t snapshot_readable_from() {
    return 1;
}

std::uint32_t snapshot_oldest() {
    return 1;
}

} // namespace roomd
