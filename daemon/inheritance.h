// Inheritance — what the process before this one has left, and how it goes on here.
//
// Owned by main, from before the listeners are opened until after. All or nothing: either every
// connection of the parcel whose socket is there goes on, or each gets a goodbye in its own words
// and the log says why.
#pragma once

#include "daemon/listen_sockets.h"
#include "daemon/log.h"
#include "daemon/parcel.h"
#include "daemon/server.h"
#include "daemon/snapshot.h"
#include "daemon/supervisor.h"

#include <memory>
#include <string_view>
#include <vector>

namespace roomd {

/// In place: names the parcel's descriptor.
inline constexpr std::string_view parcel_variable = "ROOMD_PARCEL";

class Inheritance {
public:
    /// Takes the parcel out of the environment, so that no child inherits it, and before anybody
    /// reads the configuration from there. Before there are threads.
    [[nodiscard]] static Inheritance from_environment();

    /// Or out of what the service manager has given, and the manager forgets it.
    void take_from(InheritedSockets& given, Supervisor& supervisor);

    [[nodiscard]] bool present() const { return static_cast<bool>(parcel_); }

    /// Opens the parcel, if there is one: the server gets its listening sockets; those that a
    /// service manager had opened join what it has given now, unless it gives them anew. If it
    /// cannot be read everybody in it is told, and there is nothing to continue.
    void open(Server& server, InheritedSockets& given, Log& log);
    /// After the listeners are open, or could not be: the connections go on.
    void restore(Server& server, Log& log);

private:
    Fd parcel_;
    Parcel contents_;
    std::unique_ptr<MappedState> mapped_; // what the snapshot's views point into
    std::unique_ptr<Snapshot> snapshot_;
};

/// How to say goodbye to each of `descriptors` descriptors: the snapshot's connections, then
/// others, to whom nothing is said.
[[nodiscard]] std::vector<Farewell> farewells_of(const Snapshot& snapshot, std::size_t descriptors);

/// The whole life of a child that is asked: reads the state behind `descriptor`, tries the
/// addresses of `config` that are not in it, and says on stderr what is wrong. Returns the exit
/// status, 0 if all could be taken over; then it has proved with `word` who it is (successor.h).
[[nodiscard]] int probe_state(int descriptor, std::string_view word, const Config& config);

} // namespace roomd
