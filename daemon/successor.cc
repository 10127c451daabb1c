#include "daemon/successor.h"

#include "daemon/config.h"
#include "daemon/snapshot_format.h"
#include "reactor/sys.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr int state_descriptor = 3; // the child's
constexpr int first_free = 4;       // ours must not be in its way
constexpr std::string_view proof_begin = "roomd-goes-on ";

std::string text_of(int error) {
    return std::generic_category().message(error);
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

// A program that may be executed and not read is no script: its interpreter could not read it.
bool is_script(const std::string& file) {
    const Fd readable(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    std::array<char, 2> begin{};
    return readable && ::read(readable.get(), begin.data(), begin.size()) == 2 && begin[0] == '#' &&
           begin[1] == '!';
}

std::string by_descriptor(const Fd& file) {
    return "/proc/self/fd/" + std::to_string(file.get());
}

bool same_file(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// All signals as they are for a program that a shell starts: what we do with them is our own.
void set_signals(posix_spawnattr_t& attributes) {
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    sigset_t usual;
    sigemptyset(&usual);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) {
        sigaddset(&usual, signal);
    }
    posix_spawnattr_setsigdefault(&attributes, &usual);
}

} // namespace

std::optional<Successor> Successor::open(const std::string& path, std::string& why) {
    const Fd found = sys::open_program(path);
    Fd file(found ? ::fcntl(found.get(), F_DUPFD_CLOEXEC, first_free) : -1);
    if (!file) {
        why = path + " cannot be run: " + text_of(errno);
        return std::nullopt;
    }
    Successor successor(path, std::move(file));
    if (::fstat(successor.file_.get(), &successor.asked_) != 0 ||
        !S_ISREG(successor.asked_.st_mode)) {
        why = path + " cannot be run: it is no regular file";
        return std::nullopt;
    }
    successor.script_ = is_script(by_descriptor(successor.file_));
    return successor;
}

pid_t Successor::spawn(std::vector<std::string> arguments, const Fd& state, Fd& answer,
                       std::string& why) const {
    auto [read_end, write_end] = sys::make_pipe();
    std::vector<char*> argv = pointers_to(arguments);
    posix_spawn_file_actions_t files{};
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, write_end.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, write_end.get(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&files, state.get(), state_descriptor);
    posix_spawnattr_t attributes{};
    posix_spawnattr_init(&attributes);
    set_signals(attributes);
    posix_spawnattr_setpgroup(&attributes, 0); // what it starts itself ends with it
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    pid_t child = -1;
    const std::string file = script_ ? path_ : by_descriptor(file_);
    const int error = ::posix_spawn(&child, file.c_str(), &files, &attributes, argv.data(),
                                    const_cast<char* const*>(sys::environment())); // NOLINT: read
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) {
        why = path_ + " cannot be run: " + text_of(error);
        return -1;
    }
    answer = std::move(read_end);
    return child;
}

// A file may be written to after its child has ended: then it is another program.
std::string Successor::changed() const {
    struct stat now = {};
    if (::fstat(file_.get(), &now) != 0 || now.st_size != asked_.st_size ||
        now.st_mtime != asked_.st_mtime) {
        return path_ + " has been written to since it was asked";
    }
    if (script_ && (::stat(path_.c_str(), &now) != 0 || !same_file(now, asked_))) {
        return path_ + " is another script than the one that was asked";
    }
    return {};
}

std::string Successor::execute(std::vector<std::string> arguments,
                               std::vector<std::string> variables) const {
    if (std::string why = changed(); !why.empty()) {
        return why;
    }
    const std::vector<char*> argv = pointers_to(arguments);
    const std::vector<char*> environment = pointers_to(variables);
    if (script_) {
        ::execve(path_.c_str(), argv.data(), environment.data());
        return path_ + " cannot be executed: " + text_of(errno);
    }
    return path_ + " cannot be executed: " +
           text_of(sys::execute_file(file_.get(), argv.data(), environment.data()));
}

std::string new_proof_word() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<std::byte, 16> bytes{};
    sys::random_bytes(bytes);
    std::string word;
    for (const std::byte byte : bytes) {
        word += digits[std::to_integer<std::size_t>(byte) >> 4U];
        word += digits[std::to_integer<std::size_t>(byte) & 0x0fU];
    }
    return word;
}

std::string proof_of(std::string_view word) {
    std::string line(proof_begin);
    line.append(word).append(" ").append(version()).append(" ");
    return line + std::to_string(snapshot_version()) + "\n";
}

std::optional<Proof> find_proof(std::string_view said, std::string_view word) {
    const std::string begin = std::string(proof_begin) + std::string(word) + " ";
    while (!word.empty() && !said.empty()) {
        const std::size_t end = said.find('\n');
        const std::string_view line = said.substr(0, end);
        if (end == std::string_view::npos) {
            break; // half a line is no proof
        }
        if (line.starts_with(begin)) {
            const std::string_view rest = line.substr(begin.size());
            const std::size_t space = rest.find(' ');
            if (space != std::string_view::npos && space > 0 && space + 1 < rest.size()) {
                return Proof{std::string(rest.substr(0, space)),
                             std::string(rest.substr(space + 1))};
            }
        }
        said.remove_prefix(end + 1);
    }
    return std::nullopt;
}

} // namespace roomd
