#include "daemon/activation.h"

#include "reactor/sys.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace roomd {

namespace {

/// What a process sees that was started with two sockets as descriptors 3 and 4. It is one of its
/// own, because those descriptors may be somebody else's here. Returns the process's words.
template <typename Body>
std::string in_child(Body body) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const int out = ::fcntl(ends[1], F_DUPFD, 100);
        for (int fd = 3; fd < 10; ++fd) {
            ::close(fd);
        }
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) != 0 || pair[0] != 3 ||
            pair[1] != 4) {
            ::_exit(1);
        }
        const std::string words = body();
        const bool told =
            ::write(out, words.data(), words.size()) == static_cast<ssize_t>(words.size());
        ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    std::string words;
    std::array<char, 256> buffer{};
    for (ssize_t got = 0; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
        words.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    return words;
}

// There is one thread in the child: what clang-tidy fears of the environment cannot happen.
void set(const char* name, const char* value) {
    ::setenv(name, value, 1); // NOLINT(concurrency-mt-unsafe)
}

void unset(const char* name) {
    ::unsetenv(name); // NOLINT(concurrency-mt-unsafe)
}

bool is_set(const char* name) {
    return std::getenv(name) != nullptr; // NOLINT(concurrency-mt-unsafe)
}

void set_variables(const std::string& pid, const char* count, const char* names) {
    set("LISTEN_PID", pid.c_str());
    set("LISTEN_FDS", count);
    unset("LISTEN_FDNAMES");
    if (names != nullptr) {
        set("LISTEN_FDNAMES", names);
    }
}

std::string own_pid() {
    return std::to_string(::getpid());
}

/// name=descriptor for each, and whether the variables are gone.
std::string taken() {
    std::string words;
    for (const auto& [name, fd] : inherited_sockets()) {
        const bool closes = (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
        const bool blocks = (::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) == 0;
        words += name + "=" + std::to_string(fd.get()) + (closes ? "" : " inherited") +
                 (blocks ? " blocking" : "") + " ";
    }
    for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
        words += is_set(variable) ? " kept" : "";
    }
    return words;
}

} // namespace

TEST_CASE("activation: sockets come with their names, close-on-exec and non-blocking") {
    CHECK(in_child([] {
              set_variables(own_pid(), "2", "chat:debug");
              return taken();
          }) == "chat=3 debug=4 ");
}

TEST_CASE("activation: a socket without a name is unknown") {
    CHECK(in_child([] {
              set_variables(own_pid(), "2", nullptr);
              return taken();
          }) == "unknown=3 unknown=4 ");
    CHECK(in_child([] {
              set_variables(own_pid(), "2", ":debug");
              return taken();
          }) == "unknown=3 debug=4 ");
    CHECK(in_child([] {
              set_variables(own_pid(), "2", "chat");
              return taken();
          }) == "chat=3 unknown=4 ");
}

TEST_CASE(
    "activation: what was meant for another process is left alone, and its words are removed") {
    CHECK(in_child([] {
              set_variables(std::to_string(::getppid()), "2", "chat:debug");
              return taken() + (::fcntl(3, F_GETFD) == 0 ? "untouched" : "touched");
          }) == "untouched");
}

TEST_CASE("activation: without the variables, or with nonsense in them, nothing is taken") {
    CHECK(in_child([] {
              unset("LISTEN_PID");
              unset("LISTEN_FDS");
              return taken();
          }).empty());
    for (const char* count : {"0", "-1", "two", "", "2x", "1048577", "2147483647"}) {
        CAPTURE(count);
        CHECK(in_child([count] {
                  set_variables(own_pid(), count, "chat:debug");
                  return taken();
              }).empty());
    }
    CHECK(in_child([] {
              set_variables("nobody", "2", "chat:debug");
              return taken();
          }).empty());
}

TEST_CASE("activation: a number that is not open is nobody's") {
    CHECK(in_child([] {
              set_variables(own_pid(), "2", "chat:debug");
              ::close(3);
              return taken();
          }) == "debug=4 ");
}

TEST_CASE("activation: the kernel says what a descriptor is good for") {
    const SocketAddress stream = sys::resolve("127.0.0.1", 0, false).at(0);
    const SocketAddress datagram = sys::resolve("127.0.0.1", 0, true).at(0);
    CHECK(kind_of_socket(sys::listen_stream(stream, {16, 0})) == SocketKind::listening);
    CHECK(kind_of_socket(sys::bind_datagram(datagram)) == SocketKind::datagram);
    const Fd listener = sys::listen_stream(stream, {16, 0});
    CHECK(kind_of_socket(sys::connect_begin(sys::local_address(listener.get()))) ==
          SocketKind::other);
    std::array<int, 2> pair{};
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        REQUIRE(::socketpair(AF_UNIX, type, 0, pair.data()) == 0);
        const Fd one(pair[0]);
        const Fd other(pair[1]);
        CHECK(kind_of_socket(one) == SocketKind::other);
    }
    const auto pipe = sys::make_pipe();
    CHECK(kind_of_socket(pipe.first) == SocketKind::other);
    CHECK(kind_of_socket(Fd()) == SocketKind::other);
}

} // namespace roomd
