#include "bench/micro/instructions.h"

#include <cerrno>
#include <system_error>

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace roomd::bench::micro {

Instructions::Instructions() {
    perf_event_attr wanted{};
    wanted.type = PERF_TYPE_HARDWARE;
    wanted.size = sizeof wanted;
    wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
    wanted.exclude_kernel = 1; // allowed up to perf_event_paranoid 2, and all that is of interest
    wanted.exclude_hv = 1;
    // glibc has no function for it. This process, on whatever processor, in no group.
    const long opened = ::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (opened < 0) {
        why_not_ = "perf_event_open: " + std::generic_category().message(errno);
        return;
    }
    counter_ = Fd(static_cast<int>(opened));
}

std::uint64_t Instructions::now() const {
    std::uint64_t count = 0;
    if (!counter_ || ::read(counter_.get(), &count, sizeof count) != sizeof count) {
        return 0;
    }
    return count;
}

} // namespace roomd::bench::micro
