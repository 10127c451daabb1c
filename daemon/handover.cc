#include "daemon/handover.h"

#include "daemon/config.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr Duration probe_time_max = std::chrono::seconds(10);
constexpr Duration end_poll = std::chrono::milliseconds(5);
constexpr Duration manager_time_max = std::chrono::seconds(5);
constexpr std::size_t said_bytes_max = 4096; // a roomd that answers says a line
constexpr int state_descriptor = 3;          // the child's

std::string text_of(int error) {
    return std::generic_category().message(error);
}

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) {
        sigaddset(&set, signal);
    }
    return set;
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

std::string without_line_end(std::string text) {
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    return text;
}

} // namespace

Handover::Handover(const HandoverHost& host, std::span<char*> arguments, std::string program)
    : loop_(host.loop), server_(host.server), log_(host.log), supervisor_(host.supervisor),
      signals_(host.signals), arguments_(arguments), program_(std::move(program)) {}

Handover::~Handover() {
    forget_child();
}

bool Handover::begin(std::string& why) {
    return probe(Way::in_place, why);
}

bool Handover::leave(std::string& why) {
    if (!supervisor_.present()) {
        why = "there is no service manager to keep the connections";
        return false;
    }
    if (state_ != State::idle &&
        !server_.stopping()) { // whoever it is that goes on, it is asked already
        way_ = Way::by_store;
        return true;
    }
    return probe(Way::by_store, why);
}

// Asks whether what is at our path now could go on from here.
bool Handover::probe(Way way, std::string& why) {
    if (state_ != State::idle) {
        why = "a handover is under way already";
        return false;
    }
    if (server_.stopping()) {
        why = "this roomd is on its way out already";
        return false;
    }
    if (program_.empty()) {
        why = "this system does not say where the program is";
        return false;
    }
    try {
        const Fd state = question(why);
        if (!state || !spawn(state, why)) {
            return false;
        }
        key_ = loop_.watch(answer_.get(), Interest::read, *this);
    } catch (const std::system_error& error) { // no descriptor is left, or no memory
        forget_child();
        why = error.what();
        return false;
    }
    way_ = way;
    state_ = State::probing;
    said_.clear();
    deadline_ = loop_.now() + probe_time_max;
    patience_ = loop_.after(probe_time_max, *this);
    return true;
}

bool Handover::spawn(const Fd& state, std::string& why) {
    auto [read_end, write_end] = sys::make_pipe();
    std::vector<std::string> words(arguments_.begin(), arguments_.end());
    words.push_back("--probe-state=" + std::to_string(state_descriptor));
    std::vector<char*> argv = pointers_to(words);
    posix_spawn_file_actions_t files{};
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, write_end.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, write_end.get(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&files, state.get(), state_descriptor);
    posix_spawnattr_t attributes{};
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    const sigset_t defaults = our_signals();
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int error =
        ::posix_spawn(&child_, program_.c_str(), &files, &attributes, argv.data(),
                      const_cast<char* const*>(sys::environment())); // NOLINT: not written to
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) {
        child_ = -1;
        why = program_ + " cannot be run: " + text_of(error);
        return false;
    }
    answer_ = std::move(read_end);
    return true;
}

void Handover::on_ready(Ready /*ready*/) {
    std::array<char, 512> bytes{};
    while (true) {
        const iovec piece{bytes.data(), bytes.size()};
        const IoResult result = sys::read_some(answer_.get(), std::span(&piece, 1));
        if (result.status == IoStatus::would_block) {
            return;
        }
        if (result.status != IoStatus::ok) {
            break; // it has closed its end: it is over, or as good as
        }
        said_.append(bytes.data(), result.bytes);
        if (said_.size() >= said_bytes_max) {
            forget_child();
            probed(false, program_ + " says too much to be a roomd that could go on");
            return;
        }
    }
    loop_.forget(key_, answer_.get());
    key_ = {};
    look_after_child();
}

