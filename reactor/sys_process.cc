#include "reactor/sys.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <netdb.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h> // NOLINT: clock_gettime is POSIX, not in <ctime>
#include <unistd.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(__linux__)
#include <climits>

#include <charconv>

#include <dirent.h>
#include <sched.h>
#include <sys/prctl.h>
#else
extern char** environ; // environ(7): elsewhere every program declares it itself
#endif

// The calls that are made at start or once a tick: clocks, names, files, the process itself.
namespace roomd::sys {

namespace {

timespec read_clock(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return now;
}

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::uint64_t milliseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1000U +
           static_cast<std::uint64_t>(time.tv_usec) / 1000U;
}

#if defined(__linux__)

// proc(5), /proc/pid/statm: size and resident set, in pages.
void read_memory(ProcessUsage& usage) {
    const Fd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
    char text[128]; // NOLINT: read(2) takes an array
    const ssize_t length = file ? ::read(file.get(), text, sizeof text) : 0;
    std::uint64_t size_pages = 0;
    std::uint64_t resident_pages = 0;
    const char* const end = text + std::max<ssize_t>(length, 0);
    const auto first = std::from_chars(text, end, size_pages);
    if (first.ec != std::errc() || first.ptr == end ||
        std::from_chars(first.ptr + 1, end, resident_pages).ec != std::errc()) {
        return;
    }
    const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = size_pages * page_bytes;
    usage.resident_bytes = resident_pages * page_bytes;
}

// Since Linux 6.2 the directory's size is their number; before, it has to be read.
std::optional<std::uint64_t> count_descriptors() {
    constexpr const char* path = "/proc/self/fd";

    struct stat status {};

    if (::stat(path, &status) == 0 && status.st_size > 0) {
        return static_cast<std::uint64_t>(status.st_size);
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path), &::closedir);
    if (directory == nullptr) {
        return std::nullopt;
    }
    std::uint64_t entries = 0;
    while (::readdir(directory.get()) != nullptr) { // NOLINT(concurrency-mt-unsafe): our own
        ++entries;
    }
    constexpr std::uint64_t not_open = 3; // ".", "..", and the directory itself
    return entries > not_open ? entries - not_open : 0;
}

#endif

} // namespace

TimePoint monotonic_now() {
    const timespec now = read_clock(CLOCK_MONOTONIC);
    return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

WallTime wall_now() {
    const timespec now = read_clock(CLOCK_REALTIME);
    return static_cast<WallTime>(now.tv_sec) * 1000U +
           static_cast<WallTime>(now.tv_nsec) / 1'000'000U;
}

void random_bytes(std::span<std::byte> out) {
    if (::getentropy(out.data(), out.size()) != 0) {
        fail("getentropy");
    }
}

std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port, bool datagram) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = datagram ? SOCK_DGRAM : SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string service = std::to_string(port);
    const int status = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
    if (status != 0) {
        throw std::runtime_error("cannot resolve \"" + host + "\": " + ::gai_strerror(status));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    std::vector<SocketAddress> addresses;
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
        SocketAddress address;
        address.length = entry->ai_addrlen;
        __builtin_memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        addresses.push_back(address);
    }
    return addresses;
}

std::optional<std::uint32_t> peer_user(int fd) {
#if defined(__linux__)
    ucred peer{};
    socklen_t size = sizeof peer;
    const int status = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    // A TCP socket has no credentials, and says so by nobody's number.
    const bool known = status == 0 && peer.uid != static_cast<uid_t>(-1);
    return known ? std::optional<std::uint32_t>(peer.uid) : std::nullopt;
#else
    uid_t user = 0;
    gid_t group = 0;
    return ::getpeereid(fd, &user, &group) == 0 ? std::optional<std::uint32_t>(user) : std::nullopt;
#endif
}

