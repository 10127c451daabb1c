#include "daemon/log.h"

#include "test/sim/world.h"

#include <string>

namespace roomd {

// No thread, no stderr: a line goes into the trace, and into the digest by what it says.
struct Log::Impl {
    LogLevel level;
};

Log::Log(LogFormat /*format*/, LogLevel level, std::uint32_t /*lines_per_second_max*/)
    : impl_(std::make_unique<Impl>(Impl{level})) {}

Log::~Log() = default;

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): the real log has a state
void Log::line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    sim::World& world = sim::World::current();
    std::uint64_t sum = event.size();
    std::string text = "log: " + std::string(event);
    for (const LogField& field : fields) {
        text += " " + std::string(field.key) + "=";
        std::visit(
            [&text](const auto& value) {
                if constexpr (std::is_convertible_v<decltype(value), std::string_view>) {
                    text += value;
                } else {
                    text += std::to_string(value);
                }
            },
            field.value);
    }
    for (const char letter : text) {
        sum = sum * 131 + static_cast<unsigned char>(letter);
    }
    world.note("log", static_cast<std::uint64_t>(level), sum);
    world.say(text);
}

void Log::configure(LogFormat /*format*/, LogLevel level, std::uint32_t /*lines_per_second_max*/) {
    impl_->level = level;
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): the same
std::uint64_t Log::dropped() const {
    return 0;
}

void Log::flush(std::chrono::nanoseconds /*longest*/) {}

} // namespace roomd
