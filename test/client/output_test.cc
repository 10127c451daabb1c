#include "client/output.h"

#include "reactor/fd.h"

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

using namespace roomd;

namespace {

/// As a shell makes it: blocking, so that one write too many would hang the test.
std::pair<Fd, Fd> shell_pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    return {Fd(ends[0]), Fd(ends[1])};
}

std::string take(const Fd& fd, std::size_t bytes_max) {
    std::string bytes(bytes_max, '\0');
    const ssize_t count = ::read(fd.get(), bytes.data(), bytes.size());
    REQUIRE(count >= 0);
    bytes.resize(static_cast<std::size_t>(count));
    return bytes;
}

} // namespace

TEST_CASE("Output: lines are written at the flush, not before") {
    EventLoop loop;
    auto [reading, writing] = shell_pipe();
    Output output(loop, writing.get());
    output.print_line("one");
    output.print_line("two");
    CHECK(output.pending() == 8);
    output.flush();
    CHECK(output.pending() == 0);
    CHECK(take(reading, 100) == "one\ntwo\n");
}

TEST_CASE("Output: a full pipe never blocks, and everything arrives in order once it is read") {
    EventLoop loop;
    auto [reading, writing] = shell_pipe();
    const int before = ::fcntl(writing.get(), F_GETFL);
    Output output(loop, writing.get());
    std::string wanted;
    for (int number = 0; number < 50'000; ++number) {
        const std::string line = "line " + std::to_string(number);
        wanted += line + '\n';
        output.print_line(line);
    }
    output.flush();
    REQUIRE(output.pending() > 0);
    CHECK(::fcntl(writing.get(), F_GETFL) == before);

    std::string got;
    while (got.size() < wanted.size()) {
        got += take(reading, 65'536);
        loop.tick(output.pending() == 0 ? std::optional<Duration>(Duration::zero()) : std::nullopt);
        output.flush();
    }
    CHECK(got == wanted);
}

TEST_CASE("Output: a file takes everything at once") {
    EventLoop loop;
    std::string path = "/tmp/room-output-XXXXXX";
    const Fd file(::mkstemp(path.data()));
    REQUIRE(file);
    ::unlink(path.c_str());
    Output output(loop, file.get());
    const std::string line(100'000, 'x');
    output.print_line(line);
    output.flush();
    CHECK(output.pending() == 0);
    REQUIRE(::lseek(file.get(), 0, SEEK_SET) == 0);
    CHECK(take(file, 200'000) == line + '\n');
}

TEST_CASE("Output: when the reader has gone it says so and throws the rest away") {
    const auto before = std::signal(SIGPIPE, SIG_IGN); // as the program runs
    EventLoop loop;
    auto [reading, writing] = shell_pipe();
    Output output(loop, writing.get());
    reading.reset();
    output.print_line("one");
    CHECK_FALSE(output.broken());
    output.flush();
    CHECK(output.broken());
    CHECK(output.error() == static_cast<int>(std::errc::broken_pipe));
    output.print_line("two");
    CHECK(output.pending() == 0);
    static_cast<void>(std::signal(SIGPIPE, before));
}