UnixPath probe_unix_path(const std::string& path) {
    struct stat status {};

    if (::lstat(path.c_str(), &status) != 0) {
        return UnixPath::absent;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return UnixPath::not_a_socket;
    }
    try {
        const Fd probe = connect_begin(unix_address(path));
        return UnixPath::live;
    } catch (const std::system_error& error) {
        // EAGAIN: its backlog is full, so somebody listens (unix(7)).
        return error.code().value() == ECONNREFUSED ? UnixPath::stale : UnixPath::live;
    }
}

namespace {

bool same_file(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Created only where there is none: Linux lets not even root open another user's file in a sticky
// directory with O_CREAT (fs.protected_regular, proc(5)).
Fd open_lock(const std::string& path) {
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    Fd fd(::open(path.c_str(), flags));
    if (!fd && errno == ENOENT) {
        fd = Fd(::open(path.c_str(), flags | O_CREAT, 0600));
    }
    return fd;
}

std::string signature_of(const struct stat& status) {
    return std::to_string(status.st_dev) + " " + std::to_string(status.st_ino) + "\n";
}

// What sign_lock() has written; empty if it has not.
std::string signature_in(int lock) {
    char text[64]; // NOLINT: pread(2) takes an array
    const ssize_t size = ::pread(lock, text, sizeof text, 0);
    return size <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

} // namespace

Fd lock_beside(const std::string& path) {
    const std::string lock_path = path + ".lock";
    constexpr int attempts_max = 100; // each time another one has removed it in between
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        Fd fd = open_lock(lock_path);
        if (!fd) {
            fail(lock_path.c_str());
        }
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) {
                return {};
            }
            fail(lock_path.c_str());
        }
        struct stat held = {};
        struct stat named = {};
        if (::fstat(fd.get(), &held) == 0 && ::lstat(lock_path.c_str(), &named) == 0 &&
            same_file(held, named)) {
            return fd;
        }
    }
    return {};
}

void sign_lock(int lock, const std::string& path) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0 || ::ftruncate(lock, 0) != 0) {
        return;
    }
    const std::string text = signature_of(status);
    static_cast<void>(::pwrite(lock, text.data(), text.size(), 0) > 0);
}

void remove_own_socket(const std::string& path, int lock) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) {
        const std::string signature = lock < 0 ? std::string() : signature_in(lock);
        if (signature.empty() || signature == signature_of(status)) {
            static_cast<void>(::unlink(path.c_str()));
        }
    }
    const std::string lock_path = path + ".lock";
    struct stat held = {};
    if (lock >= 0 && ::fstat(lock, &held) == 0 && ::lstat(lock_path.c_str(), &status) == 0 &&
        same_file(held, status)) {
        static_cast<void>(
            ::unlink(lock_path.c_str())); // who waits for it looks again: lock_beside()
    }
}

std::optional<std::uint32_t> owner_of(const std::string& path) {
    struct stat status = {};
    return ::lstat(path.c_str(), &status) == 0 ? std::optional<std::uint32_t>(status.st_uid)
                                               : std::nullopt;
}

void unlink_path(const std::string& path) {
    static_cast<void>(::unlink(path.c_str()));
}

void listen_again(int fd, const std::string& path, const ListenOptions& options) {
    struct stat status {};

    const bool file = ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
    const bool change = file && (status.st_mode & 0777U) != options.mode;
    if (change && ::chmod(path.c_str(), static_cast<mode_t>(options.mode)) != 0) {
        fail("chmod");
    }
    if (::listen(fd, options.backlog) != 0) {
        fail("listen");
    }
}

std::pair<Fd, Fd> make_pipe() {
    int ends[2] = {-1, -1}; // NOLINT: pipe(2) takes an array
    if (::pipe(ends) != 0) {
        fail("pipe");
    }
    for (const int end : ends) {
        static_cast<void>(::fcntl(end, F_SETFD, FD_CLOEXEC));
        static_cast<void>(::fcntl(end, F_SETFL, ::fcntl(end, F_GETFL) | O_NONBLOCK));
    }
    return {Fd(ends[0]), Fd(ends[1])};
}

