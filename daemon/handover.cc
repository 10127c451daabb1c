#include "daemon/handover.h"

#include "daemon/config.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr Duration probe_time_max = std::chrono::seconds(10);
constexpr Duration end_poll = std::chrono::milliseconds(5);
constexpr Duration manager_time_max = std::chrono::seconds(5);
constexpr std::size_t said_bytes_max = 4096; // a roomd that answers says a line

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) {
        sigaddset(&set, signal);
    }
    return set;
}

constexpr Duration log_patience = std::chrono::milliseconds(200); // everybody waits so long
// What a program takes before it has read a state.
constexpr std::uint64_t successor_bytes = 16ULL << 20U;

std::string told(const std::exception& error) {
    return dynamic_cast<const std::bad_alloc*>(&error) == nullptr
               ? error.what()
               : "there is no memory for a second copy of the state";
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
      signals_(host.signals), orders_(host.orders), arguments_(arguments),
      program_(std::move(program)) {}

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
        if (!ask(why)) {
            forget_child();
            return false;
        }
    } catch (const std::exception& error) { // no descriptor is left, or no memory
        forget_child();
        why = told(error);
        return false;
    }
    way_ = way;
    state_ = State::probing;
    said_.clear();
    deadline_ = loop_.now() + probe_time_max;
    patience_ = loop_.after(probe_time_max, *this);
    return true;
}

bool Handover::ask(std::string& why) {
    successor_ = Successor::open(program_, why);
    if (!successor_ || !has_room(why)) {
        return false;
    }
    const Fd state = question(why);
    if (!state) {
        return false;
    }
    word_ = new_proof_word();
    std::vector<std::string> words(arguments_.begin(), arguments_.end());
    words.emplace_back("--probe-state=3");
    words.push_back(std::string(proof_option) + word_);
    child_ = successor_->spawn(std::move(words), state, answer_, why);
    if (child_ < 0) {
        return false;
    }
    key_ = loop_.watch(answer_.get(), Interest::read, *this);
    return true;
}

// The state is there beside us until the next one has built its own from it. What is not enough for
// that ends us both, or is an error in a process that cannot go back any more.
bool Handover::has_room(std::string& why) const {
    const std::optional<std::uint64_t> room = sys::memory_headroom();
    const std::uint64_t wanted = server_.saved_bytes_estimate() + successor_bytes;
    if (!room || wanted <= *room) {
        return true;
    }
    constexpr unsigned mebi = 20;
    why = "there is no memory for a second copy of the state: some " +
          std::to_string(wanted >> mebi) + " MiB are needed for a moment, and " +
          std::to_string(*room >> mebi) +
          " MiB are left of what this process may have. Raise that limit (MemoryMax= of the unit), "
          "or upgrade when less is kept";
    return false;
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
    const std::optional<Proof> proof = find_proof(said_, word_);
    child_ = -1;
    end_question();
    if (good && proof) {
        log_.line(LogLevel::info, "successor",
                  {{"program", program_},
                   {"version", proof->version},
                   {"state_version", proof->state_version}});
        probed(true, {});
    } else if (good) {
        probed(false, program_ + " does not say that it is a roomd: it may be another program, or "
                                 "one that is too old to be asked. Restart instead");
    } else {
        probed(false, said_.empty() ? program_ + " ended without a word" : without_line_end(said_));
    }
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
    end_question();
    successor_.reset();
}

// A group of its own: what the child has started itself ends with it.
void Handover::end_question() {
    if (child_ > 0) {
        sys::end_child(child_, true);
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
        successor_.reset();
        orders_.upgrade_ended({false, {"this roomd is on its way out"}});
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
    successor_.reset();
    log_.line(LogLevel::error, "upgrade_refused", {{"error", why}});
    orders_.upgrade_ended({false, {why}});
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
    try {
        if (has_room(why) && commit(why)) {
            return true;
        }
    } catch (const std::exception& error) { // no memory: all that was built is gone again
        why = told(error);
    }
    give_up(why);
    return false;
}

bool Handover::commit(std::string& why) {
    ParcelEnds parcel;
    return pack(parcel, why) &&
           (way_ == Way::in_place ? execute(parcel, why) : store(std::move(parcel), why));
}

// execve(2) closes everything but the parcel, in which everything is open. A signal that comes
// before the next program listens to it waits.
bool Handover::execute(const ParcelEnds& parcel, std::string& why) {
    std::vector<std::string> words(arguments_.begin(), arguments_.end());
    std::vector<std::string> variables = supervisor_.variables();
    variables.push_back(std::string(parcel_variable) + "=" + std::to_string(parcel.receiver.get()));
    for (const char* const* entry = sys::environment(); *entry != nullptr; ++entry) {
        variables.emplace_back(*entry);
    }
    log_.line(LogLevel::info, "handing_over", {{"program", program_}});
    log_.flush(log_patience);
    const sigset_t ours = our_signals();
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &ours, &before);
    signals_.raise_unheard();
    static_cast<void>(::fcntl(parcel.receiver.get(), F_SETFD, 0));
    orders_.abandon_reload();
    orders_.upgrade_ended({true, {"handing over"}});
    why = successor_->execute(std::move(words), std::move(variables));
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
