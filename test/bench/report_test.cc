#include "bench/report.h"

#include "bench/json.h"
#include "bench/scratch.h"
#include "bench/table_parts.h"
#include "bench/text_table.h"
#include "bench/wording.h"
#include "test/bench/report_sample.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

using namespace roomd::bench;
using nlohmann::json;

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::string file_text(const std::string& path) {
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Characters, not bytes.
std::size_t columns_of(std::string_view line) {
    return static_cast<std::size_t>(std::ranges::count_if(
        line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::size_t longest_line(const std::string& text) {
    std::istringstream lines(text);
    std::size_t most = 0;
    for (std::string line; std::getline(lines, line);) {
        most = std::max(most, columns_of(line));
    }
    return most;
}

/// The line that begins with `start` after its indent; empty if there is none.
std::string line_of(const std::string& text, std::string_view start) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
        if (std::string_view(line).substr(begin).starts_with(start)) {
            return line;
        }
    }
    return {};
}

Row row_with(std::string system, const std::vector<Result>& runs) {
    Row row;
    row.system = std::move(system);
    row.scenario.name = "S2";
    row.runs = runs;
    return row;
}

Result failed(std::string why) {
    Result run;
    run.failure = std::move(why);
    run.seconds = 1;
    return run;
}

} // namespace

TEST_CASE("wording: numbers have three digits, commas and never an exponent") {
    CHECK(three_digits(0) == "0");
    CHECK(three_digits(0.018449) == "0.0184");
    CHECK(three_digits(0.000012345) == "0.0000123");
    CHECK(three_digits(0.9996) == "1.00");
    CHECK(three_digits(8.86) == "8.86");
    CHECK(three_digits(9.996) == "10.0");
    CHECK(three_digits(99.96) == "100");
    CHECK(three_digits(123.4) == "123");
    CHECK(three_digits(999.6) == "1,000");
    CHECK(three_digits(12'345'678) == "12,300,000");
    CHECK(three_digits(-1.5) == "-1.50");
    CHECK(three_digits(std::numeric_limits<double>::quiet_NaN()) == "-");
    CHECK(three_digits(std::numeric_limits<double>::infinity()) == "-");
    CHECK(with_commas(0) == "0");
    CHECK(with_commas(999) == "999");
    CHECK(with_commas(1000) == "1,000");
    CHECK(with_commas(1'234'567) == "1,234,567");
    CHECK(point_text(16'384) == "16,384");
    CHECK(point_text(0.5) == "0.5");
    CHECK(point_text(2.25) == "2.25");
    CHECK(bytes_text(372) == "372 B");
    CHECK(bytes_text(8300) == "8.30 kB");
    CHECK(bytes_text(999'700) == "1.00 MB");
    CHECK(bytes_text(2.3e9) == "2.30 GB");
}

TEST_CASE("wording: a scenario is described by what makes it different") {
    Scenario scenario;
    scenario.members = 1000;
    CHECK(describe(scenario) == "1 publisher, 1,000 members, 64 B, 512 in flight");
    scenario.dialect = Dialect::event;
    scenario.acknowledged = true;
    CHECK(describe(scenario) ==
          "1 publisher, 1,000 members, 64 B, 512 in flight, acknowledged, event format");
    scenario = {};
    scenario.load = Load::slow;
    scenario.rate = 1500;
    scenario.stalled = 10;
    CHECK(describe(scenario) ==
          "1 publisher, 100 members, 10 more that never read, 64 B, 1,500 msg/s");
    scenario = {};
    scenario.load = Load::idle;
    scenario.publishers = 0;
    scenario.members = 10'000;
    CHECK(describe(scenario) == "10,000 connections, idle");
}

TEST_CASE("wording: a scenario can be run again by what is said of it") {
    Row row = row_with("roomd", std::vector<Result>(5));
    Row floor = row_with("floor", std::vector<Result>(5));
    row.scenario.dialect = Dialect::event;
    row.scenario.members = 1000;
    CHECK(repeat_command({&row, &floor}) ==
          "roombench fanout --members 1000 --size 64 --window 512 --format event --seconds 3 "
          "--warmup 0.5 --compare floor --rounds 5");
    row.scenario = {};
    row.scenario.rate = 1000;
    row.scenario.seconds = 0.25;
    CHECK(repeat_command({&row}) == "roombench latency --members 100 --size 64 --rate 1000 "
                                    "--seconds 0.25 --warmup 0.5 --rounds 5");
    row.scenario = {};
    row.series = "members";
    CHECK(repeat_command({&row}) == "roombench sweep --series members --size 64 --window 512 "
                                    "--seconds 3 --warmup 0.5 --rounds 5");
    CHECK(repeat_command({}).empty());
}

TEST_CASE("TextTable: columns align, and those without a cell are left out") {
    TextTable table;
    table.next_row();
    table.set("name", "a");
    table.set("empty", "");
    table.set("value", "1.00");
    table.next_row();
    table.set("name", "longer");
    table.set("value", "20.0");
    table.set("late", "x");
    CHECK(table.text(2, "<", ">") == "<  name    value  late>\n"
                                     "  a        1.00\n"
                                     "  longer   20.0     x\n");
}

TEST_CASE("report: rows of one scenario and dialect stand together, wherever they are") {
    Report report;
    for (const auto& [system, dialect, at] :
         {std::tuple{"roomd", Dialect::plain, 10.0}, std::tuple{"roomd", Dialect::event, 10.0},
          std::tuple{"floor", Dialect::plain, 10.0}, std::tuple{"roomd", Dialect::plain, 100.0}}) {
        report.rows.push_back(row_with(system, {}));
        report.rows.back().scenario.dialect = dialect;
        report.rows.back().at = at;
    }
    CHECK(scenarios_of(report).size() == 3);
    CHECK(scenarios_of(report).front().size() == 2);
    for (Row& row : report.rows) {
        row.series = "members";
    }
    CHECK(scenarios_of(report).size() == 2);
    CHECK(scenarios_of(report).front().size() == 3);
}

TEST_CASE("table: it fits 100 columns and tells everything of a scenario") {
    const std::string text = table_text(sample_report(), {});
    CHECK(longest_line(text) <= 100);
    CHECK(contains(text, "S1  1 publisher, 1,000 members, 64 B, 512 in flight; 5 runs of 3 s"));
    CHECK(contains(text, "us/delivery  x floor  x roomd  deliveries/s"));
    CHECK(contains(text, "latency in us"));
    CHECK(contains(text, "p99.9"));
    CHECK(contains(text, "most / least"));
    CHECK(contains(text, "note: the generator was the bottleneck with roomd, floor;"));
    CHECK_FALSE(contains(text, "late with"));
    CHECK(contains(text, "met      at most 1.3 x the floor"));
    CHECK(contains(text, "NOT MET  at most 1/5 of Redis and NATS"));
    CHECK(contains(text, "Goals: 10 of 11 met"));
    CHECK(contains(text, "NOT MET  S2: at most 1/5 of Redis and NATS"));
    CHECK_FALSE(contains(text, "\033"));
}

TEST_CASE("table: a failure is said plainly and breaks no line") {
    Report report;
    const std::string why = "member 7: message 12 of publisher 3 is missing, and so are " +
                            std::string(40, 'x') + " and " + std::string(30, 'y');
    report.rows.push_back(row_with("nats", {failed(why), failed("another")}));
    const std::string text = table_text(report, {});
    CHECK(contains(text, "NATS: INCOMPLETE in 2 of 2 runs: member 7: message 12"));
    CHECK(contains(line_of(text, "NATS "), "INCOMPLETE"));
    CHECK(longest_line(text) <= 100);
    CHECK_FALSE(contains(text, "Goals:"));
}

TEST_CASE("table: a sender that was late itself is named") {
    Result run;
    run.seconds = 1;
    run.latency.record(1000, 1000);
    run.lateness.record(10, 1000);
    Report report;
    report.rows.push_back(row_with("roomd", {run}));
    CHECK_FALSE(contains(table_text(report, {}), "late with"));
    report.rows[0].runs[0].lateness.record(2000, 20);
    CHECK(contains(table_text(report, {}), "note: the sender itself was late with roomd;"));
    CHECK(json::parse(to_json(report))["rows"][0]["sender_late"] == true);
}

TEST_CASE("table: an unfinished report says what was not run") {
    Report report;
    CHECK_FALSE(table_text(report, {}).empty());
    report.rows.push_back(row_with("roomd", {}));
    CHECK(contains(line_of(table_text(report, {}), "roomd"), "not run"));
    report.rows.back().series = "members";
    report.rows.back().at = 100;
    CHECK(contains(line_of(table_text(report, {}), "100"), "not run"));
}

TEST_CASE("json: everything that was measured is in it") {
    const Report report = sample_report();
    const json document = json::parse(to_json(report));
    CHECK(document["schema"] == json_schema);
    CHECK(document["title"] == report.title);
    CHECK(document["facts"]["versions"]["redis"] == "Redis server v=7.0.15");
    REQUIRE(document["rows"].size() == report.rows.size());
    std::size_t histograms = 0;
    for (std::size_t index = 0; index < report.rows.size(); ++index) {
        const Row& row = report.rows[index];
        const json& told = document["rows"][index];
        CHECK(told["system"] == row.system);
        CHECK(told["ok"] == row.ok());
        CHECK(told["goals"].size() == row.goals.size());
        REQUIRE(told["figures"].size() == row.figures.size());
        CHECK(told["figures"][0]["median"] == row.figures[0].median);
        CHECK(told["figures"][0]["to_floor"].is_null() == !row.figures[0].to_floor.has_value());
        REQUIRE(told["runs"].size() == row.runs.size());
        for (std::size_t run = 0; run < row.runs.size(); ++run) {
            const json& one = told["runs"][run];
            CHECK(one["failure"] == row.runs[run].failure);
            CHECK(one["deliveries"] == row.runs[run].deliveries);
            CHECK(one["memory"].size() == row.runs[run].memory.size());
            const json& latency = one["latency_ns"];
            REQUIRE(latency.is_null() == (row.runs[run].latency.count() == 0));
            if (latency.is_null()) {
                continue;
            }
            ++histograms;
            std::uint64_t count = 0;
            for (const json& bucket : latency["buckets"]) {
                CHECK(bucket[0] <= bucket[1]);
                CHECK(bucket[2] > 0);
                count += bucket[2].get<std::uint64_t>();
            }
            CHECK(count == latency["count"]);
            CHECK(latency["quantiles"]["p99"] == row.runs[run].latency.at(0.99));
        }
    }
    CHECK(histograms > 20);
    CHECK(contains(document["rows"][0]["repeat"].get<std::string>(), "roombench fanout"));
}

TEST_CASE("json: what cannot be said in it is left out or replaced") {
    Report report;
    report.rows.push_back(row_with("roomd", {failed("a server said \xff\xfe\"")}));
    Figure broken;
    broken.median = std::numeric_limits<double>::quiet_NaN();
    report.rows.back().figures.push_back(broken);
    const json document = json::parse(to_json(report));
    CHECK(document["rows"][0]["figures"][0]["median"].is_null());
    CHECK(contains(document["rows"][0]["runs"][0]["failure"].get<std::string>(), "a server said"));
}

TEST_CASE("page: one file that asks for no other") {
    const Scratch scratch;
    const std::string path = scratch.path() + "/page.html";
    Report report = sample_report();
    report.title = "<i>A & B</i>";
    report.rows[0].runs[0].failure = "</script><b>{{data}}</b><!-- {{script}}";
    write_page(path, report);
    const std::string page = file_text(path);
    CHECK(contains(page, "<title>&lt;i>A &amp; B&lt;/i> \u00b7 roombench</title>"));
    CHECK(contains(page, "\\u003c/script>\\u003cb>{{data}}")); // put in, and not looked at again
    CHECK_FALSE(contains(page, "</script><b>"));
    CHECK_FALSE(contains(page, "<!-- {{script}}"));
    CHECK_FALSE(contains(page, "https://"));
    CHECK_FALSE(contains(page, " src="));
    CHECK_FALSE(contains(page, "@import"));
    std::string rest = page;
    const std::string name_of_svg = "http://www.w3.org/2000/svg"; // a name, not an address
    for (std::size_t at = rest.find(name_of_svg); at != std::string::npos;
         at = rest.find(name_of_svg)) {
        rest.erase(at, name_of_svg.size());
    }
    CHECK_FALSE(contains(rest, "http://"));
    CHECK(std::filesystem::exists(path));
    CHECK_FALSE(std::filesystem::exists(path + ".part"));
}

TEST_CASE("picture: the scenarios that have a floor, in plain format") {
    const Scratch scratch;
    const std::string path = scratch.path() + "/picture.svg";
    Report report = sample_report();
    report.facts.cpu = "A <cpu> & more";
    write_picture(path, report);
    const std::string picture = file_text(path);
    CHECK(picture.starts_with("<svg xmlns="));
    CHECK(picture.ends_with("</svg>\n"));
    for (const char* name : {">S1<", ">S2<", ">S3<", ">S4<", ">S5<", ">roomd<", ">Mosquitto<"}) {
        CHECK(contains(picture, name));
    }
    CHECK_FALSE(contains(picture, "event format"));
    CHECK_FALSE(contains(picture, ">S7<"));
    CHECK(contains(picture, "A &lt;cpu> &amp; more"));
    CHECK(contains(picture, "prefers-color-scheme: dark"));

    write_picture(path, Report()); // of nothing, and still a picture
    CHECK(file_text(path).ends_with("</svg>\n"));
}

TEST_CASE("reports: a file that cannot be written is named, and an old one is left as it was") {
    const Scratch scratch;
    const std::string path = scratch.path() + "/no-such-folder/report.json";
    try {
        write_json(path, Report());
        FAIL("written");
    } catch (const std::system_error& error) {
        CHECK(contains(error.what(), path));
    }
    CHECK_THROWS_AS(write_page(scratch.path(), Report()), std::system_error);
    CHECK(std::filesystem::is_directory(scratch.path()));
}
