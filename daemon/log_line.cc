#include "daemon/log_line.h"

#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <variant>

namespace roomd {

namespace {

constexpr std::size_t value_bytes_max = 256;

/// What stands unquoted in a text line: nothing that a reader could take for a separator.
bool is_bare(std::string_view value) {
    constexpr std::string_view marks = "._-:/@+,[]%";
    return !value.empty() && value.size() <= value_bytes_max &&
           std::all_of(value.begin(), value.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      marks.find(c) != std::string_view::npos;
           });
}

std::string written(const LogField& field, LogFormat format) {
    return std::visit(
        [format](auto value) -> std::string {
            using Value = decltype(value);
            if constexpr (std::is_same_v<Value, std::string_view>) {
                const bool bare = format != LogFormat::json && is_bare(value);
                return bare ? std::string(value) : quoted(value, value_bytes_max);
            } else if constexpr (std::is_same_v<Value, bool>) {
                return value ? "true" : "false";
            } else {
                return std::to_string(value);
            }
        },
        field.value);
}

} // namespace

std::string render_line(LogFormat format, std::string_view event,
                        std::initializer_list<LogField> fields) {
    const bool json = format == LogFormat::json;
    std::string payload = json ? "\"event\":" + quoted(event, value_bytes_max) : std::string(event);
    for (const LogField& field : fields) {
        const std::string value = written(field, format);
        if (payload.size() + field.key.size() + value.size() > payload_bytes_max) {
            payload += json ? R"(,"truncated":true)" : " truncated=true";
            break;
        }
        payload += json ? ",\"" : " ";
        payload += field.key;
        payload += json ? "\":" : "=";
        payload += value;
    }
    return payload;
}

std::string render_entry(LogLevel level, std::string_view event,
                         std::initializer_list<LogField> fields) {
    // syslog(3): error, warning, info, debug
    constexpr std::array<std::string_view, 4> priorities = {"7", "6", "4", "3"};
    std::string entry = "SYSLOG_IDENTIFIER=roomd\nPRIORITY=";
    entry += priorities[static_cast<std::size_t>(level)];
    entry += "\nMESSAGE=" + render_line(LogFormat::text, event, fields);
    entry += "\nROOMD_EVENT=";
    entry += event;
    for (const LogField& field : fields) {
        entry += "\nROOMD_";
        for (const char letter : field.key) { // its names are A-Z, 0-9 and _
            entry +=
                letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
        }
        entry += "=" + written(field, LogFormat::text);
    }
    return entry + "\n";
}

} // namespace roomd