// Who closes its end is about to end; but one that does not is no reason to stand still here.
void Handover::look_after_child() {
    int status = 0;
    const pid_t ended = ::waitpid(child_, &status, WNOHANG);
    if (ended == 0) {
        loop_.cancel(patience_);
        patience_ = loop_.after(std::min(end_poll, deadline_ - loop_.now()), *this);
        return;
    }
    const bool good = ended == child_ && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    child_ = -1;
    forget_child();
    probed(good, said_.empty() ? program_ + " ended without a word" : without_line_end(said_));
}

void Handover::on_timer(TimerKey /*key*/) {
    patience_ = {};
    if (!key_ && loop_.now() < deadline_) {
        look_after_child();
        return;
    }
    forget_child();
    probed(false, program_ + " has not answered in time");
}

void Handover::forget_child() {
    if (child_ > 0) {
        ::kill(child_, SIGKILL);
        while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
        }
        child_ = -1;
    }
    if (key_) {
        loop_.forget(key_, answer_.get());
        key_ = {};
    }
    answer_.reset();
    loop_.cancel(patience_);
    patience_ = {};
}

void Handover::probed(bool good, const std::string& why) {
    if (server_.stopping()) { // told to end meanwhile: everybody gets a goodbye
        state_ = State::idle;
    } else if (good) {
        state_ = State::due;
        loop_.stop();
    } else {
        give_up(why);
    }
}

// Nothing has been given up, so nothing has to be put right. Who wanted to end ends with a goodbye.
void Handover::give_up(const std::string& why) {
    state_ = State::idle;
    log_.line(LogLevel::error, "upgrade_refused", {{"error", why}});
    if (way_ == Way::by_store) {
        supervisor_.stopping("saying goodbye");
        server_.stop();
    }
}

bool Handover::carry_out() {
    state_ = State::idle;
    loop_.go_on();
    if (server_.stopping()) { // told so in the same tick: its listeners are closed already
        return false;
    }
    std::string why;
    ParcelEnds parcel;
    if (!pack(parcel, why)) {
        give_up(why);
        return false;
    }
    if (way_ == Way::in_place ? execute(parcel, why) : store(std::move(parcel), why)) {
        return true;
    }
    give_up(why);
    return false;
}

// execve(2) closes everything but the parcel, in which everything is open. A signal that comes
// before the next program listens to it waits.
bool Handover::execute(const ParcelEnds& parcel, std::string& why) {
    log_.line(LogLevel::info, "handing_over", {{"program", program_}});
    log_.flush();
    std::vector<std::string> words(arguments_.begin(), arguments_.end());
    std::vector<std::string> variables = supervisor_.variables();
    variables.push_back(std::string(parcel_variable) + "=" + std::to_string(parcel.receiver.get()));
    for (const char* const* entry = sys::environment(); *entry != nullptr; ++entry) {
        variables.emplace_back(*entry);
    }
    const sigset_t ours = our_signals();
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &ours, &before);
    signals_.raise_unheard();
    static_cast<void>(::fcntl(parcel.receiver.get(), F_SETFD, 0));
    ::execve(program_.c_str(), pointers_to(words).data(), pointers_to(variables).data());
    why = program_ + " cannot be executed: " + text_of(errno);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return false;
}

bool Handover::store(ParcelEnds parcel, std::string& why) {
    supervisor_.stopping("handing over");
    if (!supervisor_.store(parcel.receiver, parcel_name) ||
        !supervisor_.wait_for_manager(manager_time_max)) {
        static_cast<void>(supervisor_.forget(parcel_name));
        why = "the service manager does not answer";
        return false;
    }
    parcel.receiver.reset();
    if (abandoned(parcel.sender)) { // nobody has it: it was closed instead of kept
        why = "the service manager keeps no descriptors for this unit; FileDescriptorStoreMax= "
              "allows it";
        return false;
    }
    log_.line(LogLevel::info, "handed_over",
              {{"connections", std::uint64_t{server_.session_count()}}});
    return true;
}

} // namespace roomd
