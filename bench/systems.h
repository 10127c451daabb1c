// Systems — the servers that roombench knows how to start: roomd, its peers from the machine's
// packages, and the floor. Each on a free port of loopback, on one processor, keeping nothing on
// disk, and with limits that no well-behaved load runs into; in a `slow` scenario with the limits
// it comes with, because what those do is then the question.
//
// A Started owns its process and its files; both are gone when it is. Knows nothing of what is
// sent: that is the wire's.
#pragma once

#include "bench/process.h"
#include "bench/run.h"
#include "bench/scenario.h"

#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::bench {

inline constexpr std::string_view roomd_system = "roomd";
inline constexpr std::string_view floor_system = "floor";

/// Where servers are started from.
struct Ground {
    std::string directory; // ours alone; configurations and logs go there
    std::string roomd;     // the program
    std::string roombench; // this program, which is the floor too
    int cpu = -1;          // the server's processor; -1: any
};

/// All of them: "roomd", "redis", "nats", "mosquitto", "floor".
[[nodiscard]] const std::vector<std::string>& system_names();

/// How it is spoken to in this scenario.
[[nodiscard]] const Wire& wire_of(std::string_view system, const Scenario& scenario);

/// Why this system cannot take part in this scenario, as the end of a sentence that begins with its
/// name; empty if it can.
[[nodiscard]] std::string_view unable(std::string_view system, const Scenario& scenario);

/// Why it cannot be started here, as a sentence that names the package; empty if it can.
[[nodiscard]] std::string missing(std::string_view system, const Ground& ground);

/// What it says when asked for its version, one line; empty if it says nothing.
[[nodiscard]] std::string version_of(std::string_view system, const Ground& ground);

class Started {
public:
    /// Starts the server and waits until it accepts. Throws std::runtime_error with the last it
    /// said when it does not within ten seconds, or `interrupted` is set; std::system_error when
    /// the program cannot be run.
    Started(std::string_view system, const Scenario& scenario, const Ground& ground,
            const volatile std::sig_atomic_t* interrupted);
    ~Started();
    Started(const Started&) = delete;
    Started& operator=(const Started&) = delete;
    Started(Started&&) = delete;
    Started& operator=(Started&&) = delete;

    [[nodiscard]] const Server& server() const { return server_; }

    /// Empty while it runs; else that it ended by itself, and the last it said.
    [[nodiscard]] std::string ended();

private:
    void wait_until_it_accepts(const volatile std::sig_atomic_t* interrupted);

    std::string log_;
    std::vector<std::string> files_; // to be removed
    std::optional<Process> process_;
    Server server_;
};

} // namespace roomd::bench
