#include "bench/process.h"

#include "bench/scratch.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

#include <unistd.h>

namespace {

using namespace roomd::bench;

template <typename Condition>
bool soon(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

bool exists(pid_t pid) {
    return ::kill(pid, 0) == 0;
}

} // namespace

TEST_CASE("Process: what it says goes into the log, and its end is noticed") {
    const Scratch scratch;
    const std::string log = scratch.path() + "/log";
    Process process({"sh", "-c", "echo here; echo there >&2"}, log, -1);
    CHECK(soon([&] { return !process.running(); }));
    CHECK(first_line(log) == "here");
}

TEST_CASE("Process: a program that does not exist is an error that names it") {
    const Scratch scratch;
    try {
        const Process process({"no-such-program-anywhere"}, scratch.path() + "/log", -1);
        FAIL("it was started");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ENOENT);
        CHECK(std::string(error.what()).find("no-such-program-anywhere") != std::string::npos);
    }
}

TEST_CASE("Process: the destructor ends it, and waits") {
    const Scratch scratch;
    pid_t pid = 0;
    {
        Process process({"sleep", "1000"}, scratch.path() + "/log", -1);
        pid = process.pid();
        CHECK(process.running());
        CHECK(exists(pid));
    }
    CHECK_FALSE(exists(pid));
}

TEST_CASE("Process: who ignores SIGTERM is killed") {
    const Scratch scratch;
    const std::string log = scratch.path() + "/log";
    pid_t pid = 0;
    {
        const Process process({"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"},
                              log, -1);
        pid = process.pid();
        CHECK(soon([&] { return first_line(log) == "ready"; }));
    }
    CHECK_FALSE(exists(pid));
}

TEST_CASE("usage: this process has used time and memory; one that is not there has used none") {
    if (!std::filesystem::exists("/proc/self/schedstat")) {
        return; // this system has no such accounting, and then nothing is reported
    }
    const auto before = usage_of(::getpid());
    REQUIRE(before);
    CHECK(before->resident_bytes > 100'000);
    const double own = own_cpu_seconds();
    CHECK(soon([&] { return own_cpu_seconds() > own + 0.02; }));
    const auto after = usage_of(::getpid());
    REQUIRE(after);
    CHECK(after->cpu_seconds > before->cpu_seconds);
    CHECK_FALSE(usage_of(0));
    CHECK_FALSE(usage_of(1 << 30));
}
