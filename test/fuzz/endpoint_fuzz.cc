// Any bytes as an address and as a listener: what is accepted prints to something that parses to
// the same, and no listener with debug=on can be reached from elsewhere.
#include "reactor/endpoint.h"

#include "daemon/config.h"
#include "protocol/text.h"
#include "test/fuzz/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

using namespace roomd;

namespace {

bool is_network(const Endpoint& endpoint) {
    return endpoint.transport == Transport::tcp || endpoint.transport == Transport::udp;
}

void check_address(std::string_view text) {
    const auto parsed = parse_endpoint(text);
    if (const auto* const bad = std::get_if<BadEndpoint>(&parsed)) {
        fuzz::check(!bad->why.empty());
        fuzz::check(check_text(bad->why).harmless);
        return;
    }
    const auto& endpoint = std::get<Endpoint>(parsed);
    fuzz::check(is_network(endpoint) ? !endpoint.host.empty() && endpoint.path.empty()
                                     : endpoint.host.empty() && !endpoint.path.empty());
    const std::string printed = to_string(endpoint);
    const auto again = parse_endpoint(printed);
    fuzz::check(std::holds_alternative<Endpoint>(again));
    fuzz::check(std::get<Endpoint>(again) == endpoint);
    fuzz::check(to_string(std::get<Endpoint>(again)) == printed);
}

void check_listener(std::string_view text) {
    ListenerSpec spec;
    std::string error;
    if (!parse_listener(text, spec, error)) {
        fuzz::check(!error.empty() && check_text(error).harmless);
        fuzz::check(spec.uri.empty()); // untouched
        return;
    }
    fuzz::check(spec.uri == text);
    fuzz::check(check_text(spec.room).valid);
    fuzz::check(spec.endpoint.mode <= 0777);
    fuzz::check(!spec.debug || !is_network(spec.endpoint) || is_loopback_host(spec.endpoint.host));
    fuzz::check(spec.endpoint.transport != Transport::udp || !spec.room.empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::Input(data, size).rest();
    check_address(text);
    check_listener(text);
    static_cast<void>(is_loopback_host(text));
    return 0;
}
