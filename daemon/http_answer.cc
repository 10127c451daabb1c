#include "daemon/http_answer.h"

#include <array>
#include <chrono>

namespace roomd {

namespace {

void append_two_digits(std::string& out, unsigned number) {
    out += static_cast<char>('0' + number / 10 % 10);
    out += static_cast<char>('0' + number % 10);
}

} // namespace

std::string http_date(WallTime time) {
    namespace ch = std::chrono;
    constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed",
                                                      "Thu", "Fri", "Sat"};
    constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const ch::sys_seconds moment{ch::seconds(time / 1000)};
    const ch::sys_days day = ch::floor<ch::days>(moment);
    const ch::year_month_day date(day);
    const ch::hh_mm_ss clock(moment - day);
    std::string out(days.at(ch::weekday(day).c_encoding()));
    out += ", ";
    append_two_digits(out, static_cast<unsigned>(date.day()));
    out.append(" ").append(months.at(static_cast<unsigned>(date.month()) - 1)).append(" ");
    out.append(std::to_string(static_cast<int>(date.year()))).append(" ");
    append_two_digits(out, static_cast<unsigned>(clock.hours().count()));
    out += ':';
    append_two_digits(out, static_cast<unsigned>(clock.minutes().count()));
    out += ':';
    append_two_digits(out, static_cast<unsigned>(clock.seconds().count()));
    return out += " GMT";
}

std::string http_response(const HttpAnswer& answer, bool head_only, WallTime now) {
    std::string out = "HTTP/1.1 ";
    out.append(std::to_string(static_cast<unsigned>(answer.status))).append(" ");
    out.append(reason_phrase(answer.status)).append("\r\nDate: ").append(http_date(now));
    out.append("\r\nContent-Type: ").append(answer.content_type);
    out.append("\r\nContent-Length: ").append(std::to_string(answer.body.size()));
    out.append("\r\nConnection: close\r\nCache-Control: no-store\r\n"
               "X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n");
    out.append(answer.fields).append("\r\n");
    return head_only ? out : out.append(answer.body);
}

HttpAnswer refusal(HttpStatus status) {
    HttpAnswer answer;
    answer.status = status;
    switch (status) {
    case HttpStatus::method_not_allowed:
        answer.fields = "Allow: GET, HEAD\r\n";
        answer.body = "only GET and HEAD: nothing can be changed here\n";
        break;
    case HttpStatus::misdirected:
        answer.body = "the Host has to be an IP address or localhost, as in "
                      "http://127.0.0.1:9888/: no web page's name may lead here\n";
        break;
    case HttpStatus::not_found:
        answer.body = "here are /, /metrics, /healthz and /readyz\n";
        break;
    case HttpStatus::content_too_large:
        answer.body = "a request has no body here\n";
        break;
    case HttpStatus::head_too_large:
        answer.body = "a request has at most 8 KiB here\n";
        break;
    default:
        answer.body = std::string(reason_phrase(status)) + "\n";
        break;
    }
    return answer;
}

} // namespace roomd
