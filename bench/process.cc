#include "bench/process.h"

#include "reactor/fd.h"
#include "reactor/sys.h"

#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h> // NOLINT: nanosleep is POSIX, not in <ctime>
#include <unistd.h>

namespace roomd::bench {

namespace {

constexpr int term_patience_ms = 2000;
constexpr int look_again_ms = 5;

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

void pause_ms(int milliseconds) {
    const timespec time{0, milliseconds * 1'000'000L};
    static_cast<void>(::nanosleep(&time, nullptr));
}

/// Nanoseconds on a processor, of all threads that there are now.
std::optional<std::uint64_t> cpu_ns_of(const std::string& directory) {
    std::error_code error;
    std::optional<std::uint64_t> total;
    for (std::filesystem::directory_iterator thread(directory + "/task", error), end;
         !error && thread != end; thread.increment(error)) {
        std::ifstream file(thread->path() / "schedstat");
        std::uint64_t ns = 0;
        if (file >> ns) { // a thread that has just ended has none
            total = total.value_or(0) + ns;
        }
    }
    return total;
}

std::optional<std::uint64_t> resident_bytes_of(const std::string& directory) {
    std::ifstream file(directory + "/status");
    constexpr std::string_view key = "VmRSS:";
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key)) {
            continue;
        }
        const std::size_t digits = line.find_first_of("0123456789");
        std::uint64_t kilobytes = 0;
        if (digits == std::string::npos ||
            std::from_chars(line.data() + digits, line.data() + line.size(), kilobytes).ec !=
                std::errc()) {
            return std::nullopt;
        }
        return kilobytes * 1024;
    }
    return std::nullopt;
}

/// The child's side: becomes the program, or says through `report` why not. Only what is safe
/// between fork(2) and execve(2).
[[noreturn]] void become(char* const* arguments, int log, int cpu, int report) {
    sys::end_with_parent();
    if (cpu >= 0) {
        static_cast<void>(sys::run_on_cpu(static_cast<unsigned>(cpu)));
    }
    static_cast<void>(::setpgid(0, 0)); // Ctrl-C is for roombench, which ends it in its own time
    static_cast<void>(::dup2(log, STDOUT_FILENO));
    static_cast<void>(::dup2(log, STDERR_FILENO));
    // What roombench ignores is not for its servers: ignored signals survive execve(2).
    for (const int signal : {SIGPIPE, SIGXFSZ}) {
        static_cast<void>(
            ::signal(signal, SIG_DFL)); // NOLINT: safe behind fork(2), signal-safety(7)
    }
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    static_cast<void>(::dup2(nothing, STDIN_FILENO));
    ::execvp(arguments[0], arguments);
    const int error = errno;
    static_cast<void>(::write(report, &error, sizeof error) == sizeof error);
    ::_exit(127);
}

/// Waits until the child has become its program: then the other end is closed. 0, or why not.
int wait_for_exec(int fd) {
    int error = 0;
    ssize_t size = 0;
    do {
        size = ::read(fd, &error, sizeof error);
    } while (size < 0 && errno == EINTR);
    return size == static_cast<ssize_t>(sizeof error) ? error : 0;
}

} // namespace

std::optional<Usage> usage_of(pid_t pid) {
    if (pid <= 0) {
        return std::nullopt;
    }
    const std::string directory = "/proc/" + std::to_string(pid);
    const auto cpu_ns = cpu_ns_of(directory);
    const auto resident = resident_bytes_of(directory);
    if (!cpu_ns || !resident) {
        return std::nullopt;
    }
    return Usage{static_cast<double>(*cpu_ns) * 1e-9, *resident};
}

double own_cpu_seconds() {
    rusage usage{};
    static_cast<void>(::getrusage(RUSAGE_SELF, &usage));
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

Process::Process(const std::vector<std::string>& arguments, const std::string& log, int cpu) {
    const Fd log_file(
        ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)); // NOLINT: variadic
    if (!log_file) {
        throw std::system_error(errno, std::generic_category(), log);
    }
    std::vector<std::string> copies = arguments; // execvp(3) wants them writable
    std::vector<char*> pointers;
    pointers.reserve(copies.size() + 1);
    for (std::string& argument : copies) {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    std::array<int, 2> ends{-1, -1};
    if (::pipe(ends.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe");
    }
    const Fd report_reader(ends[0]);
    Fd report_writer(ends[1]);
    for (const int end : ends) {
        static_cast<void>(::fcntl(end, F_SETFD, FD_CLOEXEC)); // NOLINT: variadic
    }
    pid_ = ::fork();
    if (pid_ < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (pid_ == 0) {
        become(pointers.data(), log_file.get(), cpu, report_writer.get());
    }
    report_writer.reset();
    if (const int error = wait_for_exec(report_reader.get()); error != 0) {
        static_cast<void>(::waitpid(pid_, nullptr, 0));
        throw std::system_error(error, std::generic_category(), arguments.front());
    }
}

Process::~Process() {
    if (!running()) {
        return;
    }
    static_cast<void>(::kill(pid_, SIGTERM));
    for (int waited_ms = 0; waited_ms < term_patience_ms; waited_ms += look_again_ms) {
        pause_ms(look_again_ms);
        if (!running()) {
            return;
        }
    }
    static_cast<void>(::kill(pid_, SIGKILL));
    static_cast<void>(::waitpid(pid_, nullptr, 0));
}

bool Process::running() {
    if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = -1;
    }
    return pid_ > 0;
}

} // namespace roomd::bench
