// Any bytes as a configuration file (first byte even) or as one setting's value (odd): what is
// accepted prints to a file that says the same, stays within its bounds, and opens nothing to other
// machines unless that was asked for.
#include "daemon/config_sources.h"
#include "protocol/text.h"
#include "test/fuzz/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace roomd;

namespace {

void check_same(const Config& one, const Config& other) {
    for (const Setting& setting : settings()) {
        fuzz::check(value_as_toml(setting, one) == value_as_toml(setting, other));
    }
    fuzz::check(one.rooms.size() == other.rooms.size());
    for (std::size_t i = 0; i < one.rooms.size(); ++i) {
        fuzz::check(one.rooms[i].name == other.rooms[i].name);
        fuzz::check(one.rooms[i].topic == other.rooms[i].topic);
        fuzz::check(one.rooms[i].slow == other.rooms[i].slow);
        fuzz::check(one.rooms[i].history_messages_max == other.rooms[i].history_messages_max);
        fuzz::check(one.rooms[i].history_bytes_max == other.rooms[i].history_bytes_max);
    }
}

void check_closed(const Config& config) {
    fuzz::check(!config.listeners.empty());
    for (const ListenerSpec& spec : config.listeners) {
        const bool network =
            spec.endpoint.transport == Transport::tcp || spec.endpoint.transport == Transport::udp;
        fuzz::check(config.insecure_public || !network || is_loopback_host(spec.endpoint.host));
    }
}

void check_file(std::string_view text) {
    const FileSettings file = parse_config_text(text, "fuzz.toml");
    fuzz::check(file.error.empty() == (file.exit_code == 0));
    fuzz::check(file.error.empty() || file.error.starts_with("fuzz.toml:"));
    const Merged merged = merge(file, {}, {});
    if (!merged.error.empty()) {
        fuzz::check(merged.exit_code == exit_config);
        return;
    }
    check_closed(merged.config);
    const FileSettings printed = parse_config_text(print_config(merged), "printed.toml");
    fuzz::check(printed.error.empty());
    const Merged again = merge(printed, {}, {});
    fuzz::check(again.error.empty());
    check_same(merged.config, again.config);
}

void check_value(const Setting& setting, const std::string& text) {
    Config config;
    const std::string before = value_as_toml(setting, config);
    const std::string why = apply(setting, {text}, config);
    if (!why.empty()) {
        fuzz::check(check_text(why).harmless);
        fuzz::check(value_as_toml(setting, config) == before);
        return;
    }
    if (kind_of(setting) == Kind::number) {
        Config again;
        fuzz::check(apply(setting, {value_as_text(setting, config)}, again).empty());
        fuzz::check(value_as_toml(setting, again) == value_as_toml(setting, config));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    if (input.byte() % 2 == 0) {
        check_file(input.rest());
    } else {
        const Setting& setting = settings()[input.byte() % settings().size()];
        check_value(setting, std::string(input.rest()));
        static_cast<void>(did_you_mean(input.rest(), {"queue_bytes_max", "listen", ""}));
    }
    return 0;
}
