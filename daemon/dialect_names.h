// The words for framings and formats, as /conns, the metrics and the configuration have them.
//
// Free functions without state; static storage.
#pragma once

#include "protocol/command.h"
#include "protocol/decoder.h"

#include <string_view>

namespace roomd {

[[nodiscard]] constexpr std::string_view name_of(Framing framing) {
    switch (framing) {
    case Framing::frame:
        return "frame";
    case Framing::line:
        return "line";
    case Framing::echo:
        return "echo";
    case Framing::automatic:
        return "auto";
    }
    return "";
}

[[nodiscard]] constexpr std::string_view name_of(Format format) {
    switch (format) {
    case Format::human:
        return "human";
    case Format::plain:
        return "plain";
    case Format::event:
        return "event";
    }
    return "";
}

} // namespace roomd
