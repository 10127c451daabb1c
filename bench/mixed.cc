#include "bench/loads.h"

namespace roomd::bench {

void run_mixed(const Server& /*server*/, const Scenario& /*scenario*/,
               const RunOptions& /*options*/, Result& result) {
    result.failure = "this load is not there yet";
}

} // namespace roomd::bench
