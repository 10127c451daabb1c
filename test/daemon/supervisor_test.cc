#include "daemon/supervisor.h"

#include "reactor/fd.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace roomd;

namespace {

/// A service manager: a bound datagram socket.
class Manager {
public:
    /// `name` like NOTIFY_SOCKET: a path or '@name'.
    explicit Manager(std::string name)
        : name_(std::move(name)), fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
        REQUIRE(fd_);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name_.data(), name_.size());
        const bool abstract = name_.front() == '@';
        if (abstract) {
            address.sun_path[0] = '\0';
        }
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size() +
                                                 (abstract ? 0 : 1));
        REQUIRE(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    }

    ~Manager() { unlink(name_.c_str()); }

    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;
    Manager(Manager&&) = delete;
    Manager& operator=(Manager&&) = delete;

    /// The next datagram; empty if there is none.
    [[nodiscard]] std::string heard() const {
        std::array<char, 4096> buffer{};
        const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size))
                        : std::string();
    }

    [[nodiscard]] const std::string& name() const { return name_; }

private:
    std::string name_;
    Fd fd_;
};

std::string unique_path() {
    return "/tmp/roomd-notify-" + std::to_string(getpid()) + ".sock";
}

} // namespace

TEST_CASE("Supervisor: each message is one datagram in the words of sd_notify") {
    const Manager manager(unique_path());
    Supervisor supervisor(manager.name());
    CHECK(supervisor.present());
    CHECK(supervisor.ready("2 listeners"));
    CHECK(manager.heard() == "READY=1\nSTATUS=2 listeners\n");
    CHECK(supervisor.reloading(123'456'789));
    CHECK(manager.heard() == "RELOADING=1\nMONOTONIC_USEC=123456789\n");
    CHECK(supervisor.status("5 connections"));
    CHECK(manager.heard() == "STATUS=5 connections\n");
    CHECK(supervisor.stopping("draining"));
    CHECK(manager.heard() == "STOPPING=1\nSTATUS=draining\n");
    CHECK(manager.heard().empty());
}

TEST_CASE("Supervisor: an abstract name is one, too") {
    const Manager manager("@roomd-notify-" + std::to_string(getpid()));
    Supervisor supervisor(manager.name());
    CHECK(supervisor.status("x"));
    CHECK(manager.heard() == "STATUS=x\n");
}

TEST_CASE("Supervisor: a status cannot smuggle in a message of its own") {
    const Manager manager(unique_path());
    Supervisor supervisor(manager.name());
    CHECK(supervisor.status(std::string_view("a\nSTOPPING=1\r\0\x1b[2J\x7f!", 20)));
    CHECK(manager.heard() == "STATUS=a STOPPING=1   [2J !\n");
    CHECK(supervisor.status(std::string(100'000, 'x')));
    CHECK(manager.heard().size() < 2'000);
}

TEST_CASE("Supervisor: without a service manager every call does nothing and succeeds") {
    for (const std::string& address :
         {std::string(), std::string("relative"), std::string("vsock:2:3"), std::string("@"),
          std::string("/"), "/" + std::string(200, 'x'), "@" + std::string(200, 'x')}) {
        CAPTURE(address);
        Supervisor supervisor(address);
        CHECK_FALSE(supervisor.present());
        CHECK(supervisor.ready(""));
        CHECK(supervisor.reloading(1));
        CHECK(supervisor.stopping(""));
        CHECK(supervisor.status("x"));
    }
}

TEST_CASE("Supervisor: a manager that is gone is told by the result, not by a signal") {
    const std::string path = unique_path();
    { const Manager manager(path); }
    Supervisor supervisor(path);
    CHECK(supervisor.present());
    CHECK_FALSE(supervisor.ready(""));
}

TEST_CASE("Supervisor: a manager that does not read never blocks the daemon") {
    const Manager manager(unique_path());
    Supervisor supervisor(manager.name());
    const auto begin = std::chrono::steady_clock::now();
    int refused = 0;
    for (int i = 0; i < 10'000; ++i) {
        refused += supervisor.status("again") ? 0 : 1;
    }
    CHECK(refused > 0);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    while (!manager.heard().empty()) {
    }
    CHECK(supervisor.status("once more"));
    CHECK(manager.heard() == "STATUS=once more\n");
}

TEST_CASE(
    "Supervisor: the variable is read once and taken away, and no child inherits the socket") {
    const Manager manager(unique_path());
    // NOLINTNEXTLINE(concurrency-mt-unsafe): this test has one thread
    REQUIRE(setenv("NOTIFY_SOCKET", manager.name().c_str(), 1) == 0);
    Supervisor supervisor = Supervisor::from_environment();
    CHECK(std::getenv("NOTIFY_SOCKET") == nullptr); // NOLINT(concurrency-mt-unsafe): as above
    CHECK(supervisor.ready("up"));
    CHECK(manager.heard() == "READY=1\nSTATUS=up\n");
    CHECK_FALSE(Supervisor::from_environment().present());
    // the newest descriptor below 64 that is a datagram socket of ours must close on exec
    int datagram_sockets = 0;
    for (int fd = 3; fd < 64; ++fd) {
        int type = 0;
        socklen_t size = sizeof type;
        sockaddr_un name{};
        socklen_t name_size = sizeof name;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM &&
            getsockname(fd, reinterpret_cast<sockaddr*>(&name), &name_size) == 0 &&
            name.sun_family == AF_UNIX && name_size <= offsetof(sockaddr_un, sun_path)) {
            ++datagram_sockets;
            CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        }
    }
    CHECK(datagram_sockets >= 1);
}
