#include "daemon/http_request.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace roomd {

namespace {

HttpRequestReader read_whole(std::string_view bytes) {
    HttpRequestReader reader;
    reader.take(bytes);
    return reader;
}

/// 0: no verdict yet.
int verdict_of(std::string_view bytes) {
    const std::optional<HttpStatus> verdict = read_whole(bytes).verdict();
    return verdict ? static_cast<int>(*verdict) : 0;
}

int verdict_with(std::string_view fields) {
    return verdict_of("GET / HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n");
}

} // namespace

TEST_CASE("HttpRequestReader: what browsers, curl, Prometheus and people send is understood") {
    CHECK(verdict_of("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9888\r\nUser-Agent: "
                     "Prometheus/2.42.0\r\nAccept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n"
                     "Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n") ==
          200);
    CHECK(verdict_of("GET / HTTP/1.0\r\n\r\n") == 200);
    CHECK(verdict_of("GET / HTTP/1.0\n\n") == 200);
    CHECK(verdict_of("\r\nGET / HTTP/1.0\r\n\r\n") == 200);
    CHECK(verdict_of("GET http://[::1]:9888/metrics HTTP/1.1\r\nHost: [::1]:9888\r\n\r\n") == 200);
    CHECK(verdict_with("Content-Length: 0\r\n") == 200);
    CHECK(verdict_with("X: \xff\t\"odd\"\r\n") == 200);
}

TEST_CASE("HttpRequestReader: the path is the target's, without query and authority") {
    const std::array<std::pair<std::string_view, std::string_view>, 6> targets = {{
        {"/", "/"},
        {"/metrics", "/metrics"},
        {"/metrics?name[]=a%20b", "/metrics"},
        {"http://localhost", "/"},
        {"http://localhost?x", "/"},
        {"HTTP://127.0.0.1:9888/readyz?x=/y", "/readyz"},
    }};
    for (const auto& [target, path] : targets) {
        const std::string_view shown = target; // a binding cannot be captured
        CAPTURE(shown);
        const HttpRequestReader reader =
            read_whole("GET " + std::string(target) + " HTTP/1.0\r\n\r\n");
        REQUIRE(reader.verdict() == HttpStatus::ok);
        CHECK(reader.path() == path);
        CHECK_FALSE(reader.head_only());
    }
    const HttpRequestReader head = read_whole("HEAD /metrics HTTP/1.0\r\n\r\n");
    CHECK(head.verdict() == HttpStatus::ok);
    CHECK(head.head_only());
}

TEST_CASE("HttpRequestReader: a broken request line is 400, other methods 405, versions 505") {
    const std::array<std::pair<std::string_view, int>, 17> lines = {{
        {"GET /", 400}, // HTTP/0.9
        {"GET", 400},
        {" GET / HTTP/1.1", 400},
        {"GET  / HTTP/1.1", 400},
        {"GET / x HTTP/1.1", 400},
        {"GET / HTTP/1.1 ", 400},
        {"GET /\x01 HTTP/1.1", 400},
        {"GET /\xc3\xa4 HTTP/1.1", 400},
        {"G(T / HTTP/1.1", 400},
        {"GET metrics HTTP/1.1", 400},
        {"GET https://localhost/ HTTP/1.1", 400},
        {"GET / http/1.1", 400},
        {"GET / HTTP/1.10", 400},
        {"GET / HTTP/2.0", 505},
        {"GET / HTTP/0.9", 505},
        {"POST / HTTP/1.1", 405},
        {"get / HTTP/1.1", 405},
    }};
    for (const auto& [line, status] : lines) {
        const std::string_view shown = line; // a binding cannot be captured
        CAPTURE(shown);
        CHECK(verdict_of(std::string(line) + "\r\n") == status);
    }
}

TEST_CASE("HttpRequestReader: header fields that can be read in two ways are refused") {
    CHECK(verdict_with("Name : value\r\n") == 400);
    CHECK(verdict_with(" folded\r\n") == 400);
    CHECK(verdict_with("no colon\r\n") == 400);
    CHECK(verdict_with(": no name\r\n") == 400);
    CHECK(verdict_with("A: b\rc\r\n") == 400);
    CHECK(verdict_with(std::string_view("A: b\0c\r\n", 8)) == 400);
    CHECK(verdict_with("A: \x1b[31m\r\n") == 400);
    CHECK(verdict_with("\x7f: b\r\n") == 400);
    CHECK(verdict_with("Host: localhost\r\n") == 400); // a second one
    CHECK(verdict_with("Content-Length: 0\r\nContent-Length: 0\r\n") == 400);
    CHECK(verdict_with("Content-Length: -1\r\n") == 400);
    CHECK(verdict_with("Content-Length: 0x1\r\n") == 400);
    CHECK(verdict_with("Content-Length:\r\n") == 400);
}

