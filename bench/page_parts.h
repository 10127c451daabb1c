// The pieces of the page, as text within the program: page.html, page.css and page.js of this
// folder.
//
// Defined in page_parts.cc, which the build makes from page_parts.cc.in and the three files, so
// that a page needs nothing but the program that writes it.
#pragma once

#include <string_view>

namespace roomd::bench {

extern const std::string_view page_html;
extern const std::string_view page_css;
extern const std::string_view page_js;

} // namespace roomd::bench
