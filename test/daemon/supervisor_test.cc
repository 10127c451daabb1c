#include "daemon/supervisor.h"

#include "test/daemon/notify_manager.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace roomd;

TEST_CASE("Supervisor: each message is one datagram in the words of sd_notify") {
    const NotifyManager manager;
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
    const NotifyManager manager("@roomd-notify-" + std::to_string(getpid()));
    Supervisor supervisor(manager.name());
    CHECK(supervisor.status("x"));
    CHECK(manager.heard() == "STATUS=x\n");
}

TEST_CASE("Supervisor: a status cannot smuggle in a message of its own") {
    const NotifyManager manager;
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
        CHECK(supervisor.watchdog());
        CHECK(supervisor.extend_timeout(std::chrono::seconds(1)));
        CHECK(supervisor.watchdog_time() == Duration{});
    }
}

TEST_CASE("Supervisor: the watchdog and a longer time are asked for in microseconds") {
    const NotifyManager manager;
    Supervisor supervisor(manager.name());
    CHECK(supervisor.watchdog());
    CHECK(manager.heard() == "WATCHDOG=1\n");
    CHECK(supervisor.extend_timeout(std::chrono::milliseconds(1'500)));
    CHECK(manager.heard() == "EXTEND_TIMEOUT_USEC=1500000\n");
}

TEST_CASE("Supervisor: a status that is in force is not said again, one that was lost is") {
    const NotifyManager manager;
    Supervisor supervisor(manager.name());
    CHECK(supervisor.ready("serving"));
    CHECK_FALSE(manager.heard().empty());
    CHECK(supervisor.status("serving"));
    CHECK(manager.heard().empty());
    CHECK(supervisor.status("1 connection"));
    CHECK(manager.heard() == "STATUS=1 connection\n");
    int said = 0;
    while (supervisor.watchdog()) { // until the manager's queue is full
        ++said;
    }
    CHECK_FALSE(supervisor.status("2 connections"));
    for (; said > 0; --said) {
        CHECK(manager.heard() == "WATCHDOG=1\n");
    }
    CHECK(supervisor.status("2 connections"));
    CHECK(manager.heard() == "STATUS=2 connections\n");
}

TEST_CASE("Supervisor: it knows what the manager has been told") {
    Supervisor supervisor("");
    CHECK(supervisor.phase() == Supervisor::Phase::starting);
    CHECK(supervisor.ready(""));
    CHECK(supervisor.phase() == Supervisor::Phase::serving);
    CHECK(supervisor.reloading(1));
    CHECK(supervisor.phase() == Supervisor::Phase::serving);
    CHECK(supervisor.stopping(""));
    CHECK(supervisor.phase() == Supervisor::Phase::stopping);
}

TEST_CASE("Supervisor: the watchdog's time is this process's or nobody's") {
    const NotifyManager manager;
    const auto time_with = [&](const char* us, const std::string& pid) {
        // NOLINTBEGIN(concurrency-mt-unsafe): this test has one thread
        REQUIRE(setenv("NOTIFY_SOCKET", manager.name().c_str(), 1) == 0);
        REQUIRE(setenv("WATCHDOG_USEC", us, 1) == 0);
        REQUIRE((pid.empty() ? unsetenv("WATCHDOG_PID") : setenv("WATCHDOG_PID", pid.c_str(), 1)) ==
                0);
        const Duration time = Supervisor::from_environment().watchdog_time();
        CHECK(std::getenv("WATCHDOG_USEC") == nullptr);
        CHECK(std::getenv("WATCHDOG_PID") == nullptr);
        // NOLINTEND(concurrency-mt-unsafe)
        return time;
    };
    const std::string own = std::to_string(getpid());
    CHECK(time_with("20000000", own) == std::chrono::seconds(20));
    CHECK(time_with("20000000", "") == std::chrono::seconds(20));
    CHECK(time_with("20000000", std::to_string(getppid())) == Duration{});
    CHECK(time_with("20000000", "nobody") == Duration{});
    for (const char* const us : {"", "0", "-5", "soon", "5s"}) {
        CAPTURE(us);
        CHECK(time_with(us, own) == Duration{});
    }
    CHECK(time_with("9223372036854775807", own) == std::chrono::hours(1));
}

TEST_CASE("Supervisor: a manager that is gone is told by the result, not by a signal") {
    std::string path;
    {
        const NotifyManager manager;
        path = manager.name();
    }
    Supervisor supervisor(path);
    CHECK(supervisor.present());
    CHECK_FALSE(supervisor.ready(""));
}

TEST_CASE("Supervisor: a manager that does not read never blocks the daemon") {
    const NotifyManager manager;
    Supervisor supervisor(manager.name());
    const auto begin = std::chrono::steady_clock::now();
    int refused = 0;
    for (int i = 0; i < 10'000; ++i) {
        refused += supervisor.status(std::to_string(i)) ? 0 : 1;
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
    const NotifyManager manager;
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

TEST_CASE("Supervisor: the manager is given a descriptor, and gives it up again") {
    const NotifyManager manager;
    Supervisor supervisor(manager.name());
    const Fd fd(::dup(STDERR_FILENO));
    CHECK(supervisor.store(fd, "roomd-parcel"));
    CHECK(manager.heard() == "FDSTORE=1\nFDPOLL=0\nFDNAME=roomd-parcel\n");
    CHECK(supervisor.forget("roomd-parcel"));
    CHECK(manager.heard() == "FDSTOREREMOVE=1\nFDNAME=roomd-parcel\n");
    Supervisor nobody("");
    CHECK_FALSE(nobody.store(fd, "roomd-parcel"));
    CHECK_FALSE(nobody.wait_for_manager(std::chrono::hours(1)));
    CHECK(nobody.variables().empty());
}

TEST_CASE("Supervisor: the manager has dealt with everything when it closes what came last") {
    const NotifyManager manager;
    Supervisor supervisor(manager.name());
    CHECK_FALSE(supervisor.wait_for_manager(std::chrono::milliseconds(10)));
    CHECK(manager.heard() == "BARRIER=1"); // and so it is closed
    std::thread listening([&manager] {
        while (manager.heard() != "BARRIER=1") {
            std::this_thread::yield();
        }
    });
    CHECK(supervisor.wait_for_manager(std::chrono::seconds(10)));
    listening.join();
}

TEST_CASE("Supervisor: its variables lead another program to the same manager") {
    const NotifyManager manager("@roomd-notify-" + std::to_string(getpid()));
    const Supervisor supervisor(manager.name(), std::chrono::seconds(3));
    const std::vector<std::string> expected{"NOTIFY_SOCKET=" + manager.name(),
                                            "WATCHDOG_USEC=3000000",
                                            "WATCHDOG_PID=" + std::to_string(getpid())};
    CHECK(supervisor.variables() == expected);
}
