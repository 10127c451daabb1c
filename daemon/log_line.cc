#include "daemon/log_line.h"

#include "protocol/text.h"

#include <algorithm>
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
                const bool bare = format == LogFormat::text && is_bare(value);
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

} // namespace roomd
