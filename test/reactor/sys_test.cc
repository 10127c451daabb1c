#include "reactor/sys.h"

#include "test/reactor/streams.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace roomd {

namespace {

/// A directory that goes with what is in it.
class Folder {
public:
    Folder() { REQUIRE(::mkdtemp(name_.data()) != nullptr); }

    ~Folder() {
        for (const char* const file : {"sock", "sock.lock", "link.lock", "other"}) {
            sys::unlink_path(path(file));
        }
        ::rmdir(name_.data());
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    Folder(Folder&&) = delete;
    Folder& operator=(Folder&&) = delete;

    [[nodiscard]] std::string path(const char* file) const {
        return std::string(name_.data()) + "/" + file;
    }

private:
    std::array<char, 24> name_{"/tmp/roomd-sys-XXXXXX"};
};

mode_t mode_of(const std::string& path) {
    struct stat status {};

    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 0777U;
}

iovec piece(std::span<char> bytes) {
    return {bytes.data(), bytes.size()};
}

bool inherited_by_children(const Fd& fd) {
    return (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) == 0;
}

bool blocking(const Fd& fd) {
    return (::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) == 0;
}

} // namespace

TEST_CASE("sys: a Unix path is absent, live, stale or somebody's file") {
    const Folder folder;
    const std::string path = folder.path("sock");
    CHECK(sys::probe_unix_path(path) == sys::UnixPath::absent);
    {
        const Fd listener = sys::listen_stream(unix_address(path), {});
        CHECK(sys::probe_unix_path(path) == sys::UnixPath::live);
    }
    CHECK(sys::probe_unix_path(path) == sys::UnixPath::stale); // closed, never removed
    CHECK_THROWS_AS(static_cast<void>(sys::listen_stream(unix_address(path), {})),
                    std::system_error);
    std::ofstream(folder.path("other")) << "letters";
    CHECK(sys::probe_unix_path(folder.path("other")) == sys::UnixPath::not_a_socket);
}

TEST_CASE("sys: a Unix path whose backlog is full is live all the same") {
    const Folder folder;
    const std::string path = folder.path("sock");
    const Fd listener = sys::listen_stream(unix_address(path), {.backlog = 1});
    std::vector<Fd> callers;
    bool full = false;
    for (int count = 0; count < 10 && !full; ++count) {
        try {
            callers.push_back(sys::connect_begin(unix_address(path)));
        } catch (const std::system_error& error) {
            full = error.code().value() == EAGAIN;
        }
    }
    CHECK(full);
    CHECK(sys::probe_unix_path(path) == sys::UnixPath::live);
}

TEST_CASE("sys: a Unix socket is made with the mode asked for, whatever the umask") {
    const Folder folder;
    const std::string path = folder.path("sock");
    for (const mode_t mask : {0U, 022U, 0777U}) {
        const mode_t before = ::umask(mask);
        for (const std::uint32_t mode : {0600U, 0660U, 0666U}) {
            const Fd listener = sys::listen_stream(unix_address(path), {.mode = mode});
            CHECK(mode_of(path) == mode);
            sys::unlink_path(path);
        }
        CHECK(::umask(before) == mask); // and puts it back
    }
}

TEST_CASE("sys: the lock beside a path is one process's at a time, and private") {
    const Folder folder;
    const std::string path = folder.path("sock");
    Fd first = sys::lock_beside(path);
    REQUIRE(first);
    CHECK(mode_of(path + ".lock") == 0600);
    CHECK_FALSE(inherited_by_children(first));
    CHECK_FALSE(sys::lock_beside(path)); // another description, as another process has
    first.reset();
    CHECK(sys::lock_beside(path)); // the file that stayed is no obstacle
    CHECK_THROWS_AS(static_cast<void>(sys::lock_beside(folder.path("none/sock"))),
                    std::system_error);
}

TEST_CASE("sys: the lock does not follow a link that somebody laid there") {
    const Folder folder;
    REQUIRE(::symlink(folder.path("other").c_str(), folder.path("link.lock").c_str()) == 0);
    CHECK_THROWS_AS(static_cast<void>(sys::lock_beside(folder.path("link"))), std::system_error);
    CHECK(sys::probe_unix_path(folder.path("other")) == sys::UnixPath::absent);
}

TEST_CASE("sys: reading tells bytes, emptiness, the end and failure apart") {
    auto [ours, theirs] = connected(Medium::tcp);
    std::array<char, 4> first{};
    std::array<char, 4> second{};
    const std::array pieces{piece(first), piece(second)};
    CHECK(sys::read_some(ours.get(), pieces).status == IoStatus::would_block);
    Peer peer(std::move(theirs));
    peer.say("abcdef");
    await(ours, POLLIN);
    const IoResult result = sys::read_some(ours.get(), pieces);
    CHECK(result.status == IoStatus::ok);
    CHECK(result.bytes == 6);
    CHECK(std::string(first.data(), 4) + std::string(second.data(), 2) == "abcdef");
    peer.finish();
    await(ours, POLLIN);
    CHECK(sys::read_some(ours.get(), pieces).status == IoStatus::end);

    auto [torn, other] = connected(Medium::tcp);
    Peer(std::move(other)).vanish();
    await(torn, POLLIN);
    const IoResult failure = sys::read_some(torn.get(), pieces);
    CHECK(failure.status == IoStatus::failed);
    CHECK(failure.error == ECONNRESET);
    CHECK(sys::read_some(sys::make_pipe().second.get(), pieces).error == EBADF);
}

TEST_CASE("sys: writing takes what fits, then would block, and fails without a signal") {
    auto [ours, theirs] = connected(Medium::unix_socket);
    std::string text(100'000, 'x');
    const std::array pieces{piece(text), piece(text)};
    std::size_t total = 0;
    IoResult result{IoStatus::ok};
    while (result.status == IoStatus::ok) {
        result = sys::write_some(ours.get(), pieces);
        total += result.bytes;
    }
    CHECK(result.status == IoStatus::would_block);
    CHECK(result.error == 0);
    CHECK(total > 0);
    theirs.reset();
    result = sys::write_some(ours.get(), pieces); // SIGPIPE would end the test here
    CHECK(result.status == IoStatus::failed);
    CHECK(result.error == EPIPE);
}

TEST_CASE("sys: more pieces than one call may carry are not an error") {
    auto [ours, theirs] = connected(Medium::unix_socket);
    char byte = 'x';
    const std::vector<iovec> pieces(2000, iovec{&byte, 1});
    const IoResult result = sys::write_some(ours.get(), pieces);
    CHECK(result.status == IoStatus::ok);
    CHECK(result.bytes == 1024);
}

TEST_CASE("sys: a datagram comes with its sender, cut to the space there is") {
    const Fd server = sys::bind_datagram(sys::resolve("127.0.0.1", 0, true).at(0));
    const Fd client = sys::bind_datagram(sys::resolve("127.0.0.1", 0, true).at(0));
    std::array<std::byte, 5> space{};
    SocketAddress sender;
    CHECK(sys::receive_datagram(server.get(), space, sender).status == IoStatus::would_block);
    const SocketAddress to = sys::local_address(server.get());
    const auto* const raw = reinterpret_cast<const sockaddr*>(&to.storage); // NOLINT
    for (const std::string_view text : {"longer than five", ""}) {
        REQUIRE(::sendto(client.get(), text.data(), text.size(), 0, raw, to.length) >= 0);
        await(server, POLLIN);
        const IoResult result = sys::receive_datagram(server.get(), space, sender);
        CHECK(result.status == IoStatus::ok);
        CHECK(result.bytes == std::min<std::size_t>(text.size(), 5));
        CHECK(to_string(sender) == to_string(sys::local_address(client.get())));
    }
}

TEST_CASE("sys: every descriptor is non-blocking and closed on exec, also an accepted one") {
    const Fd listener = sys::listen_stream(sys::resolve("127.0.0.1", 0, false).at(0), {});
    const Fd client = sys::connect_begin(sys::local_address(listener.get()));
    await(listener, POLLIN);
    const sys::AcceptResult accepted = sys::accept_one(listener.get());
    auto [read_end, write_end] = sys::make_pipe();
    for (const Fd* const fd :
         std::array<const Fd*, 5>{&listener, &client, &accepted.fd, &read_end, &write_end}) {
        CHECK_FALSE(blocking(*fd));
        CHECK_FALSE(inherited_by_children(*fd));
    }
    CHECK(to_string(accepted.peer) == to_string(sys::local_address(client.get())));
    CHECK(to_string(sys::peer_address(client.get())) ==
          to_string(sys::local_address(listener.get())));
    CHECK(sys::accept_one(listener.get()).status == sys::AcceptStatus::would_block);
    CHECK(sys::accept_one(client.get()).status == sys::AcceptStatus::failed);
    CHECK_FALSE(inherited_by_children(sys::reserve_descriptor()));
}

TEST_CASE("sys: a port in use is told, one in TIME_WAIT is taken") {
    SocketAddress address;
    {
        const Fd listener = sys::listen_stream(sys::resolve("127.0.0.1", 0, false).at(0), {});
        address = sys::local_address(listener.get());
        try {
            static_cast<void>(sys::listen_stream(address, {}));
            FAIL_CHECK("two listeners on one port");
        } catch (const std::system_error& error) {
            CHECK(error.code().value() == EADDRINUSE);
        }
        const Fd client = sys::connect_begin(address);
        await(listener, POLLIN);
        const Fd accepted = sys::accept_one(listener.get()).fd; // closed first: TIME_WAIT is ours
    }
    CHECK(sys::listen_stream(address, {}));
}

TEST_CASE("sys: connecting to nobody is told, at once or by connect_error") {
    Fd listener = sys::listen_stream(sys::resolve("127.0.0.1", 0, false).at(0), {});
    const SocketAddress address = sys::local_address(listener.get());
    const Fd reached = sys::connect_begin(address);
    await(reached, POLLOUT);
    CHECK(sys::connect_error(reached.get()) == 0);
    listener.reset();
    int error = 0;
    try {
        const Fd refused = sys::connect_begin(address);
        await(refused, POLLOUT);
        error = sys::connect_error(refused.get());
    } catch (const std::system_error& thrown) {
        error = thrown.code().value();
    }
    CHECK(error == ECONNREFUSED);
    CHECK_THROWS_AS(static_cast<void>(sys::connect_begin(unix_address("/nonexistent/sock"))),
                    std::system_error);
}

TEST_CASE("sys: a name that does not resolve is named in the error") {
    try {
        static_cast<void>(sys::resolve("256.256.256.256.invalid", 1, false));
        FAIL_CHECK("resolved");
    } catch (const std::runtime_error& error) {
        CHECK(std::string_view(error.what()).find("256.256.256.256.invalid") !=
              std::string_view::npos);
    }
}

TEST_CASE("sys: the clock never goes back, and chance is not constant") {
    TimePoint last = sys::monotonic_now();
    for (int count = 0; count < 1000; ++count) {
        const TimePoint now = sys::monotonic_now();
        CHECK(now >= last);
        last = now;
    }
    CHECK(sys::wall_now() > 1'700'000'000'000ULL); // milliseconds, after 2023
    std::array<std::byte, 16> one{};
    std::array<std::byte, 16> other{};
    sys::random_bytes(one);
    sys::random_bytes(other);
    CHECK(one != other);
}

TEST_CASE("sys: write_byte leaves errno as it was, also when the pipe is full") {
    auto [read_end, write_end] = sys::make_pipe();
    for (int count = 0; count < 70'000; ++count) {
        sys::write_byte(write_end.get(), 1);
    }
    errno = 42;
    sys::write_byte(write_end.get(), 1);
    CHECK(errno == 42);
}

} // namespace roomd
