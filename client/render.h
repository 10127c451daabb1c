// render — what an event looks like to the person at the terminal.
//
// Pure: an event-format payload taken apart goes in, one line of text comes out, in the words of
// roomd's own human format. Frames carry text verbatim, so this is where control characters and
// bidirectional overrides are made visible: nothing that anybody says reaches the terminal raw, and
// one event is one line.
#pragma once

#include "protocol/event.h"

#include <string>

namespace roomd {

/// Appends the line that `event` makes, without a line end. False, and nothing appended, where
/// there is nothing to show: acknowledgements, events of a later protocol. The payload must be
/// valid UTF-8. Times are shown in the local time zone.
bool append_rendered(std::string& out, const ParsedEvent& event);

/// Something that was said (or could not be delivered), not presence or a reply: what a pipe
/// prints.
[[nodiscard]] bool is_said(const ParsedEvent& event);

} // namespace roomd
