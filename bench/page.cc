#include "bench/json.h"
#include "bench/page_parts.h"
#include "bench/report.h"
#include "bench/table_parts.h"
#include "bench/text_file.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace roomd::bench {

namespace {

using Substitute = std::pair<char, std::string_view>;

template <std::size_t Count>
std::string substituted(std::string_view text, const std::array<Substitute, Count>& substitutes) {
    std::string out;
    for (const char c : text) {
        std::string_view instead(&c, 1);
        for (const auto& [from, to] : substitutes) {
            instead = c == from ? to : instead;
        }
        out += instead;
    }
    return out;
}

std::string escaped(std::string_view text) {
    constexpr std::array<Substitute, 3> marks = {{{'&', "&amp;"}, {'<', "&lt;"}, {'"', "&quot;"}}};
    return substituted(text, marks);
}

/// JSON in which nothing can end the element that it stands in.
std::string for_script(std::string_view json) {
    constexpr std::array<Substitute, 1> marks = {{{'<', "\\u003c"}}};
    return substituted(json, marks);
}

} // namespace

void write_page(const std::string& path, const Report& report) {
    const std::string title = escaped(report.title);
    const std::string table = escaped(table_text(report, {}));
    const std::string data = for_script(to_json(report));
    const std::array<std::pair<std::string_view, std::string_view>, 5> parts = {{
        {"{{title}}", title},
        {"{{style}}", page_css},
        {"{{table}}", table},
        {"{{data}}", data},
        {"{{script}}", page_js},
    }};
    // Each stands in the page once, in this order; what is put in is not looked at again.
    std::string page;
    std::string_view rest = page_html;
    for (const auto& [place, text] : parts) {
        const std::size_t at = rest.find(place);
        assert(at != std::string_view::npos);
        page += rest.substr(0, at);
        page += text;
        rest.remove_prefix(at + place.size());
    }
    page += rest;
    write_text_file(path, page);
}

} // namespace roomd::bench
