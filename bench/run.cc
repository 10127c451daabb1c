#include "bench/run.h"

#include "bench/loads.h"

namespace roomd::bench {

Result run(const Server& server, const Scenario& scenario, const RunOptions& options) {
    Result result;
    result.system = server.name;
    result.scenario = scenario;
    switch (scenario.load) {
    case Load::fanout:
    case Load::slow:
        run_fanout(server, scenario, options, result);
        break;
    case Load::connect:
        run_connect(server, scenario, options, result);
        break;
    case Load::idle:
        run_idle(server, scenario, options, result);
        break;
    case Load::echo:
        run_echo(server, scenario, options, result);
        break;
    case Load::mixed:
        run_mixed(server, scenario, options, result);
        break;
    }
    return result;
}

} // namespace roomd::bench
