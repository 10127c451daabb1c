#include "bench/facts.h"

#include <array>
#include <ctime>
#include <fstream>
#include <string_view>
#include <thread>

#include <sys/utsname.h>

namespace roomd::bench {

namespace {

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) {
            return line.substr(colon + 2);
        }
    }
    return "unknown processor";
}

std::string kernel_release() {
    utsname names{};
    if (::uname(&names) != 0) {
        return {};
    }
    const auto text = [](const auto& field) { return std::string(std::data(field)); };
    return text(names.sysname) + ' ' + text(names.release) + ' ' + text(names.machine);
}

std::string date_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), size};
}

} // namespace

Facts find_facts(const std::vector<std::string>& systems, const Ground& ground) {
    Facts facts;
    facts.cpu = std::to_string(std::thread::hardware_concurrency()) + " x " + cpu_model();
    facts.kernel = kernel_release();
    facts.date = date_now();
    for (const std::string& system : systems) {
        if (system != floor_system) {
            facts.versions.emplace_back(system, version_of(system, ground));
        }
    }
    return facts;
}

} // namespace roomd::bench