void write_byte(int fd, unsigned char byte) noexcept {
    const int saved = errno; // called from signal handlers: leave no trace
    static_cast<void>(::write(fd, &byte, 1) == 1);
    errno = saved;
}

ProcessUsage process_usage() {
    ProcessUsage usage;
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) == 0) {
        usage.cpu_ms = milliseconds(used.ru_utime) + milliseconds(used.ru_stime);
    }
#if defined(__linux__)
    read_memory(usage);
    usage.descriptors_open = count_descriptors();
#endif
    return usage;
}

void give_back_memory() noexcept {
#if defined(__GLIBC__)
    static_cast<void>(::malloc_trim(0));
#endif
}

bool run_on_cpu([[maybe_unused]] unsigned cpu) noexcept {
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set); // ignores a number beyond the set, and an empty set is refused
    return ::sched_setaffinity(0, sizeof set, &set) == 0;
#else
    return false;
#endif
}

void end_with_parent() noexcept {
#if defined(__linux__)
    static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGTERM)); // NOLINT: prctl(2) is variadic
#endif
}

Fd open_program(const std::string& path) noexcept {
#if defined(O_PATH)
    constexpr int how = O_PATH;
#else
    constexpr int how = O_RDONLY;
#endif
    return Fd(::open(path.c_str(), how | O_CLOEXEC));
}

int execute_file(int fd, char* const* arguments, char* const* variables) noexcept {
#if defined(__APPLE__)
    static_cast<void>(fd), static_cast<void>(arguments), static_cast<void>(variables);
    return ENOSYS;
#else
    ::fexecve(fd, arguments, variables);
    return errno;
#endif
}

void end_child(int child, bool leads_group) noexcept {
    if (leads_group) { // there is none before the child has made it, nor when nobody is left in it
        static_cast<void>(::kill(-child, SIGKILL));
    }
    static_cast<void>(::kill(child, SIGKILL));
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool has_terminal() noexcept {
    // O_NOCTTY, O_NONBLOCK: only asking. tty(4): ENXIO without a controlling terminal, EIO when it
    // was hung up.
    const Fd terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    return static_cast<bool>(terminal);
}

void ignore_size_limit_signal() noexcept {
    static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
}

void let_signals_in() noexcept {
    sigset_t none;
    sigemptyset(&none);
    static_cast<void>(::pthread_sigmask(SIG_SETMASK, &none, nullptr));
    // Ignored, it would take away how our children end: signal dispositions survive execve(2).
    static_cast<void>(std::signal(SIGCHLD, SIG_DFL));
}

std::string own_program([[maybe_unused]] const std::string& called) {
#if defined(__linux__)
    // A symbolic link may point to another program tomorrow, which is then the one that is meant.
    struct stat running = {};
    struct stat named = {};
    if (called.starts_with('/') && ::stat("/proc/self/exe", &running) == 0 &&
        ::stat(called.c_str(), &named) == 0 && named.st_dev == running.st_dev &&
        named.st_ino == running.st_ino) {
        return called;
    }
    char path[PATH_MAX]; // NOLINT: readlink(2) fills it
    const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
    std::string own(path, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    // Replaced between the question whether it can go on and now: its path is what counts.
    constexpr std::string_view deleted = " (deleted)";
    if (own.ends_with(deleted) && ::stat(own.c_str(), &named) != 0) {
        own.resize(own.size() - deleted.size());
    }
    return own;
#else
    return {};
#endif
}

const char* const* environment() noexcept {
    return environ;
}

void name_process([[maybe_unused]] const char* called) noexcept {
#if defined(__linux__)
    const std::string_view text(called);
    const std::size_t slash = text.rfind('/');
    static_cast<void>(
        ::prctl(PR_SET_NAME, called + (slash == std::string_view::npos ? 0 : slash + 1)));
#endif
}

std::string error_text(int error) {
    return std::generic_category().message(error);
}

} // namespace roomd::sys
