#include "reactor/fd.h"

#include "reactor/sys.h"

#include <cassert>

namespace roomd {

void Fd::reset() noexcept {
    if (descriptor_ < 0) {
        return;
    }
    assert(descriptor_ > 2);
    sys::close_descriptor(std::exchange(descriptor_, -1));
}

} // namespace roomd
