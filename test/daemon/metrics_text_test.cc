#include "daemon/metrics_text.h"

#include "daemon/http_answer.h"
#include "daemon/status_page.h"
#include "daemon/tick_meter.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

namespace roomd {

using namespace std::chrono_literals;

TEST_CASE("decimal: a number is written exactly, without needless zeros") {
    CHECK(decimal(0, 0) == "0");
    CHECK(decimal(0, 9) == "0");
    CHECK(decimal(7, 0) == "7");
    CHECK(decimal(100, 0) == "100");
    CHECK(decimal(50, 6) == "0.00005");
    CHECK(decimal(2'500, 6) == "0.0025");
    CHECK(decimal(1'000'000, 6) == "1");
    CHECK(decimal(10'500'000, 6) == "10.5");
    CHECK(decimal(18'446'744'073'709'551'615U, 9) == "18446744073.709551615");
}

TEST_CASE("MetricsText: families, labels and histograms are written as Prometheus reads them") {
    MetricsText text;
    text.gauge("a", "Help.", 3);
    text.counter("b_total", "More.");
    text.sample(1, MetricsText::label("x", "plain") + "," + MetricsText::label("y", "q\"b\\n\n"));
    TimeHistogram histogram;
    histogram.add(50us);
    histogram.add(51us, 2);
    histogram.add(11s);
    histogram.add(-1s);
    text.histogram("h_seconds", "Long.", histogram);
    const std::string written = text.take();
    CHECK(written.starts_with("# HELP a Help.\n# TYPE a gauge\na 3\n"
                              "# HELP b_total More.\n# TYPE b_total counter\n"
                              "b_total{x=\"plain\",y=\"q\\\"b\\\\n\\n\"} 1\n"
                              "# HELP h_seconds Long.\n# TYPE h_seconds histogram\n"
                              "h_seconds_bucket{le=\"0.00005\"} 2\n"
                              "h_seconds_bucket{le=\"0.0001\"} 4\n"));
    CHECK(written.ends_with("h_seconds_bucket{le=\"10\"} 4\nh_seconds_bucket{le=\"+Inf\"} 5\n"
                            "h_seconds_sum 11.000152\nh_seconds_count 5\n"));
}

TEST_CASE(
    "TickMeter: a batch is done when the flush list has passed it, dated with the tick's end") {
    EventLoop loop;
    FlushList list(loop);
    TickMeter meter;
    const TimePoint now = loop.now();
    meter.handed_out(0, now, list.mark());
    meter.flushed(list);
    loop.tick(0ms);
    loop.tick(0ms);
    meter.last_tick(loop);
    CHECK(meter.latencies().sum_ns() == 0);

    meter.handed_out(3, now, list.mark());
    FlushList::Mark far = list.mark();
    far.bulk += 1; // somebody is in the list
    meter.handed_out(5, now, far);
    meter.flushed(list);
    loop.tick(0ms);
    meter.last_tick(loop);
    std::uint64_t messages = 0;
    for (std::size_t index = 0; index <= TimeHistogram::bounds_us.size(); ++index) {
        messages += meter.latencies().count(index);
    }
    CHECK(messages == 3);
    CHECK(meter.latencies().sum_ns() ==
          static_cast<std::uint64_t>((loop.last_tick_ended() - now).count()) * 3);
}

TEST_CASE("TickMeter: more batches than it has room for keep their number and the earlier time") {
    EventLoop loop;
    FlushList list(loop);
    TickMeter meter;
    const TimePoint begin = loop.now();
    FlushList::Mark far = list.mark();
    far.bulk += 1;
    for (std::uint64_t said = 1; said <= 100; ++said) {
        meter.handed_out(said, begin + std::chrono::seconds(said), far);
    }
    meter.flushed(list);
    meter.last_tick(loop);
    CHECK(meter.latencies().sum_ns() == 0);
    // Places wrap around, so a list that has passed them all is one whose marks are behind it.
    TickMeter other;
    for (std::uint64_t said = 1; said <= 100; ++said) {
        other.handed_out(said, begin - std::chrono::seconds(said), list.mark());
    }
    other.flushed(list);
    loop.tick(0ms);
    loop.tick(0ms);
    other.last_tick(loop);
    std::uint64_t messages = 0;
    for (std::size_t index = 0; index <= TimeHistogram::bounds_us.size(); ++index) {
        messages += other.latencies().count(index);
    }
    CHECK(messages == 100);
}

TEST_CASE("http_response: a date, a length, and a body only if it was asked for") {
    CHECK(http_date(784'111'777'000) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(http_date(1'709'164'799'999) == "Wed, 28 Feb 2024 23:59:59 GMT");
    const HttpAnswer answer = refusal(HttpStatus::method_not_allowed);
    const std::string whole = http_response(answer, false, 784'111'777'000);
    CHECK(whole.starts_with("HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 06 Nov 1994 08:49:37 "
                            "GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
                            std::to_string(answer.body.size()) + "\r\nConnection: close\r\n"));
    CHECK(whole.find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
    CHECK(whole.ends_with("\r\n\r\n" + answer.body));
    CHECK(http_response(answer, true, 784'111'777'000) + answer.body == whole);
}

TEST_CASE("status_page: style and script are within it, under this answer's nonce") {
    const HttpAnswer page = status_page("abc123");
    CHECK(page.content_type == "text/html; charset=utf-8");
    CHECK(page.body.find("{{") == std::string::npos);
    CHECK(page.body.find("<script nonce=\"abc123\">") != std::string::npos);
    CHECK(page.body.find("<style nonce=\"abc123\">") != std::string::npos);
    CHECK(page.body.find(status_page_js) != std::string::npos);
    CHECK(page.body.find(status_page_css) != std::string::npos);
    CHECK(page.body.find("src=") == std::string::npos);
    CHECK(page.body.find("://") == page.body.find("://www.w3.org/2000/svg")); // a name, no address
    CHECK(page.fields.find("default-src 'none'; script-src 'nonce-abc123'; style-src "
                           "'nonce-abc123'; connect-src 'self'") != std::string::npos);
}

} // namespace roomd
