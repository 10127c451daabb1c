#include "daemon/log.h"

#include "daemon/log_line.h"
#include "protocol/text.h"
#include "reactor/fd.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

using namespace roomd;

namespace {

using Clock = std::chrono::steady_clock;

/// Stands in for the process's stderr as long as it lives: the write end of a pipe.
class CapturedStderr {
public:
    CapturedStderr() : saved_(dup(STDERR_FILENO)) {
        std::array<int, 2> ends{};
        REQUIRE(pipe(ends.data()) == 0);
        read_end_ = Fd(ends[0]);
        const Fd write_end(ends[1]);
        REQUIRE(fcntl(read_end_.get(), F_SETFL, O_NONBLOCK) == 0);
        REQUIRE(dup2(write_end.get(), STDERR_FILENO) == STDERR_FILENO);
    }

    ~CapturedStderr() { dup2(saved_.get(), STDERR_FILENO); }

    CapturedStderr(const CapturedStderr&) = delete;
    CapturedStderr& operator=(const CapturedStderr&) = delete;
    CapturedStderr(CapturedStderr&&) = delete;
    CapturedStderr& operator=(CapturedStderr&&) = delete;

    /// What is in the pipe now.
    [[nodiscard]] std::string taken() const {
        std::string all;
        std::array<char, 4096> buffer{};
        for (ssize_t size = 0; (size = read(read_end_.get(), buffer.data(), buffer.size())) > 0;) {
            all.append(buffer.data(), static_cast<std::size_t>(size));
        }
        return all;
    }

    /// Fills the pipe until it takes no byte more.
    static void fill() {
        REQUIRE(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK) == 0);
        const std::string page(4096, '.');
        while (write(STDERR_FILENO, page.data(), page.size()) > 0) {
        }
        REQUIRE(fcntl(STDERR_FILENO, F_SETFL, 0) == 0);
    }

    void close_reader() { read_end_.reset(); }

private:
    Fd saved_;
    Fd read_end_;
};

/// What a log says that lives for one call.
template <typename Use>
std::string logged(LogFormat format, LogLevel level, Use use) {
    const CapturedStderr captured;
    {
        Log log(format, level, 1'000);
        use(log);
    }
    return captured.taken();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
        lines.push_back(text.substr(begin, end - begin));
    }
    CHECK(begin == text.size()); // each line has its end
    return lines;
}

/// RFC 8259, strict: the strings of one flat object, in order of key, value; nothing if it is none.
class FlatJson {
public:
    static std::optional<std::vector<std::string>> parse(std::string_view text) {
        FlatJson parser(text);
        return parser.object() && parser.rest_.empty() ? std::optional(parser.strings_)
                                                       : std::nullopt;
    }

private:
    explicit FlatJson(std::string_view text) : rest_(text) {}

