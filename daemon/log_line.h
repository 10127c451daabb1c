// log_line — what one event looks like, without its time and level.
//
// Pure. Whatever bytes a client chose, the result is one line: a value that is not plainly harmless
// is quoted as a JSON string, in both formats, and cut at 256 bytes.
#pragma once

#include "daemon/log.h"

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace roomd {

/// With time and level a line stays below PIPE_BUF (4,096): a pipe takes that much at once.
inline constexpr std::size_t payload_bytes_max = 3'900;

/// text: `event key=value ...`; json: `"event":"...","key":value,...`, to stand between braces.
/// Fields that would make it too long are left out whole, and `truncated` says so.
[[nodiscard]] std::string render_line(LogFormat format, std::string_view event,
                                      std::initializer_list<LogField> fields);

/// The same for systemd's journal, complete: `NAME=value` a line, MESSAGE is the text line, each
/// field `ROOMD_KEY`. Source: systemd.io, "Native Journal Protocol".
[[nodiscard]] std::string render_entry(LogLevel level, std::string_view event,
                                       std::initializer_list<LogField> fields);

} // namespace roomd
