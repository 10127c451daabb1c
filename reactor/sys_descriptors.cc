#include "reactor/sys.h"

#include <climits>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

// How many descriptors there may be.
namespace roomd::sys {

Fd reserve_descriptor() {
    return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

std::uint64_t descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

std::uint64_t descriptor_limit_max() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max;
}

std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
    }
    return descriptor_limit();
}

void fill_standard_descriptors() noexcept {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) < 0) {
            static_cast<void>(::open("/dev/null", O_RDWR)); // the lowest free number: this one
        }
    }
}

void make_room_for_descriptors(std::uint64_t count) noexcept {
    const Fd any(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (any && count > 0 && count <= INT_MAX) {
        const Fd last(::fcntl(any.get(), F_DUPFD_CLOEXEC, static_cast<int>(count - 1)));
    }
}

} // namespace roomd::sys