    bool take(char c) {
        if (!rest_.starts_with(c)) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    bool object() {
        if (!take('{')) {
            return false;
        }
        do {
            if (!string() || !take(':') || !value()) {
                return false;
            }
        } while (take(','));
        return take('}');
    }

    bool value() {
        if (rest_.starts_with('"')) {
            return string();
        }
        const std::size_t end = rest_.find_first_of(",}");
        const std::string_view word = rest_.substr(0, end);
        const std::string_view digits = word.starts_with('-') ? word.substr(1) : word;
        const bool number =
            !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
        rest_.remove_prefix(word.size());
        strings_.emplace_back(word);
        return number || word == "true" || word == "false";
    }

    bool string() {
        if (!take('"')) {
            return false;
        }
        std::string text;
        while (!rest_.empty() && rest_.front() != '"') {
            if (static_cast<unsigned char>(rest_.front()) < 0x20) {
                return false;
            }
            if (take('\\')) {
                if (rest_.empty() ||
                    std::string_view("\"\\/bfnrtu").find(rest_.front()) == std::string_view::npos) {
                    return false;
                }
                const std::string_view hex = rest_.substr(1, 4);
                if (rest_.front() == 'u' &&
                    (hex.size() < 4 ||
                     hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)) {
                    return false;
                }
            }
            text += rest_.front();
            rest_.remove_prefix(1);
        }
        strings_.push_back(text);
        return check_text(text).valid && take('"');
    }

    std::string_view rest_;
    std::vector<std::string> strings_;
};

/// P6: what a client might choose to make a line look like another one.
const std::vector<std::string>& injections() {
    static const std::vector<std::string> corpus = {
        "a\nb",
        "a\r\nb",
        "\r",
        std::string("a\0b", 3),
        "\x1b[2J\x1b]0;x\x07",
        "a\u2028b\u2029c",
        "\" level=error",
        "x level=error event=closed",
        "\\",
        "\\\"",
        "\"",
        R"(","level":"error)",
        "}\n{\"level\":\"error\"}",
        "",
        " ",
        "=",
        "\t",
        "\x7f",
        "\u0085\u009b2J",
        std::string({'\xe2', '\x80', '\xae'}) + "live", // U+202E
        "\xff\xfe",
        "\xc0\xaf",
        "\xed\xa0\x80",
        "\xf5\x80\x80\x80",
        "\xe2\x80",
        std::string(10'000, '\n'),
        std::string(10'000, '"'),
        std::string(255, 'x') + "\xc3\xbc",
        std::string(10'000, '\xff'),
        "%v %l %n {} {0} %Y",
        "Grüße, 世界 👋",
    };
    return corpus;
}

} // namespace

TEST_CASE("Log: an entry for the journal has the line as its message and each field apart") {
    CHECK(render_entry(LogLevel::warning, "closed",
                       {{"nick", "ann"}, {"text", "a\nb"}, {"bytes", std::uint64_t{7}}}) ==
          "SYSLOG_IDENTIFIER=roomd\nPRIORITY=4\n"
          "MESSAGE=closed nick=ann text=\"a\\nb\" bytes=7\n"
          "ROOMD_EVENT=closed\nROOMD_NICK=ann\nROOMD_TEXT=\"a\\nb\"\nROOMD_BYTES=7\n");
    // Whatever a client chose, it begins no field of its own.
    const std::string entry = render_entry(LogLevel::info, "x", {{"k", "v\nPRIORITY=0"}});
    CHECK(entry.find("\nPRIORITY=0") == std::string::npos);
}

TEST_CASE("Log: a text line is time, level, event and key=value") {
    const std::string text = logged(LogFormat::text, LogLevel::debug, [](Log& log) {
        log.line(LogLevel::info, "closed",
                 {{"peer", "127.0.0.1:5"},
                  {"nick", "Ann B"},
                  {"bytes", std::uint64_t{5}},
                  {"left", std::int64_t{-5}},
                  {"clean", true}});
    });
    const std::vector<std::string> lines = lines_of(text);
    REQUIRE(lines.size() == 1);
    constexpr std::string_view time = "2026-01-01T00:00:00.000Z";
    REQUIRE(lines[0].size() > time.size());
    CHECK(lines[0][10] == 'T');
    CHECK(lines[0][23] == 'Z');
    CHECK(lines[0].substr(time.size()) ==
          " info closed peer=127.0.0.1:5 nick=\"Ann B\" bytes=5 left=-5 clean=true");
}

TEST_CASE("Log: a JSON line is one object") {
    const std::string text = logged(LogFormat::json, LogLevel::debug, [](Log& log) {
        log.line(LogLevel::warning, "closed",
                 {{"nick", "ann"},
                  {"bytes", std::numeric_limits<std::uint64_t>::max()},
                  {"left", std::numeric_limits<std::int64_t>::min()},
                  {"clean", false}});
    });
    const std::vector<std::string> lines = lines_of(text);
    REQUIRE(lines.size() == 1);
    const auto strings = FlatJson::parse(lines[0]);
    REQUIRE(strings);
    const std::vector<std::string> wanted = {"level", "warning",
                                             "event", "closed",
                                             "nick",  "ann",
                                             "bytes", "18446744073709551615",
                                             "left",  "-9223372036854775808",
                                             "clean", "false"};
    REQUIRE(strings->size() == wanted.size() + 2);
    CHECK((*strings)[0] == "time");
    CHECK(std::equal(wanted.begin(), wanted.end(), strings->begin() + 2));
}

TEST_CASE(
    "Log: nothing a client chooses makes a second line, a second field or invalid JSON (P6)") {
    for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
        const std::string text = logged(format, LogLevel::info, [](Log& log) {
            for (const std::string& injection : injections()) {
                log.line(LogLevel::info, "said", {{"nick", injection}, {"text", injection}});
            }
        });
        const std::vector<std::string> lines = lines_of(text);
        REQUIRE(lines.size() == injections().size());
        for (std::size_t i = 0; i < lines.size(); ++i) {
            CAPTURE(i);
            const std::string& line = lines[i];
            CHECK(line.size() < 4'096);
            CHECK(check_text(line).valid);
            CHECK(check_text(line).harmless);
            CHECK(line.find('\t') == std::string::npos);
            for (const std::string_view separator : {"\u0085", "\u2028", "\u2029"}) {
                CHECK(line.find(separator) == std::string::npos);
            }
            if (format == LogFormat::json) {
                const auto strings = FlatJson::parse(line);
                REQUIRE(strings);
                CHECK(strings->size() == 10);
                CHECK((*strings)[3] == "info");
            }
        }
    }
}

TEST_CASE("Log: a client's value is cut at 256 bytes, and a line too long says so") {
    const std::string large(100'000, 'x');
    for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
        const std::string one = render_line(format, "said", {{"text", large}});
        CHECK(one.size() < 300);
        const LogField field{"text", large};
        const std::string many =
            render_line(format, "said",
                        {field, field, field, field, field, field, field, field, field, field,
                         field, field, field, field, field, field, field, field});
        CHECK(many.size() <= payload_bytes_max + 20);
        CHECK(many.find("truncated") != std::string::npos);
        if (format == LogFormat::json) {
            CHECK(FlatJson::parse("{" + many + "}"));
        }
    }
}

TEST_CASE("Log: any two bytes stay one harmless line") {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const std::array<char, 2> bytes = {static_cast<char>(first), static_cast<char>(second)};
            const std::string_view value(bytes.data(), bytes.size());
            const std::string json = "{" + render_line(LogFormat::json, "x", {{"k", value}}) + "}";
            const std::string text = render_line(LogFormat::text, "x", {{"k", value}});
            const auto parsed = FlatJson::parse(json);
            if (!parsed || parsed->size() != 4 || !check_text(text).harmless) {
                FAIL("bytes " << first << " " << second << ": " << json << " and " << text);
            }
        }
    }
}

TEST_CASE("Log: a text value stands bare only when nothing in it could be a separator") {
    const auto text = [](std::string_view value) {
        return render_line(LogFormat::text, "x", {{"k", value}});
    };
    CHECK(text("ann") == "x k=ann");
    CHECK(text("[::1]:8888") == "x k=[::1]:8888");
    CHECK(text("") == "x k=\"\"");
    CHECK(text("a b") == "x k=\"a b\"");
    CHECK(text("a=b") == "x k=\"a=b\"");
    CHECK(text("a\"b") == "x k=\"a\\\"b\"");
    CHECK(text("ü") == "x k=\"ü\"");
}

TEST_CASE("Log: what is below the level is not written, and configure changes level and format") {
    const std::string text = logged(LogFormat::text, LogLevel::warning, [](Log& log) {
        log.line(LogLevel::debug, "a", {});
        log.line(LogLevel::info, "b", {});
        log.line(LogLevel::warning, "c", {});
        log.line(LogLevel::error, "d", {});
        log.configure(LogFormat::json, LogLevel::info, 1'000);
        log.line(LogLevel::debug, "e", {});
        log.line(LogLevel::info, "f", {});
        CHECK(log.dropped() == 0);
    });
    const std::vector<std::string> lines = lines_of(text);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].ends_with(" warning c"));
    CHECK(lines[1].ends_with(" error d"));
    CHECK(lines[2].ends_with(R"("level":"info","event":"f"})"));
}

