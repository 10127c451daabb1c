#include "daemon/status_page.h"

#include <array>
#include <string>
#include <utility>

namespace roomd {

HttpAnswer status_page(std::string_view nonce) {
    const std::array<std::pair<std::string_view, std::string_view>, 3> parts = {
        {{"{{nonce}}", nonce}, {"{{style}}", status_page_css}, {"{{script}}", status_page_js}}};
    HttpAnswer answer;
    answer.status = HttpStatus::ok;
    answer.content_type = "text/html; charset=utf-8";
    std::string_view rest = status_page_html;
    while (!rest.empty()) {
        // Only the frame is searched: what has been put in is not.
        std::size_t at = rest.size();
        const std::pair<std::string_view, std::string_view>* next = nullptr;
        for (const auto& part : parts) {
            if (const std::size_t found = rest.find(part.first); found < at) {
                at = found;
                next = &part;
            }
        }
        answer.body.append(rest.substr(0, at));
        rest.remove_prefix(at);
        if (next != nullptr) {
            answer.body.append(next->second);
            rest.remove_prefix(next->first.size());
        }
    }
    const std::string quoted = "'nonce-" + std::string(nonce) + "'";
    answer.fields = "Content-Security-Policy: default-src 'none'; script-src " + quoted +
                    "; style-src " + quoted +
                    "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                    "frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n";
    return answer;
}

} // namespace roomd
