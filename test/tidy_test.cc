// The rules of the house, read off the tree itself: what a compiler cannot see and a reviewer would
// forget. Runs in the top directory of the sources. Every rule lists what breaks it, so a failure
// names its line.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct File {
    std::string path;
    std::vector<std::string> lines;
};

using Findings = std::vector<std::string>;

std::string read(const fs::path& path) {
    const std::ifstream stream(path);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

File load(const fs::path& path) {
    File file{path.generic_string(), {}};
    std::ifstream stream(path);
    for (std::string line; std::getline(stream, line);) {
        file.lines.push_back(line);
    }
    return file;
}

std::vector<File> load_tree(const std::set<std::string>& folders,
                            const std::set<std::string>& extensions) {
    std::vector<File> files;
    for (const std::string& folder : folders) {
        if (!fs::exists(folder)) {
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(folder)) {
            if (entry.is_regular_file() && extensions.contains(entry.path().extension().string())) {
                files.push_back(load(entry.path()));
            }
        }
    }
    std::ranges::sort(files, {}, &File::path);
    return files;
}

const std::vector<File>& sources() {
    static const std::vector<File> files =
        load_tree({"reactor", "protocol", "daemon", "client", "bench", "test"}, {".h", ".cc"});
    return files;
}

std::string folder_of(std::string_view path) {
    return std::string(path.substr(0, path.find('/')));
}

bool is_header(const File& file) {
    return file.path.ends_with(".h");
}

bool is_test(const File& file) {
    return file.path.starts_with("test/");
}

// This file spells out what it forbids.
bool is_this(const File& file) {
    return file.path == "test/tidy_test.cc";
}

std::string at(const File& file, std::size_t index) {
    return file.path + ":" + std::to_string(index + 1) + ": " + file.lines[index];
}

/// The target of an #include, with its opening mark: `"reactor/fd.h` or `<vector`. Empty for other
/// lines.
std::string_view include_of(std::string_view line) {
    constexpr std::string_view directive = "#include ";
    if (!line.starts_with(directive)) {
        return {};
    }
    line.remove_prefix(directive.size());
    return line.substr(0, line.find_first_of("\">", 1));
}

bool has_word(std::string_view text, std::string_view word) {
    const auto is_part = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    };
    for (std::size_t from = text.find(word); from != std::string_view::npos;
         from = text.find(word, from + 1)) {
        const std::size_t end = from + word.size();
        if ((from == 0 || !is_part(text[from - 1])) &&
            (end == text.size() || !is_part(text[end]))) {
            return true;
        }
    }
    return false;
}

void expect_none(const Findings& findings) {
    for (const std::string& finding : findings) {
        FAIL_CHECK(finding);
    }
    CHECK(findings.empty());
}

/// Every line of every file but this one for which `breaks` says so.
template <typename Breaks>
Findings lines_that(Breaks breaks) {
    Findings findings;
    for (const File& file : sources()) {
        for (std::size_t index = 0; !is_this(file) && index < file.lines.size(); ++index) {
            if (breaks(file, file.lines[index])) {
                findings.push_back(at(file, index));
            }
        }
    }
    return findings;
}

/// `library` may be included in the named files only.
void expect_confined(std::string_view library, const std::set<std::string>& doors) {
    expect_none(lines_that([&](const File& file, const std::string& line) {
        return include_of(line).starts_with(library) && !doors.contains(file.path);
    }));
}

} // namespace

TEST_CASE("house: the rules see the tree") {
    // Started in a wrong directory every rule below would pass.
    CHECK(fs::exists("meson.build"));
    CHECK(sources().size() > 20);
}

TEST_CASE("house: includes point down, never sideways or up") {
    const std::map<std::string, std::set<std::string>> allowed = {
        {"reactor", {"reactor"}},
        {"protocol", {"protocol"}},
        {"daemon", {"daemon", "protocol", "reactor"}},
        {"client", {"client", "protocol", "reactor"}},
        {"bench", {"bench", "protocol", "reactor"}},
        {"test", {"test", "daemon", "client", "bench", "protocol", "reactor"}},
    };
    expect_none(lines_that([&](const File& file, const std::string& line) {
        const std::string_view target = include_of(line);
        // Measures the daemon's parts one by one, from inside.
        const bool micro = file.path.starts_with("bench/micro/") && target.starts_with("\"daemon/");
        return target.starts_with('"') && !micro &&
               !allowed.at(folder_of(file.path)).contains(folder_of(target.substr(1)));
    }));
}

TEST_CASE("house: reactor and protocol stand on the standard library, POSIX and utf8proc alone") {
    expect_none(lines_that([](const File& file, const std::string& line) {
        const std::string_view target = include_of(line);
        const std::string folder = folder_of(file.path);
        const bool system = target.starts_with('<');
        const bool nested = target.find('/') != std::string_view::npos;
        const bool headed = target.ends_with(".h");
        if (folder == "protocol") {
            return system && (nested || (headed && target != "<utf8proc.h"));
        }
        const bool posix = target.starts_with("<sys/") || target.starts_with("<netinet/") ||
                           target.starts_with("<arpa/") || target.starts_with("<net/") ||
                           target.starts_with("<linux/");
        return folder == "reactor" && system && nested && !posix;
    }));
}

TEST_CASE("house: each library has its one door") {
    expect_confined("<spdlog", {"daemon/log.cc"});
    expect_confined("<fmt", {"daemon/log.cc"});
    expect_confined("<utf8proc", {"protocol/name.cc", "protocol/text.cc"});
    expect_confined("<benchmark", {"bench/micro/trial.h"});
    expect_confined("<nlohmann", {"bench/json.cc", "test/bench/report_test.cc"});
    expect_none(lines_that([](const File& file, const std::string& line) {
        const bool config = file.path.starts_with("daemon/config") && !is_header(file);
        const bool program = file.path == "client/room.cc" || file.path == "client/roomctl.cc" ||
                             file.path == "bench/roombench.cc";
        const std::string_view target = include_of(line);
        return (target.starts_with("<CLI") && !config && !program) ||
               (target.starts_with("<toml") && !config);
    }));
}

