// Writes the sample report in every form into the folder named: sample.html, sample.json and
// sample.svg, and the table to stdout. For eyes, and for the test that opens the page in a browser.
#include "bench/report.h"
#include "test/bench/report_sample.h"

#include <cstdio>
#include <exception>
#include <span>
#include <string>

int main(int argc, char** argv) {
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    if (arguments.size() != 2) {
        static_cast<void>(std::fputs("usage: sample-page FOLDER\n", stderr));
        return 2;
    }
    try {
        const roomd::bench::Report report = roomd::bench::sample_report();
        const std::string stem = std::string(arguments[1]) + "/sample";
        if (roomd::bench::print_table(stdout, report) != 0) {
            return 1;
        }
        roomd::bench::write_json(stem + ".json", report);
        roomd::bench::write_page(stem + ".html", report);
        roomd::bench::write_picture(stem + ".svg", report);
    } catch (const std::exception& error) {
        static_cast<void>(std::fprintf(stderr, "sample-page: %s\n", error.what()));
        return 1;
    }
    return 0;
}
