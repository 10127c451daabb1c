#include "daemon/inheritance.h"

#include "daemon/config.h"
#include "daemon/snapshot_format.h"
#include "daemon/successor.h"
#include "protocol/event.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr std::string_view farewell_text =
    "the server was restarted and could not keep your connection; connect again, and /join "
    "with since= for what you have missed";
constexpr int farewell_reads_max = 16;

// Whether nothing is half sent: then a goodbye may follow.
bool at_border(const Snapshot& snapshot, const SavedSession& session) {
    if (session.output.empty()) {
        return true;
    }
    const SavedWindow& first = session.output.front();
    const SavedChunk& chunk = snapshot.chunks[first.chunk];
    if (chunk.kind != ChunkKind::shared) {
        return chunk.kind == ChunkKind::notice; // of own bytes nobody knows where one ends
    }
    return first.from == 0 || std::any_of(chunk.marks.begin(), chunk.marks.end(),
                                          [&](const auto& mark) { return mark.end == first.from; });
}

void say_farewell(const Fd& fd, Farewell farewell) {
    if (farewell == 0 || farewell > Dialect::count) {
        return;
    }
    std::string text;
    encode(text, Dialect::at(farewell - std::size_t{1}),
           ByeEvent{word(CloseReason::shutting_down), farewell_text});
    const iovec piece{text.data(), text.size()};
    static_cast<void>(sys::write_some(fd.get(), std::span(&piece, 1)));
    sys::shutdown_write(fd.get());
    // What has come meanwhile is read, or the close would destroy the goodbye on its way.
    std::array<char, 4096> heard{};
    const iovec into{heard.data(), heard.size()};
    int budget = farewell_reads_max;
    while (budget-- > 0 && sys::read_some(fd.get(), std::span(&into, 1)).status == IoStatus::ok) {
    }
}

} // namespace

std::vector<Farewell> farewells_of(const Snapshot& snapshot, std::size_t descriptors) {
    std::vector<Farewell> farewells;
    for (const SavedSession& session : snapshot.sessions) {
        const bool possible = session.member && at_border(snapshot, session);
        const Dialect dialect{session.decoder.framing,
                              session.member ? session.member->format : Format::human};
        farewells.push_back(possible ? static_cast<Farewell>(dialect.index() + 1) : Farewell{0});
    }
    farewells.resize(descriptors, 0);
    return farewells;
}

Inheritance Inheritance::from_environment() {
    Inheritance inheritance;
    const std::string name(parcel_variable);
    const char* const value = std::getenv(name.c_str()); // NOLINT(concurrency-mt-unsafe)
    const std::string_view text = value == nullptr ? "" : value;
    int fd = -1;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), fd);
    if (result.ec == std::errc() && fd > STDERR_FILENO && ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
        inheritance.parcel_ = Fd(fd);
    }
    ::unsetenv(name.c_str()); // NOLINT(concurrency-mt-unsafe): no threads yet
    return inheritance;
}

void Inheritance::take_from(InheritedSockets& given, Supervisor& supervisor) {
    const auto found = std::find_if(given.begin(), given.end(),
                                    [](const auto& item) { return item.first == parcel_name; });
    if (found != given.end()) {
        parcel_ = std::move(found->second);
        given.erase(found);
        static_cast<void>(supervisor.forget(parcel_name)); // else it would come again after a crash
    }
}

