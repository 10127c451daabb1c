// http_answer — the bytes of an HTTP/1.1 response, written out.
//
// Free functions without state. Every response ends its connection and is not to be kept by
// anybody: figures are of the moment. Sources: RFC 9110, RFC 9112.
#pragma once

#include "daemon/metrics_listener.h"
#include "reactor/time.h"

#include <string>

namespace roomd {

/// The whole response; `head_only`: without the body, but with its length (RFC 9110, 9.3.2).
[[nodiscard]] std::string http_response(const HttpAnswer& answer, bool head_only, WallTime now);

/// What is said to a request that was not understood or not granted: one line of text.
[[nodiscard]] HttpAnswer refusal(HttpStatus status);

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
[[nodiscard]] std::string http_date(WallTime time);

} // namespace roomd
