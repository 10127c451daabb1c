// The wires that roombench knows: roomd's own dialects, the relay, and the other servers.
//
// Each function gives the one instance; it lives as long as the program and has no state.
#pragma once

#include "bench/scenario.h"
#include "bench/wire.h"

namespace roomd::bench {

[[nodiscard]] const Wire& roomd_wire(Dialect dialect);
[[nodiscard]] const Wire& relay_wire();
/// RESP2: SUBSCRIBE and PUBLISH (redis.io/docs/reference/protocol-spec).
[[nodiscard]] const Wire& redis_wire();
/// NATS client protocol: CONNECT, SUB, PUB, MSG, PING (docs.nats.io).
[[nodiscard]] const Wire& nats_wire();
/// MQTT 3.1.1, quality of service 0 (OASIS standard).
[[nodiscard]] const Wire& mqtt_wire();

} // namespace roomd::bench