TEST_CASE("Log: a kind of event over its rate is counted and told, others are not held back") {
    const CapturedStderr captured;
    std::uint64_t dropped = 0;
    const auto begin = Clock::now();
    {
        Log log(LogFormat::text, LogLevel::info, 20);
        for (int i = 0; i < 500; ++i) {
            log.line(LogLevel::info, "flood", {});
        }
        log.line(LogLevel::info, "rare", {});
        dropped = log.dropped();
    }
    REQUIRE(Clock::now() - begin < std::chrono::seconds(1)); // else the figures are others
    const std::vector<std::string> lines = lines_of(captured.taken());
    const auto count = [&](std::string_view end) {
        return std::count_if(lines.begin(), lines.end(),
                             [&](const std::string& line) { return line.ends_with(end); });
    };
    CHECK(count(" info flood") == 20);
    CHECK(count(" info rare") == 1);
    CHECK(count(" warning suppressed kind=flood lines=480") == 1);
    CHECK(lines.size() == 22);
    CHECK(dropped == 480);
}

TEST_CASE("Log: when the second is over, what was held back is told by the next line of any kind") {
    const CapturedStderr captured;
    std::string text;
    {
        Log log(LogFormat::text, LogLevel::info, 2);
        for (int i = 0; i < 5; ++i) {
            log.line(LogLevel::info, "flood", {});
        }
        const auto deadline = Clock::now() + std::chrono::seconds(10);
        while (text.find("suppressed kind=flood lines=3") == std::string::npos &&
               Clock::now() < deadline) {
            log.line(LogLevel::info, "other", {});
            text += captured.taken();
            pollfd nothing{-1, 0, 0};
            poll(&nothing, 1, 10);
        }
        CHECK(text.find("suppressed kind=flood lines=3") != std::string::npos);
        log.line(LogLevel::info, "flood", {});
    }
    text += captured.taken();
    std::size_t floods = 0;
    for (const std::string& line : lines_of(text)) {
        floods += line.ends_with(" info flood") ? 1U : 0U;
    }
    CHECK(floods == 3);
}

