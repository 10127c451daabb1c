#include "daemon/http_request.h"

#include <algorithm>

#include <arpa/inet.h>

namespace roomd {

namespace {

bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

bool is_letter(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// RFC 9110, 5.6.2: tchar.
bool is_token(std::string_view text) {
    static constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char byte) {
        return is_digit(byte) || is_letter(byte) || others.find(byte) != std::string_view::npos;
    });
}

bool is_visible(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char byte) { return byte > ' ' && byte <= '~'; });
}

// RFC 9110, 5.5: field content; bytes above ASCII are old, and harmless here.
bool is_field_value(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char byte) {
        const auto value = static_cast<unsigned char>(byte);
        return (value >= ' ' && value != 0x7f) || value == '\t';
    });
}

bool same(std::string_view text, std::string_view lower) {
    return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

// RFC 9112, 5.1: optional blanks around a value are no part of it.
std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_literal(int family, std::string_view text) {
    in6_addr parsed{}; // large enough for both
    // inet_pton(3) would stop at a NUL, and like what stands before it.
    return text.find('\0') == std::string_view::npos &&
           ::inet_pton(family, std::string(text).c_str(), &parsed) == 1;
}

} // namespace

std::string_view reason_phrase(HttpStatus status) {
    switch (status) {
    case HttpStatus::ok:
        return "OK";
    case HttpStatus::bad_request:
        return "Bad Request";
    case HttpStatus::not_found:
        return "Not Found";
    case HttpStatus::method_not_allowed:
        return "Method Not Allowed";
    case HttpStatus::content_too_large:
        return "Content Too Large";
    case HttpStatus::misdirected:
        return "Misdirected Request";
    case HttpStatus::head_too_large:
        return "Request Header Fields Too Large";
    case HttpStatus::unavailable:
        return "Service Unavailable";
    case HttpStatus::version_not_supported:
        return "HTTP Version Not Supported";
    }
    return "Internal Server Error";
}

// RFC 9110, 7.2, and RFC 3986, 3.2: host [ ":" port ].
bool is_address_host(std::string_view host) {
    const bool bracketed = host.starts_with('[');
    const std::size_t end = bracketed ? host.find(']') : host.find(':');
    std::string_view name = host.substr(0, end);
    std::string_view port = end == std::string_view::npos ? std::string_view() : host.substr(end);
    if (bracketed) {
        if (end == std::string_view::npos) {
            return false;
        }
        name.remove_prefix(1);
        port.remove_prefix(1);
    }
    constexpr std::size_t port_digits_max = 5;
    if (!port.empty() && (port.front() != ':' || port.size() > 1 + port_digits_max ||
                          !std::all_of(port.begin() + 1, port.end(), is_digit))) {
        return false;
    }
    return bracketed ? is_literal(AF_INET6, name)
                     : same(name, "localhost") || is_literal(AF_INET, name);
}

void HttpRequestReader::refuse(HttpStatus status) {
    verdict_ = verdict_ ? verdict_ : status;
}

void HttpRequestReader::take(std::string_view bytes) {
    while (!verdict_ && !bytes.empty()) {
        const char byte = bytes.front();
        bytes.remove_prefix(1);
        ++taken_;
        if (byte != '\n') {
            line_.push_back(byte);
        } else {
            const bool carriage = line_.ends_with('\r');
            take_line(std::string_view(line_).substr(0, line_.size() - (carriage ? 1 : 0)));
            line_.clear();
        }
        if (!verdict_ && taken_ == http_head_bytes_max) {
            refuse(HttpStatus::head_too_large);
        }
    }
}

void HttpRequestReader::take_line(std::string_view line) {
    if (line.empty()) {
        if (begun_) {
            finish(); // 2.2: empty lines before the request line are ignored
        }
    } else if (!begun_) {
        take_request_line(line);
    } else {
        take_field(line);
    }
}

// 3: method SP request-target SP HTTP-version, and nothing else.
void HttpRequestReader::take_request_line(std::string_view line) {
    begun_ = true;
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) {
        refuse(HttpStatus::bad_request);
        return;
    }
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    head_only_ = method == "HEAD";
    constexpr std::string_view form = "HTTP/1.1";
    if (!is_token(method) || !is_visible(target) || version.size() != form.size() ||
        !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
        !is_digit(version[7])) {
        refuse(HttpStatus::bad_request);
    } else if (version[5] != '1') {
        refuse(HttpStatus::version_not_supported);
    } else if (method != "GET" && !head_only_) {
        refuse(HttpStatus::method_not_allowed);
    } else {
        old_ = version[7] == '0';
        take_target(target);
    }
}

// 3.2: the origin form, and the absolute one, which a server must understand.
void HttpRequestReader::take_target(std::string_view target) {
    constexpr std::string_view scheme = "http://";
    if (same(target.substr(0, scheme.size()), scheme)) {
        target.remove_prefix(scheme.size());
        const std::size_t end = std::min(target.find_first_of("/?"), target.size());
        host_ = target.substr(0, end);
        target_has_host_ = true;
        target.remove_prefix(end);
        path_ = target.starts_with('/') ? "" : "/";
    }
    if (!target.starts_with('/') && !target_has_host_) {
        refuse(HttpStatus::bad_request);
        return;
    }
    path_ += target.substr(0, target.find('?'));
}

// 5: field-name ":" OWS field-value OWS.
void HttpRequestReader::take_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name) ||
        !is_field_value(line.substr(colon + 1))) {
        refuse(HttpStatus::bad_request);
        return;
    }
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (same(name, "host")) {
        if (has_host_) {
            refuse(HttpStatus::bad_request); // 3.2: more than one
        }
        has_host_ = true;
        host_ = target_has_host_ ? host_ : std::string(value);
    } else if (same(name, "content-length")) {
        take_content_length(value);
    } else if (same(name, "transfer-encoding")) {
        later_ = HttpStatus::content_too_large;
    }
}

void HttpRequestReader::take_content_length(std::string_view value) {
    if (has_length_ || value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) {
        refuse(HttpStatus::bad_request);
    } else if (value.find_first_not_of('0') != std::string_view::npos) {
        later_ = HttpStatus::content_too_large;
    }
    has_length_ = true;
}

void HttpRequestReader::finish() {
    if (!has_host_ && !old_) {
        refuse(HttpStatus::bad_request); // 3.2
    } else if ((has_host_ || target_has_host_) && !is_address_host(host_)) {
        refuse(HttpStatus::misdirected);
    } else {
        refuse(later_.value_or(HttpStatus::ok));
    }
}

} // namespace roomd
