#include "client/line_reader.h"

#include "reactor/sys.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using namespace roomd;

namespace {

constexpr std::size_t line_bytes_max = 1000;

/// A pipe as a shell makes it: blocking, so that one read too many would hang the test.
std::pair<Fd, Fd> shell_pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    return {Fd(ends[0]), Fd(ends[1])};
}

void put(const Fd& fd, std::string_view bytes) {
    REQUIRE(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

/// An unlinked file that holds `bytes`, at its beginning.
Fd file_of(std::string_view bytes) {
    std::string path = "/tmp/room-lines-XXXXXX";
    Fd fd(::mkstemp(path.data()));
    REQUIRE(fd);
    ::unlink(path.c_str());
    put(fd, bytes);
    REQUIRE(::lseek(fd.get(), 0, SEEK_SET) == 0);
    return fd;
}

/// All lines up to the end, each as "NUMBER:TEXT", or "NUMBER too large".
std::vector<std::string> all_lines(EventLoop& loop, LineReader& reader) {
    std::vector<std::string> lines;
    while (true) {
        Line line{};
        switch (reader.next(line)) {
        case LineStatus::line:
            lines.push_back(std::to_string(line.number) +
                            (line.too_large ? " too large" : ":" + std::string(line.text)));
            break;
        case LineStatus::waiting:
            loop.tick(std::nullopt);
            break;
        case LineStatus::busy:
            break;
        case LineStatus::ended:
            return lines;
        case LineStatus::failed:
            FAIL("reading failed");
        }
    }
}

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("LineReader: lines end at LF or CR LF, and the last one at the end") {
    EventLoop loop;
    const Fd file = file_of("one\ntwo\r\n\nfour\rfour\nlast");
    LineReader reader(loop, file.get(), line_bytes_max);
    CHECK(all_lines(loop, reader) == Lines{"1:one", "2:two", "3:", "4:four\rfour", "5:last"});
}

TEST_CASE("LineReader: an empty input has no lines") {
    EventLoop loop;
    const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    LineReader reader(loop, file.get(), line_bytes_max);
    CHECK(all_lines(loop, reader).empty());
}

TEST_CASE("LineReader: a pipe that is open but empty is waited for, not read") {
    EventLoop loop;
    auto [reading, writing] = shell_pipe();
    LineReader reader(loop, reading.get(), line_bytes_max);
    Line line{};
    CHECK(reader.next(line) == LineStatus::waiting);
    put(writing, "half");
    loop.tick(std::nullopt);
    CHECK(reader.next(line) == LineStatus::waiting);
    put(writing, " whole\nnext");
    loop.tick(std::nullopt);
    REQUIRE(reader.next(line) == LineStatus::line);
    CHECK(line.text == "half whole");
    CHECK(reader.next(line) == LineStatus::waiting);
    writing.reset();
    loop.tick(std::nullopt);
    REQUIRE(reader.next(line) == LineStatus::line);
    CHECK(line.text == "next");
    CHECK(line.number == 2);
    CHECK(reader.next(line) == LineStatus::ended);
    CHECK(reader.next(line) == LineStatus::ended);
}

TEST_CASE("LineReader: the descriptor's flags stay as they are") {
    EventLoop loop;
    auto [reading, writing] = shell_pipe();
    const int before = ::fcntl(reading.get(), F_GETFL);
    {
        LineReader reader(loop, reading.get(), line_bytes_max);
        Line line{};
        CHECK(reader.next(line) == LineStatus::waiting);
        CHECK(::fcntl(reading.get(), F_GETFL) == before);
    }
    CHECK(::fcntl(reading.get(), F_GETFL) == before);
}

TEST_CASE("LineReader: lines at the limit pass, longer ones are skipped whole") {
    EventLoop loop;
    const std::string most(line_bytes_max, 'm');
    const std::string text = most + "\n" + most + "\r\n" + most + "+\nafter\n" +
                             std::string(300'000, 'x') + "\nagain\n" + most + "+";
    const Lines wanted{"1:" + most,   "2:" + most, "3 too large", "4:after",
                       "5 too large", "6:again",   "7 too large"};
    SUBCASE("from a file") {
        const Fd file = file_of(text);
        LineReader reader(loop, file.get(), line_bytes_max);
        CHECK(all_lines(loop, reader) == wanted);
    }
    SUBCASE("from a pipe that is filled bit by bit") {
        auto [reading, writing] = shell_pipe();
        LineReader reader(loop, reading.get(), line_bytes_max);
        Lines lines;
        const auto take = [&] {
            Line line{};
            while (reader.next(line) == LineStatus::line) {
                lines.push_back(std::to_string(line.number) +
                                (line.too_large ? " too large" : ":" + std::string(line.text)));
            }
        };
        for (std::size_t from = 0; from < text.size(); from += 701) {
            put(writing, std::string_view(text).substr(from, 701));
            loop.tick(std::nullopt);
            take();
        }
        writing.reset();
        loop.tick(std::nullopt);
        take();
        CHECK(lines == wanted);
    }
}

TEST_CASE("LineReader: a line as long as allowed is found however large that is") {
    EventLoop loop;
    const std::size_t large = std::size_t{1} << 20U;
    const std::string text(large, 'y');
    const Fd file = file_of(text + "\nshort\n");
    LineReader reader(loop, file.get(), large);
    const Lines lines = all_lines(loop, reader);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == "1:" + text);
    CHECK(lines[1] == "2:short");
}

TEST_CASE("LineReader: one endless line does not hold up its caller") {
    EventLoop loop;
    const Fd zeros(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    LineReader reader(loop, zeros.get(), line_bytes_max);
    Line line{};
    CHECK(reader.next(line) == LineStatus::busy);
    CHECK(reader.next(line) == LineStatus::busy);
}

TEST_CASE("LineReader: what cannot be read is told with its reason") {
    EventLoop loop;
    const Fd directory(::open("/", O_RDONLY | O_CLOEXEC));
    LineReader reader(loop, directory.get(), line_bytes_max);
    Line line{};
    REQUIRE(reader.next(line) == LineStatus::failed);
    CHECK(reader.error() == static_cast<int>(std::errc::is_a_directory));
}