TEST_CASE("HttpRequestReader: a body is refused, however it is announced") {
    CHECK(verdict_with("Content-Length: 1\r\n") == 413);
    CHECK(verdict_with("content-length:\t00012 \r\n") == 413);
    CHECK(verdict_with("Content-Length: 99999999999999999999999999\r\n") == 413);
    CHECK(verdict_with("Transfer-Encoding: chunked\r\n") == 413);
}

TEST_CASE("HttpRequestReader: only addresses and localhost are a Host, so no page can rebind") {
    for (const std::string_view host :
         {"localhost", "LocalHost:9888", "127.0.0.1", "10.1.2.3:1", "[::1]", "[fe80::1]:9888"}) {
        CAPTURE(host);
        CHECK(is_address_host(host));
    }
    for (const std::string_view host :
         {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.1", "::1",
          "[::1", "[127.0.0.1]", "[::1]x", "localhost:", "localhost:x", "localhost:123456",
          "127.0.0.1:80:80", "user@localhost", "localhost.", "0x7f000001"}) {
        CAPTURE(host);
        // Without digits the port is the usual one (RFC 3986, 3.2.3).
        CHECK(is_address_host(host) == (host == "localhost:"));
        CHECK(verdict_of("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n") ==
              (host == "localhost:" ? 200 : 421));
    }
    CHECK_FALSE(is_address_host(std::string_view("127.0.0.1\0evil", 14)));
    CHECK(verdict_of("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(verdict_of("GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n") == 421);
    // What the target says goes before the field (RFC 9112, 3.2.2).
    CHECK(verdict_of("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n") == 421);
    CHECK(verdict_of("GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n\r\n") == 200);
    CHECK(verdict_of("GET http://localhost/ HTTP/1.1\r\n\r\n") == 400);
}

TEST_CASE("HttpRequestReader: at most 8 KiB are taken, to the byte") {
    const std::string begin = "GET / HTTP/1.0\r\nX: ";
    const std::string end = "\r\n\r\n";
    const auto of_size = [&](std::size_t bytes) {
        return begin + std::string(bytes - begin.size() - end.size(), 'x') + end;
    };
    CHECK(verdict_of(of_size(http_head_bytes_max)) == 200);
    CHECK(verdict_of(of_size(http_head_bytes_max + 1)) == 431);
    CHECK(verdict_of(std::string(http_head_bytes_max - 1, 'x')) == 0);
    CHECK(verdict_of(std::string(http_head_bytes_max, 'x')) == 431);
    CHECK(verdict_of(std::string(http_head_bytes_max, '\n')) == 431);
    CHECK(read_whole(std::string(100'000, 'x')).bytes_taken() == http_head_bytes_max);
}

TEST_CASE("HttpRequestReader: how the bytes are cut changes nothing, nor does what follows") {
    const std::array<std::string, 6> requests = {
        "GET /metrics?x HTTP/1.1\r\nHost: 127.0.0.1\r\nA: b\r\n\r\n",
        "\r\n\r\nHEAD / HTTP/1.0\n\n",
        "GET / HTTP/3.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    };
    for (const std::string& request : requests) {
        CAPTURE(request);
        const HttpRequestReader whole = read_whole(request + "GET /other HTTP/1.0\r\n\r\n");
        REQUIRE(whole.verdict().has_value());
        for (std::size_t cut = 0; cut <= request.size(); ++cut) {
            HttpRequestReader reader;
            reader.take(std::string_view(request).substr(0, cut));
            CHECK(reader.verdict().has_value() == (cut >= whole.bytes_taken()));
            reader.take(std::string_view(request).substr(cut));
            CHECK(reader.verdict() == whole.verdict());
            CHECK(reader.path() == whole.path());
            CHECK(reader.bytes_taken() == whole.bytes_taken());
        }
    }
}

} // namespace roomd
