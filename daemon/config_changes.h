// config_changes — what a reload has changed, key by key, in words for whoever asked for it.
//
// A pure function over values. What each key can do while the daemon runs stands in its row of the
// option table (Effect): only a key that needs a restart is compared with what the daemon was
// started with, so that it is told again at every reload until the restart has been made.
#pragma once

#include "daemon/config.h"

#include <string>
#include <vector>

namespace roomd {

struct ConfigHistory {
    const Config& started; // with what the daemon was started
    const Config& before;  // in force until this reload
    const Config& after;   // in force now
};

/// One line for each difference, such as `applied: limits.rooms_max 10000 -> 20000` or `needs a
/// restart: admin ...`; one that says so when there is none.
[[nodiscard]] std::vector<std::string> describe_changes(const ConfigHistory& history);

} // namespace roomd
