#include "reactor/sys.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

// Pages, and what the kernel's files say of the room there is for this process.
namespace roomd::sys {

namespace {

// A number at the beginning of a file. "max" (cgroup v2) and the huge number that v1 shows for no
// limit are none.
std::optional<std::uint64_t> number_in(const std::string& path) {
    std::ifstream file(path);
    std::string text;
    if (!std::getline(file, text)) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    constexpr std::uint64_t no_limit = std::uint64_t{1} << 60U;
    return error == std::errc() && number < no_limit ? std::optional(number) : std::nullopt;
}

// The number behind `key` in a file of lines `key number`.
std::optional<std::uint64_t> number_of(const std::string& path, std::string_view key) {
    std::ifstream file(path);
    std::uint64_t number = 0;
    for (std::string line; std::getline(file, line);) {
        const std::size_t digit = line.find_first_of("0123456789", key.size());
        if (line.starts_with(key) && digit != std::string::npos &&
            std::from_chars(line.data() + digit, line.data() + line.size(), number).ec ==
                std::errc()) {
            return number;
        }
    }
    return std::nullopt;
}

// A control group as one of the two versions shows it, see cgroups(7).
struct Group {
    std::optional<std::uint64_t> limit;
    std::uint64_t used = 0; // without file pages that nobody has used lately: they make room
};

Group group_at(const std::string& directory, bool second_version) {
    Group group{number_in(directory + (second_version ? "memory.max" : "memory.limit_in_bytes"))};
    const std::uint64_t usage =
        number_in(directory + (second_version ? "memory.current" : "memory.usage_in_bytes"))
            .value_or(0);
    const std::uint64_t cache =
        number_of(directory + "memory.stat",
                  second_version ? "inactive_file " : "total_inactive_file ")
            .value_or(0);
    group.used = usage - std::min(usage, cache);
    return group;
}

// The group that a line of /proc/self/cgroup names, and all above it: `take(Group)`. A line is
// ID:CONTROLLERS:PATH; version 2 has the ID 0 and names no controller.
template <typename Take>
void for_each_group_of(const std::string& line, const Take& take) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) {
        return;
    }
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool second_version = controllers == ",,";
    if (!second_version && controllers.find(",memory,") == std::string::npos) {
        return;
    }
    const std::string root = second_version ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    std::string path = line.substr(second + 1);
    path = path == "/" ? "" : path;
    take(group_at(root + path + "/", second_version));
    while (!path.empty()) {
        path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
        take(group_at(root + path + "/", second_version));
    }
}

// Each group this process is in, and all above it.
template <typename Take>
void for_each_group(const Take& take) {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        for_each_group_of(line, take);
    }
}

} // namespace

MemoryLimits memory_limits() {
    MemoryLimits limits;
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page = ::sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0) {
        limits.machine = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
    }
    for_each_group([&limits](const Group& group) {
        if (group.limit && (!limits.cgroup || *group.limit < *limits.cgroup)) {
            limits.cgroup = group.limit;
        }
    });
    return limits;
}

std::optional<std::uint64_t> memory_headroom() {
    constexpr std::uint64_t unknown = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t least = unknown;
    for_each_group([&least](const Group& group) {
        if (group.limit) {
            least = std::min(least, *group.limit - std::min(*group.limit, group.used));
        }
    });
    constexpr std::uint64_t kibi = 1024; // proc(5): it counts in kB
    if (const auto available = number_of("/proc/meminfo", "MemAvailable:")) {
        least = std::min(least, *available * kibi);
    }
    rlimit space{};
    const ProcessUsage usage = process_usage();
    if (::getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY &&
        usage.virtual_bytes) {
        const std::uint64_t limit = space.rlim_cur;
        least = std::min(least, limit - std::min(limit, *usage.virtual_bytes));
    }
    return least == unknown ? std::nullopt : std::optional(least);
}

std::optional<std::uint64_t> listen_backlog_max() {
    return number_in("/proc/sys/net/core/somaxconn"); // missing where the kernel is another one
}

void* map_pages(std::size_t bytes) {
    void* const pages =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) { // NOLINT: mmap(2) says so
        throw std::bad_alloc();
    }
    return pages;
}

void unmap_pages(void* pages, std::size_t bytes) noexcept {
    if (::munmap(pages, bytes) != 0) { // ENOMEM: it would split one mapping too many
        static_cast<void>(::madvise(pages, bytes, MADV_DONTNEED)); // the memory at least
    }
}

} // namespace roomd::sys
