#include "reactor/sys.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

#include <unistd.h>

// How much memory there is for this process.
namespace roomd::sys {

namespace {

// "max" (v2) and the huge number that v1 shows for no limit are none.
std::optional<std::uint64_t> limit_in(const std::string& path) {
    std::ifstream file(path);
    std::string text;
    if (!std::getline(file, text)) {
        return std::nullopt;
    }
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    constexpr std::uint64_t no_limit = std::uint64_t{1} << 60U;
    return error == std::errc() && bytes < no_limit ? std::optional(bytes) : std::nullopt;
}

// The limit of the group at `path` below `root`, and of each group above it.
std::optional<std::uint64_t> least_limit(const std::string& root, std::string path,
                                         const std::string& file) {
    std::optional<std::uint64_t> least;
    while (true) {
        const std::optional<std::uint64_t> here = limit_in(root + path + "/" + file);
        if (here && (!least || *here < *least)) {
            least = here;
        }
        if (path.empty()) {
            return least;
        }
        path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
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
    // Lines of ID:CONTROLLERS:PATH; version 2 has the ID 0 and names no controller.
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) {
            continue;
        }
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        std::string path = line.substr(second + 1);
        path = path == "/" ? "" : path;
        std::optional<std::uint64_t> found;
        if (controllers == ",,") {
            found = least_limit("/sys/fs/cgroup", path, "memory.max");
        } else if (controllers.find(",memory,") != std::string::npos) {
            found = least_limit("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
        }
        if (found && (!limits.cgroup || *found < *limits.cgroup)) {
            limits.cgroup = found;
        }
    }
    return limits;
}

} // namespace roomd::sys
