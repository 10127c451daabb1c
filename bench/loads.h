// The loads: what is done with a swarm's connections, one function for each kind. All fill in the
// Result they are given, failure included, and leave nothing open.
#pragma once

#include "bench/run.h"

namespace roomd::bench {

/// Publishers speak, members hear; windows (closed loop) or a fixed schedule (open loop); some
/// members may be stalled.
void run_fanout(const Server& server, const Scenario& scenario, const RunOptions& options,
                Result& result);
/// Connections come, are welcomed, and go: as many a second as the server takes.
void run_connect(const Server& server, const Scenario& scenario, const RunOptions& options,
                 Result& result);
/// Connections that are in a room and do nothing.
void run_idle(const Server& server, const Scenario& scenario, const RunOptions& options,
              Result& result);
/// Each connection gets its own bytes back, with a window in flight.
void run_echo(const Server& server, const Scenario& scenario, const RunOptions& options,
              Result& result);
/// Members join, leave, take other names and speak; what each must hear is known.
void run_mixed(const Server& server, const Scenario& scenario, const RunOptions& options,
               Result& result);

} // namespace roomd::bench