TEST_CASE("Log: a full pipe blocks nobody; lines are dropped, counted, and the end comes in time") {
    const CapturedStderr captured;
    CapturedStderr::fill();
    constexpr int lines = 20'000;
    auto log = std::make_unique<Log>(LogFormat::text, LogLevel::info, lines);
    std::vector<Clock::duration> each;
    for (int i = 0; i < lines; ++i) {
        const auto before = Clock::now();
        log->line(LogLevel::info, "said", {{"number", std::int64_t{i}}});
        each.push_back(Clock::now() - before);
    }
    std::sort(each.begin(), each.end());
    CHECK(each.at(lines / 2) < std::chrono::microseconds(250));
    CHECK(each.at(lines - 4) < std::chrono::milliseconds(100)); // others share the processor
    CHECK(log->dropped() > lines / 2);
    CHECK(log->dropped() < lines);
    const auto time_the_end = [&log] {
        const auto before = Clock::now();
        log.reset();
        return Clock::now() - before;
    };
    auto took = time_the_end();
    CHECK(took >= std::chrono::milliseconds(900)); // the chance that somebody reads was given
    // A machine under load may hold up one end, but not each.
    for (int again = 0; again < 4 && took >= std::chrono::milliseconds(2'500); ++again) {
        log = std::make_unique<Log>(LogFormat::text, LogLevel::info, lines);
        log->line(LogLevel::info, "said", {});
        took = time_the_end();
    }
    CHECK(took < std::chrono::milliseconds(2'500));
}

TEST_CASE("Log: when the reader comes back, whole lines follow and say how many were lost") {
    const CapturedStderr captured;
    CapturedStderr::fill();
    std::string text;
    {
        constexpr int lines = 5'000;
        Log log(LogFormat::json, LogLevel::info, lines);
        for (int i = 0; i < lines; ++i) {
            log.line(LogLevel::info, "said", {{"number", std::int64_t{i}}});
        }
        CHECK(log.dropped() > 0);
        const auto deadline = Clock::now() + std::chrono::seconds(10);
        while (text.find("log_lines_lost") == std::string::npos && Clock::now() < deadline) {
            text += captured.taken();
            log.line(LogLevel::info, "again", {});
            pollfd nothing{-1, 0, 0};
            poll(&nothing, 1, 10);
        }
    }
    text += captured.taken();
    text.erase(0, text.find_first_not_of('.'));
    CHECK(text.find("\"event\":\"log_lines_lost\",\"lines\":") != std::string::npos);
    for (const std::string& line : lines_of(text)) {
        if (!FlatJson::parse(line)) {
            FAIL("not a whole line: " << line);
        }
    }
}

TEST_CASE("Log: a reader that is gone ends neither the process nor the log") {
    CapturedStderr captured;
    captured.close_reader();
    const auto begin = Clock::now();
    {
        Log log(LogFormat::text, LogLevel::info, 1'000);
        for (int i = 0; i < 100; ++i) {
            log.line(LogLevel::info, "said", {});
        }
    }
    CHECK(Clock::now() - begin < std::chrono::milliseconds(2'500));
}

TEST_CASE("Log: the writing thread takes no signal that belongs to the reactor") {
    // A signal sent to the process while this thread blocks it must stay pending.
    const CapturedStderr captured;
    const Log log(LogFormat::text, LogLevel::info, 10);
    sigset_t user{};
    sigset_t before{};
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &user, &before) == 0);
    REQUIRE(kill(getpid(), SIGUSR1) == 0);
    sigset_t pending{};
    REQUIRE(sigpending(&pending) == 0);
    CHECK(sigismember(&pending, SIGUSR1) == 1);
    int taken = 0;
    CHECK(sigwait(&user, &taken) == 0);
    CHECK(taken == SIGUSR1);
    REQUIRE(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}
