// The words for framings, as /conns, roomctl status and the metrics have them; those for formats
// are the protocol's own.
//
// A free function without state; static storage.
#pragma once

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

} // namespace roomd
