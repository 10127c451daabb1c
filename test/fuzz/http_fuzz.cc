// Any bytes as an HTTP request, in any pieces: the verdict, the path and how much was looked at are
// those of a second parser that has the whole text before it and goes by the grammar of RFC 9112.
#include "daemon/http_request.h"
#include "test/fuzz/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace roomd;

namespace {

struct Told {
    int status = 0;
    std::string path;
    std::size_t bytes = 0;
};

bool only(std::string_view text, std::string_view letters) {
    return text.find_first_not_of(letters) == std::string_view::npos;
}

constexpr std::string_view digits = "0123456789";
constexpr std::string_view token_letters =
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& byte : result) {
        byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
    }
    return result;
}

/// The second parser: line by line over text that is all there.
class Whole {
public:
    [[nodiscard]] Told read(std::string_view text) {
        const std::string_view window = text.substr(0, http_head_bytes_max);
        std::size_t at = 0;
        while (told_.status == 0) {
            const std::size_t end = window.find('\n', at);
            if (end == std::string_view::npos) {
                break;
            }
            std::string_view line = window.substr(at, end - at);
            line.remove_suffix(line.ends_with('\r') ? 1 : 0);
            at = end + 1;
            told_.bytes = at;
            take(line);
        }
        if (told_.status == 0) {
            told_.bytes = window.size();
            told_.status = window.size() == http_head_bytes_max ? 431 : 0;
        }
        return told_;
    }

private:
    void take(std::string_view line) {
        if (!begun_) {
            begun_ = !line.empty();
            told_.status = begun_ ? request(line) : 0;
        } else if (!line.empty()) {
            told_.status = field(line);
        } else {
            told_.status = head();
        }
    }

    int request(std::string_view line) {
        std::vector<std::string> words(1);
        for (const char byte : line) {
            if (byte == ' ') {
                words.emplace_back();
            } else {
                words.back() += byte;
            }
        }
        if (words.size() != 3 || words[0].empty() || !only(words[0], token_letters) ||
            words[2].size() != 8 || words[2].substr(0, 5) != "HTTP/" ||
            !only(words[2].substr(5, 1) + words[2].substr(7), digits) || words[2][6] != '.' ||
            std::any_of(words[1].begin(), words[1].end(),
                        [](char byte) { return byte < '!' || byte > '~'; })) {
            return 400;
        }
        if (words[2][5] != '1') {
            return 505;
        }
        if (words[0] != "GET" && words[0] != "HEAD") {
            return 405;
        }
        minor_ = words[2][7];
        std::string target = words[1];
        if (lower(target.substr(0, 7)) == "http://") {
            const std::size_t end = std::min(target.find_first_of("/?", 7), target.size());
            authority_ = target.substr(7, end - 7);
            target = target.substr(end);
            target.insert(0, target.empty() || target[0] == '?' ? "/" : "");
        }
        told_.path = target.substr(0, target.find('?'));
        return target.empty() || target[0] != '/' ? 400 : 0;
    }

    int field(std::string_view line) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0 ||
            !only(line.substr(0, colon), token_letters)) {
            return 400;
        }
        std::string_view value = line.substr(colon + 1);
        for (const char byte : value) {
            if ((static_cast<unsigned char>(byte) < 32 && byte != '\t') || byte == 127) {
                return 400;
            }
        }
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
            value.remove_prefix(1);
        }
        while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) {
            value.remove_suffix(1);
        }
        const std::string name = lower(line.substr(0, colon));
        const bool once = name == "host" || name == "content-length";
        if (once && fields_.count(name) > 0) {
            return 400;
        }
        if (name == "content-length" && (value.empty() || !only(value, digits))) {
            return 400;
        }
        fields_.emplace(name, value);
        return 0;
    }

    [[nodiscard]] int head() const {
        const auto host = fields_.find("host");
        if (host == fields_.end() && minor_ != '0') {
            return 400;
        }
        const std::optional<std::string> asked =
            authority_ ? authority_
                       : (host == fields_.end() ? std::nullopt : std::optional(host->second));
        if (asked && !is_address_host(*asked)) {
            return 421;
        }
        const auto length = fields_.find("content-length");
        const bool body = length != fields_.end() && !only(length->second, "0");
        return body || fields_.count("transfer-encoding") > 0 ? 413 : 200;
    }

    Told told_;
    bool begun_ = false;
    char minor_ = '1';
    std::optional<std::string> authority_;
    std::map<std::string, std::string> fields_;
};

void check_host(std::string_view host) {
    if (is_address_host(host)) { // then nothing but an address can be in it
        fuzz::check(only(host, "0123456789.:[]abcdefABCDEF") ||
                    lower(host).starts_with("localhost"));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::vector<std::size_t> cuts = input.cuts();
    const std::string_view text = input.rest();
    HttpRequestReader reader;
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
        reader.take(text.substr(from, cut - from));
        from = cut;
    }
    reader.take(text.substr(from));
    const Told told = Whole().read(text);
    fuzz::check(told.status == (reader.verdict() ? static_cast<int>(*reader.verdict()) : 0));
    fuzz::check(told.bytes == reader.bytes_taken());
    if (told.status == 200) {
        fuzz::check(told.path == reader.path());
        fuzz::check(reader.path().starts_with('/'));
    }
    check_host(text.substr(0, text.find('\n')));
    return 0;
}