void Inheritance::open(Server& server, InheritedSockets& given, Log& log) {
    if (!parcel_) {
        return;
    }
    std::string error;
    std::optional<Parcel> contents = unpack_parcel(parcel_, error);
    parcel_.reset();
    if (!contents) {
        if (!error.empty()) {
            log.line(LogLevel::error, "not_continued", {{"error", error}});
        }
        return;
    }
    if (!error.empty()) { // some are missing; the others go on
        log.line(LogLevel::error, "not_all_continued", {{"error", error}});
    }
    mapped_ = std::make_unique<MappedState>(contents->state);
    std::optional<Snapshot> snapshot = decode_snapshot(mapped_->bytes(), error);
    if (!snapshot) {
        log.line(LogLevel::error, "not_continued",
                 {{"error", error}, {"connections", std::uint64_t{contents->sockets.size()}}});
        for (std::size_t index = 0; index < contents->sockets.size(); ++index) {
            say_farewell(contents->sockets[index], contents->farewells[index]);
        }
        return;
    }
    snapshot_ = std::make_unique<Snapshot>(std::move(*snapshot));
    std::vector<std::string> given_names;
    for (const auto& [name, fd] : given) {
        given_names.push_back(name);
    }
    contents_ = std::move(*contents);
    for (auto& [name, fd] : server.adopt_listeners(*snapshot_, contents_.sockets)) {
        const bool anew =
            std::find(given_names.begin(), given_names.end(), name) != given_names.end();
        if (!anew) {
            given.emplace_back(std::move(name), std::move(fd));
        }
    }
}

void Inheritance::restore(Server& server, Log& log) {
    if (snapshot_ == nullptr) {
        return;
    }
    const std::size_t lost = server.restore(*snapshot_, std::move(contents_.sockets));
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
        sys::monotonic_now().time_since_epoch());
    const auto now_us = static_cast<std::uint64_t>(now.count());
    log.line(lost == 0 ? LogLevel::info : LogLevel::error, "continued",
             {{"connections", std::uint64_t{server.session_count()}},
              {"lost", std::uint64_t{lost}},
              {"from_version", snapshot_->made_by},
              {"pause_us", now_us - std::min(now_us, snapshot_->frozen_us)}});
    snapshot_.reset();
    mapped_.reset();
    contents_ = {};
}

namespace {

// Throws where one of the addresses is not to be had: then the process that has the connections
// had better keep them.
void rehearse(const Config& given, const Snapshot& snapshot) {
    InheritedSockets inherited;
    HandedSockets handed;
    std::vector<std::string> names;
    const std::string commanded =
        given.admin ? asked_by("--admin", to_string(*given.admin)) : std::string();
    bool commands_stay = !given.admin;
    for (const SavedListener& listener : snapshot.listeners) {
        if (listener.uri.starts_with("--admin ")) { // it is closed there and opened here
            commands_stay = commands_stay || listener.uri == commanded;
        } else if (listener.name.empty()) {
            handed.push_back({std::string(listener.uri), std::string(listener.address),
                              listener.datagram, Fd(), Fd()});
        } else {
            names.emplace_back(listener.name);
            inherited.emplace_back(listener.name, Fd());
        }
    }
    const Config config = Server::with_inherited(given, names);
    ListenRules rules{"--listen", 1, config.insecure_public, false, &inherited, &handed};
    for (const ListenerSpec& spec : config.listeners) {
        rules.only_local = spec.debug;
        rehearse_listen_sockets(spec.endpoint, spec.uri, rules);
    }
    rules.only_local = false;
    if (config.metrics) {
        rules.option = "--metrics";
        rehearse_listen_sockets(*config.metrics, to_string(*config.metrics), rules);
    }
    if (!commands_stay) {
        rules.option = "--admin";
        rehearse_listen_sockets(*config.admin, to_string(*config.admin), rules);
    }
}

} // namespace

int probe_state(int descriptor, std::string_view word, const Config& config) {
    const Fd state(descriptor);
    const MappedState mapped(state);
    std::string error;
    if (const std::optional<Snapshot> snapshot = decode_snapshot(mapped.bytes(), error); snapshot) {
        try {
            rehearse(config, *snapshot);
            static_cast<void>(std::fputs(proof_of(word).c_str(), stdout));
            return std::fflush(stdout) == 0 ? EX_OK : EX_IOERR;
        } catch (const std::exception& failure) {
            error = failure.what();
        }
    }
    static_cast<void>(
        std::fprintf(stderr, "roomd %s: %s\n", std::string(version()).c_str(), error.c_str()));
    return EX_DATAERR;
}

} // namespace roomd
