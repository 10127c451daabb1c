#include "daemon/activation.h"
#include "daemon/server.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>

// Sockets that somebody else has bound: checked, given a meaning by their names, and given up.
namespace roomd {

namespace {

// What a socket means by its name alone, so that a socket unit is all the configuration it needs.
struct WellKnown {
    std::string_view name;
    const char* uri;
};

constexpr std::array<WellKnown, 4> well_known = {{
    {"chat", "fd:chat"},
    {"debug", "fd:debug?framing=line&debug=on"},
    {"unix", "fd:unix"},
    {"public", "fd:public"},
}};

} // namespace

void Server::adopt(std::string name, Fd socket) {
    if (kind_of_socket(socket) == SocketKind::other) {
        log_.line(
            LogLevel::warning, "inherited_refused",
            {{"name", name}, {"why", "it is neither a listening stream socket nor a UDP socket"}});
        return;
    }
    adopted_.push_back(name);
    inherited_.emplace_back(std::move(name), std::move(socket));
}

void Server::keep_given(InheritedSockets copies) {
    given_ = std::move(copies);
}

const InheritedSockets& Server::given() const {
    return given_;
}

Config Server::with_inherited(const Config& config, const std::vector<std::string>& names) {
    Config result = config;
    const auto handed_over = [&names](std::string_view name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (!config.metrics && handed_over("metrics")) {
        result.metrics = Endpoint{Transport::inherited, "", 0, "metrics"};
    }
    if (config.listen_given) {
        return result;
    }
    std::vector<ListenerSpec> specs;
    for (const WellKnown& known : well_known) {
        if (handed_over(known.name)) {
            std::string error;
            const bool parsed = parse_listener(known.uri, specs.emplace_back(), error);
            assert(parsed);
            static_cast<void>(parsed);
        }
    }
    if (!specs.empty()) {
        result.listeners = std::move(specs);
    }
    return result;
}

// Nobody accepts from them. They stay open for an upgrade, see keep_given(): who connects waits, as
// with a service manager that keeps its sockets itself.
void Server::drop_unused_inherited() {
    for (const auto& [name, socket] : inherited_) {
        log_.line(
            LogLevel::warning, "inherited_unused",
            {{"name", name},
             {"address", to_string(sys::local_address(socket.get()))},
             {"meaning", "no listener fd:NAME has that name: nobody is served there, and it is "
                         "kept for an upgrade that has one"}});
    }
    inherited_.clear();
}

} // namespace roomd
