// status_page — the page that shows a person how roomd is doing: one document, nothing from
// anywhere else, drawn from /metrics by its own script.
//
// Free functions without state; the three parts are compiled in from status_page.html, .css, .js.
// The browser is told to run nothing but what carries this answer's nonce (Content Security Policy
// level 3, W3C), to ask nobody but us, and not to show it inside another page.
#pragma once

#include "daemon/metrics_listener.h"

#include <string_view>

namespace roomd {

extern const std::string_view status_page_html;
extern const std::string_view status_page_css;
extern const std::string_view status_page_js;

/// `nonce`: letters and digits, unpredictable, another one for each answer.
[[nodiscard]] HttpAnswer status_page(std::string_view nonce);

} // namespace roomd