TEST_CASE("house: what differs between systems differs in reactor/sys*.cc only") {
    expect_none(lines_that([](const File& file, const std::string& line) {
        const bool door = file.path.starts_with("reactor/sys") && !is_header(file);
        return line.starts_with("#if") && !door;
    }));
}

TEST_CASE("house: every header is guarded by #pragma once") {
    Findings findings;
    for (const File& file : sources()) {
        if (is_header(file) && std::ranges::count(file.lines, "#pragma once") != 1) {
            findings.push_back(file.path);
        }
    }
    expect_none(findings);
}

TEST_CASE("house: every header begins with a paragraph of prose") {
    Findings findings;
    for (const File& file : sources()) {
        if (!is_header(file)) {
            continue;
        }
        std::size_t words = 0;
        for (const std::string& line : file.lines) {
            if (!line.starts_with("//")) {
                break;
            }
            words += static_cast<std::size_t>(std::ranges::count(line, ' '));
        }
        if (words < 12) {
            findings.push_back(file.path);
        }
    }
    expect_none(findings);
}

TEST_CASE("house: no line is longer than 100 columns") {
    expect_none(lines_that([](const File&, const std::string& line) {
        const auto continues = [](char c) {
            return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
        };
        return line.size() - static_cast<std::size_t>(std::ranges::count_if(line, continues)) > 100;
    }));
}

TEST_CASE("house: no open ends and no code in comments") {
    expect_none(lines_that([](const File&, const std::string& line) {
        for (const std::string_view word : {"TODO", "FIXME", "XXX", "HACK"}) {
            if (has_word(line, word)) {
                return true;
            }
        }
        // A comment line that ends as only a statement ends.
        const std::size_t comment = line.find_first_not_of(' ');
        return comment != std::string::npos && line.compare(comment, 3, "// ") == 0 &&
               (line.ends_with(");") || line.ends_with(") {"));
    }));
}

TEST_CASE("house: no shared ownership, no boxed functions in the reactor, asserts always on") {
    expect_none(lines_that([](const File& file, const std::string& line) {
        const std::string code = line.substr(0, line.find("//"));
        const bool spdlog = file.path == "daemon/log.cc"; // whose loggers are shared, asked or not
        const bool reactor = folder_of(file.path) == "reactor";
        return !is_test(file) && ((has_word(code, "shared_ptr") && !spdlog) ||
                                  (code.find("std::function") != std::string::npos && reactor) ||
                                  has_word(code, "NDEBUG"));
    }));
}

TEST_CASE("house: no two types have one name") {
    // The linker would silently take one's constructor for the other's (the One Definition Rule).
    std::map<std::string, std::string> seen;
    Findings findings;
    for (const File& file : sources()) {
        std::vector<std::string> scopes;
        for (std::size_t index = 0; index < file.lines.size(); ++index) {
            const std::string& line = file.lines[index];
            if (line.starts_with("namespace ") && line.ends_with('{')) {
                scopes.push_back(line);
            } else if (line.starts_with("} // namespace")) {
                scopes.pop_back();
            }
            const bool hidden = std::ranges::count(scopes, "namespace {") > 0;
            const bool defines = line.starts_with("class ") || line.starts_with("struct ");
            const std::size_t brace = line.find('{');
            if (hidden || !defines || brace == std::string::npos) {
                continue;
            }
            const std::size_t begin = line.find(' ') + 1;
            const std::string name = line.substr(begin, line.find_first_of(" {", begin) - begin);
            if (name.find("::") != std::string::npos) {
                continue; // the inside of a class, which one file in each program defines
            }
            const std::string scope = scopes.empty() ? std::string() : scopes.back();
            const auto [first, fresh] = seen.try_emplace(scope + name, at(file, index));
            if (!fresh) {
                findings.push_back(first->second + "\nand " + at(file, index));
            }
        }
    }
    CHECK(seen.size() > 50);
    expect_none(findings);
}

TEST_CASE("house: every source file is named in meson.build") {
    const std::string build = read("meson.build");
    Findings findings;
    for (const File& file : sources()) {
        if (!is_header(file) && build.find("'" + file.path + "'") == std::string::npos) {
            findings.push_back(file.path);
        }
    }
    for (const File& file : load_tree({"test/blackbox"}, {".py"})) {
        const std::string stem = fs::path(file.path).stem().string();
        constexpr std::string_view suffix = "_test";
        if (stem.ends_with(suffix) && build.find("'" + stem.substr(0, stem.size() - suffix.size()) +
                                                 "'") == std::string::npos) {
            findings.push_back(file.path);
        }
    }
    expect_none(findings);
}

TEST_CASE("house: every number of the wire is explained in PROTOCOL.md") {
    const std::string document = read("protocol/PROTOCOL.md");
    const File limits = load("protocol/limits.h");
    Findings findings;
    std::size_t numbers = 0;
    for (const std::string& line : limits.lines) {
        if (!line.starts_with("inline constexpr")) {
            continue;
        }
        const std::size_t end = line.find(" =");
        const std::size_t begin = line.rfind(' ', end - 1) + 1;
        const std::string name = line.substr(begin, end - begin);
        ++numbers;
        if (!has_word(document, name)) {
            findings.push_back(name);
        }
    }
    CHECK(numbers > 5);
    expect_none(findings);
}
