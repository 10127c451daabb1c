#include "daemon/config.h"

#include "daemon/config_sources.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

using namespace roomd;

namespace {

/// A configuration file that lives as long as the test.
class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view text) {
        const int fd = mkstemp(path_.data());
        REQUIRE(fd >= 0);
        REQUIRE(close(fd) == 0);
        rewrite(text);
    }

    ~TemporaryFile() { unlink(path_.c_str()); }

    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    TemporaryFile(TemporaryFile&&) = delete;
    TemporaryFile& operator=(TemporaryFile&&) = delete;

    void rewrite(std::string_view text) const {
        std::ofstream file(path_, std::ios::binary | std::ios::trunc);
        file << text;
        REQUIRE(file.flush().good());
    }

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/roomd-config-XXXXXX";
};

ConfigResult load(const std::vector<const char*>& arguments,
                  const std::vector<const char*>& environment = {}) {
    std::vector<const char*> all = {"roomd"};
    std::copy(arguments.begin(), arguments.end(), std::back_inserter(all));
    std::vector<const char*> variables(environment.size() + 1, nullptr);
    std::copy(environment.begin(), environment.end(), variables.begin());
    return load_config(static_cast<int>(all.size()), all.data(), variables.data());
}

ConfigResult load_text(std::string_view text) {
    const TemporaryFile file(text);
    ConfigResult result = load({"--config", file.path().c_str()});
    const std::size_t at = result.error.find(file.path());
    if (at != std::string::npos) {
        result.error.replace(at, file.path().size(), "FILE");
    }
    return result;
}

void check_refused(const ConfigResult& result, int code, std::string_view part) {
    INFO(result.error);
    CHECK(result.action == ConfigAction::exit);
    CHECK(result.exit_code == code);
    CHECK(result.output.empty());
    CHECK(result.error.find(part) != std::string::npos);
    CHECK(result.error.starts_with("roomd: "));
    CHECK(result.error.ends_with('\n'));
}

ListenerSpec listener(std::string_view uri) {
    ListenerSpec spec;
    std::string error;
    const bool good = parse_listener(uri, spec, error);
    INFO(error);
    CHECK(good);
    return spec;
}

void check_listener_refused(std::string_view uri, std::string_view part) {
    ListenerSpec spec;
    spec.uri = "untouched";
    std::string error;
    CAPTURE(uri);
    CHECK_FALSE(parse_listener(uri, spec, error));
    INFO(error);
    CHECK(error.find(part) != std::string::npos);
    CHECK(spec.uri == "untouched");
}

const Setting& row(std::string_view name) {
    const auto table = settings();
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const Setting& each) { return each.name == name; });
    REQUIRE(found != table.end());
    return *found;
}

/// Converts to the type of whatever member it initialises: counts the members of an aggregate.
struct Anything {
    template <typename Type>
    operator Type() const; // NOLINT: implicit is the point
};

template <typename Aggregate, typename... Members>
constexpr std::size_t member_count() {
    if constexpr (requires { Aggregate{Members{}..., Anything{}}; }) {
        return member_count<Aggregate, Members..., Anything>();
    } else {
        return sizeof...(Members);
    }
}

} // namespace

TEST_CASE("Config: without any source the defaults are in force") {
    const ConfigResult result = load({});
    CHECK(result.action == ConfigAction::run);
    CHECK(result.exit_code == 0);
    CHECK(result.error.empty());
    REQUIRE(result.config.listeners.size() == 1); // none that shows what others send
    CHECK(result.config.listeners[0].uri == "tcp://127.0.0.1:8888");
    CHECK(result.config.listeners[0].framing == Framing::automatic);
    CHECK_FALSE(result.config.listeners[0].debug);
    CHECK(result.config.name == "roomd");
    CHECK(result.config.limits.queue_bytes_max == 1024 * 1024);
}

TEST_CASE("Config: flag is stronger than environment, environment than file, file than default") {
    const TemporaryFile file("name = \"file\"\n[limits]\nrooms_max = 3\n");
    const char* const path = file.path().c_str();
    CHECK(load({}).config.name == "roomd");
    CHECK(load({"-c", path}).config.name == "file");
    CHECK(load({"-c", path}, {"ROOMD_NAME=env"}).config.name == "env");
    CHECK(load({"-c", path, "--name", "flag"}, {"ROOMD_NAME=env"}).config.name == "flag");
    CHECK(load({"--name=flag", "-c", path}, {"ROOMD_NAME=env"}).config.name == "flag");
    // what the stronger source does not name comes from the weaker
    CHECK(load({"-c", path, "--name", "flag"}).config.limits.rooms_max == 3);
    CHECK(load({"-c", path}, {"ROOMD_ROOMS_MAX=4"}).config.limits.rooms_max == 4);
    CHECK(load({"-c", path, "--rooms-max", "5"}, {"ROOMD_ROOMS_MAX=4"}).config.limits.rooms_max ==
          5);
}

TEST_CASE("Config: the file is the one of --config, else of ROOMD_CONFIG") {
    const TemporaryFile one("name = \"one\"\n");
    const TemporaryFile two("name = \"two\"\n");
    const std::string variable = "ROOMD_CONFIG=" + two.path();
    CHECK(load({}, {variable.c_str()}).config.name == "two");
    CHECK(load({"-c", one.path().c_str()}, {variable.c_str()}).config.name == "one");
}

TEST_CASE("Config: every row can be set by flag, variable and file, and only within its bounds") {
    for (const Setting& setting : settings()) {
        if (kind_of(setting) != Kind::number) {
            continue;
        }
        CAPTURE(setting.name);
        for (const std::uint64_t value : {setting.min, setting.max}) {
            const std::string text = std::to_string(value);
            const std::string flag = flag_of(setting);
            const std::string variable = variable_of(setting) + "=" + text;
            const std::string section = setting.section == Section::limits ? "[limits]\n" : "";
            // the two are held together by a rule of their own
            const bool soft = setting.name == "queue_soft_bytes";
            const std::string more = soft ? "queue_bytes_max = \"1GiB\"\n" : "";
            std::string file = section + more;
            file.append(setting.name).append(" = ").append(text).append("\n");
            std::vector<const char*> arguments = {flag.c_str(), text.c_str()};
            if (soft) {
                arguments.insert(arguments.end(), {"--queue-bytes-max", "1GiB"});
            }
            const ConfigResult by_flag = load(arguments);
            CHECK_MESSAGE(by_flag.action == ConfigAction::run, by_flag.error);
            CHECK(value_as_toml(setting, by_flag.config) == text);
            const ConfigResult by_variable =
                load({"--queue-bytes-max", soft ? "1GiB" : "1MiB"}, {variable.c_str()});
            if (setting.name != "queue_bytes_max") {
                CHECK(value_as_toml(setting, by_variable.config) == text);
            }
            CHECK(value_as_toml(setting, load_text(file).config) == text);
        }
        const std::string over = std::to_string(setting.max + 1);
        Config config;
        const std::string before = value_as_toml(setting, config);
        CHECK_FALSE(apply(setting, {over}, config).empty());
        if (setting.min > 0) {
            CHECK_FALSE(apply(setting, {std::to_string(setting.min - 1)}, config).empty());
        }
        CHECK_FALSE(apply(setting, {"x"}, config).empty());
        CHECK_FALSE(apply(setting, {}, config).empty());
        CHECK(value_as_toml(setting, config) == before);
    }
}

TEST_CASE("Config: every member of Limits is one row, and no two rows share one") {
    static_assert(member_count<DecoderLimits>() == 2);
    constexpr std::size_t members =
        member_count<Limits, DecoderLimits>() - 1 + member_count<DecoderLimits>();
    const auto table = settings();
    CHECK(
        static_cast<std::size_t>(std::count_if(table.begin(), table.end(), [](const Setting& each) {
            return each.section == Section::limits;
        })) == members);
    std::vector<std::string> names;
    for (const Setting& setting : table) {
        names.emplace_back(setting.name);
        if (kind_of(setting) != Kind::number) {
            continue;
        }
        CAPTURE(setting.name);
        CHECK(setting.min <= setting.max);
        // setting one changes one: the others still have their default
        Config config;
        const Config defaults;
        const std::string other = std::to_string(
            value_as_toml(setting, config) == std::to_string(setting.min) ? setting.max
                                                                          : setting.min);
        REQUIRE(apply(setting, {other}, config).empty());
        for (const Setting& each : table) {
            const bool same = value_as_toml(each, config) == value_as_toml(each, defaults);
            CHECK(same == (each.name != setting.name));
        }
    }
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("Config: every default is within its own bounds") {
    const Config defaults = load({}).config;
    for (const Setting& setting : settings()) {
        if (kind_of(setting) == Kind::number) {
            CAPTURE(setting.name);
            Config config;
            CHECK(apply(setting, {value_as_toml(setting, defaults)}, config).empty());
            CHECK(apply(setting, {value_as_text(setting, defaults)}, config).empty());
            CHECK(value_as_toml(setting, config) == value_as_toml(setting, defaults));
        }
    }
}

TEST_CASE("Config: given listeners replace the default ones, and weaker ones") {
    const TemporaryFile file("listen = [\"tcp://127.0.0.1:1\", \"unix:/tmp/x\"]\n");
    const char* const path = file.path().c_str();
    CHECK(load({"-c", path}).config.listeners.size() == 2);
    const ConfigResult by_variable =
        load({"-c", path}, {"ROOMD_LISTEN=tcp://127.0.0.1:2  tcp://127.0.0.1:3 tcp://[::1]:4"});
    REQUIRE(by_variable.config.listeners.size() == 3);
    CHECK(by_variable.config.listeners[2].endpoint.port == 4);
    const ConfigResult by_flag = load({"-c", path, "--listen", "tcp://127.0.0.1:5", "-l", ":6"},
                                      {"ROOMD_LISTEN=tcp://127.0.0.1:2"});
    REQUIRE(by_flag.config.listeners.size() == 2);
    CHECK(by_flag.config.listeners[0].endpoint.port == 5);
    CHECK(by_flag.config.listeners[1].endpoint.port == 6);
}

TEST_CASE("Config: the same address twice is refused, but port 0 may be asked for again") {
    check_refused(load({"-l", "tcp://127.0.0.1:5", "-l", "127.0.0.1:5?framing=line"}), 64, "twice");
    check_refused(load({"-l", "unix:/tmp/x", "-l", "/tmp/x"}), 64, "twice");
    CHECK(load({"-l", ":0", "-l", ":0"}).config.listeners.size() == 2);
    CHECK(load({"-l", "tcp://127.0.0.1:5", "-l", "udp://127.0.0.1:5"}).config.listeners.size() ==
          2);
}

TEST_CASE("Config: what other machines could reach is refused without --insecure-public") {
    for (const char* const uri : {"tcp://0.0.0.0:8888", "tcp://[::]:8888", "udp://0.0.0.0:8888",
                                  "tcp://192.0.2.1:8888", "tcp://example.org:8888",
                                  "tcp://127.0.0.1.example.org:8888", "tcp://[fe80::1%lo]:8888"}) {
        CAPTURE(uri);
        check_refused(load({"-l", uri}), 78, "--insecure-public");
        check_refused(load({}, {("ROOMD_LISTEN=" + std::string(uri)).c_str()}), 78,
                      "--insecure-public");
        check_refused(load_text("listen = [\"" + std::string(uri) + "\"]\n"), 78,
                      "--insecure-public");
        // one bad one among good ones
        check_refused(load({"-l", ":1", "-l", uri}), 78, "--insecure-public");
        const ConfigResult allowed = load({"-l", uri, "--insecure-public"});
        CHECK(allowed.action == ConfigAction::run);
        CHECK(allowed.config.insecure_public);
        CHECK(load({"-l", uri}, {"ROOMD_INSECURE_PUBLIC=1"}).action == ConfigAction::run);
        check_refused(load({"-l", uri, "--insecure-public=false"}, {"ROOMD_INSECURE_PUBLIC=1"}), 78,
                      "--insecure-public");
    }
    for (const char* const uri : {"tcp://127.0.0.1:1", "tcp://127.9.9.9:1", "tcp://[::1]:1",
                                  "udp://localhost:1?room=x", "unix:/tmp/x", "fd:chat"}) {
        CAPTURE(uri);
        CHECK(load({"-l", uri}).action == ConfigAction::run);
    }
}

TEST_CASE("Config: listener options") {
    const ListenerSpec plain = listener("tcp://127.0.0.1:8888");
    CHECK(plain.framing == Framing::automatic);
    CHECK(plain.room == "lobby");
    CHECK(plain.flush_ms == 0);
    CHECK_FALSE(plain.debug);
    CHECK(plain.limits == RateLimits::by_address);
    const ListenerSpec all =
        listener("tcp://[::1]:1?framing=line&room=ops&flush=2s&debug=on&limits=on");
    CHECK(all.endpoint.host == "::1");
    CHECK(all.framing == Framing::line);
    CHECK(all.room == "ops");
    CHECK(all.flush_ms == 2000);
    CHECK(all.debug);
    CHECK(all.limits == RateLimits::on);
    CHECK(all.uri == "tcp://[::1]:1?framing=line&room=ops&flush=2s&debug=on&limits=on");
    CHECK(listener(":1?room=").room.empty());
    CHECK(listener(":1?room=%C3%BCber").room == "über");
    CHECK(listener(":1?limits=off").limits == RateLimits::off);
    CHECK(listener(":1?flush=60000").flush_ms == 60'000);
    CHECK(listener(":1?").framing == Framing::automatic);
    CHECK(listener("unix:/tmp/x?mode=0600").endpoint.mode == 0600);
    CHECK(listener("unix:/tmp/x?debug=on").debug);
    CHECK(listener("udp://127.0.0.1:1?room=ops").room == "ops");
    CHECK(listener("tcp://127.0.0.1:1?framing=echo").framing == Framing::echo);
    CHECK(listener("tcp://127.0.0.1:1?framing=frame").framing == Framing::frame);
    CHECK(listener("fd:chat?framing=auto&debug=on").debug);
}

TEST_CASE("Config: a listener that is wrong is refused with the part that is") {
    check_listener_refused("http://x:1", "scheme");
    check_listener_refused(":1?framming=line", "did you mean framing");
    check_listener_refused(":1?framing=lines", "auto frame line echo");
    check_listener_refused(":1?framing", "without a value");
    check_listener_refused(":1?room=a&room=b", "twice");
    check_listener_refused(":1?room=a b", "room's name");
    check_listener_refused(":1?room=%zz", "hex");
    check_listener_refused(":1?room=%4", "hex");
    check_listener_refused(":1?flush=60001", "at most");
    check_listener_refused(":1?flush=-1", "milliseconds");
    check_listener_refused(":1?framing=frame&flush=5", "only lines");
    check_listener_refused(":1?framing=echo&room=x", "echo");
    check_listener_refused(":1?debug=maybe", "on or off");
    check_listener_refused(":1?limits=", "on or off");
    check_listener_refused(":1?mode=0600", "Unix");
    check_listener_refused("unix:/x?mode=0980", "octal");
    check_listener_refused("unix:/x?mode=01777", "octal");
    check_listener_refused("tcp://0.0.0.0:1?debug=on", "loopback");
    check_listener_refused("tcp://example.org:1?debug=on", "loopback");
    check_listener_refused("udp://127.0.0.1:1?debug=on", "UDP");
    check_listener_refused("udp://127.0.0.1:1?framing=line", "UDP");
    check_listener_refused("udp://127.0.0.1:1?room=", "no room");
    check_listener_refused("unix:/\xff", "UTF-8");
}

TEST_CASE("Config: sizes and times are understood as people write them") {
    CHECK(parse_number("65536", Unit::bytes) == 65'536);
    CHECK(parse_number("64KiB", Unit::bytes) == 65'536);
    CHECK(parse_number("1MiB", Unit::bytes) == 1'048'576);
    CHECK(parse_number("2GiB", Unit::bytes) == 2'147'483'648);
    CHECK(parse_number("5kB", Unit::bytes) == 5'000);
    CHECK(parse_number("7B", Unit::bytes) == 7);
    CHECK(parse_number("500", Unit::milliseconds) == 500);
    CHECK(parse_number("500ms", Unit::milliseconds) == 500);
    CHECK(parse_number("10s", Unit::milliseconds) == 10'000);
    CHECK(parse_number("2m", Unit::milliseconds) == 120'000);
    CHECK(parse_number("1h", Unit::milliseconds) == 3'600'000);
    CHECK(parse_number("10", Unit::seconds) == 10);
    CHECK(parse_number("2m", Unit::seconds) == 120);
    CHECK(parse_number("10_000", Unit::count) == 10'000);
    CHECK(parse_number("18446744073709551615", Unit::count) == 18'446'744'073'709'551'615ULL);
    for (const std::string_view wrong :
         {"", "-1", "+1", " 1", "1 ", "1.5", "1e3", "0x10", "_1", "1_", "1__0", "KiB", "1KIB",
          "1kib", "1K", "1 KiB", "18446744073709551616", "99999999999GiB"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_number(wrong, Unit::bytes));
    }
    CHECK_FALSE(parse_number("1KiB", Unit::count));
    CHECK_FALSE(parse_number("500ms", Unit::seconds));
    for (const Unit unit : {Unit::count, Unit::bytes, Unit::milliseconds, Unit::seconds}) {
        for (const std::uint64_t value :
             {0ULL, 1ULL, 999ULL, 1'000ULL, 1'024ULL, 60'000ULL, 65'537ULL}) {
            CHECK(parse_number(print_number(value, unit), unit) == value);
        }
    }
    CHECK(print_number(1'048'576, Unit::bytes) == "1MiB");
    CHECK(print_number(10'000, Unit::milliseconds) == "10s");
}

TEST_CASE("Config: in the file a number may be a number or a text with a unit") {
    const ConfigResult result =
        load_text("[limits]\nqueue_bytes_max = \"2MiB\"\nqueue_soft_ms = \"2m\"\n"
                  "rooms_max = 1_000\nstalled_ms_max = 5000\n");
    REQUIRE_MESSAGE(result.action == ConfigAction::run, result.error);
    CHECK(result.config.limits.queue_bytes_max == 2 * 1024 * 1024);
    CHECK(result.config.limits.queue_soft_ms == 120'000);
    CHECK(result.config.limits.rooms_max == 1'000);
    CHECK(result.config.limits.stalled_ms_max == 5'000);
}

TEST_CASE("Config: an unknown key is an error with line, column and what was meant") {
    check_refused(load_text("name = \"x\"\n\n  lissten = []\n"), 78,
                  "FILE:3:3: unknown key \"lissten\"; did you mean listen?");
    check_refused(load_text("[limits]\nqueue_byte_max = 5\n"), 78,
                  "FILE:2:1: unknown key \"queue_byte_max\"; did you mean queue_bytes_max?");
    check_refused(load_text("queue_bytes_max = 5\n"), 78, "belongs under [limits]");
    check_refused(load_text("[limits]\nname = \"x\"\n"), 78, "above the first [table]");
    check_refused(load_text("[limit]\nrooms_max = 5\n"), 78, "did you mean limits?");
    check_refused(load_text("[[rooms]]\nname = \"ops\"\n"), 78, "did you mean room?");
    check_refused(load_text("[[room]]\nname = \"ops\"\nslwo = \"gap\"\n"), 78,
                  "did you mean slow?");
    check_refused(load_text("\"\\u001b[2J\" = 1\n"), 78, R"(unknown key "\u001b[2J")");
}

TEST_CASE("Config: a wrong type is named with key, line, column and the type wanted") {
    check_refused(load_text("[limits]\nqueue_bytes_max = true\n"), 78,
                  "FILE:2:19: limits.queue_bytes_max: a boolean is not a size in bytes");
    check_refused(load_text("[limits]\nrooms_max = 1.5\n"), 78,
                  "FILE:2:13: limits.rooms_max: a number");
    check_refused(load_text("name = 5\n"), 78, "FILE:1:8: name: an integer is not one word");
    check_refused(load_text("insecure_public = \"yes\"\n"), 78, "a string is not true or false");
    check_refused(load_text("listen = \"tcp://127.0.0.1:1\"\n"), 78, "a string is not a list");
    check_refused(load_text("listen = [\":1\", 5]\n"), 78, "FILE:1:17: listen: an integer");
    check_refused(load_text("limits = 5\n"), 78, "not a table");
    check_refused(load_text("room = 5\n"), 78, "[[room]]");
    check_refused(load_text("room = [5]\n"), 78, "[[room]]");
    check_refused(load_text("log_level = 2020-01-01\n"), 78, "a date or time");
}

TEST_CASE("Config: a wrong value is named with key, line, column and what is allowed") {
    check_refused(load_text("[limits]\nrooms_max = 0\n"), 78, "FILE:2:13: limits.rooms_max: \"0\"");
    check_refused(load_text("[limits]\nrooms_max = -5\n"), 78, "from 1 to 10000000");
    check_refused(load_text("log_level = \"loud\"\n"), 78, "one of debug info warning error");
    check_refused(load_text("log_format = \"xml\"\n"), 78, "one of auto text json");
    check_refused(load_text("name = \"two words\"\n"), 78, "one word");
    check_refused(load_text("listen = []\n"), 78, "at least one address");
    check_refused(load_text("listen = [\"tcp://nowhere\"]\n"), 78, "no port");
    check_refused(load_text("name = \"a\"\nname = \"b\"\n"), 78, "FILE:2:");
    check_refused(load_text("name = \n"), 78, "FILE:1:");
    check_refused(load_text("name = \"a\"\n\nlog_level = 2020-01-01Tg_020-01-0100:00:00Z\nx = 1\n"),
                  78, "FILE:3:1: this line");
    check_refused(load_text("name = \"\xff\"\n"), 78, "FILE:1:");
}

TEST_CASE("Config: letters beyond ASCII are welcome in strings and comments, and nowhere else") {
    for (const std::string_view text :
         {"# ü\nname = \"x\" # ü\n", "\xef\xbb\xbfname = \"x\"\n", "[[room]]\nname = 'ü'\n",
          "[[room]]\nname = \"ops\"\ntopic = \"\\\"ü\"\n",
          "[[room]]\nname = \"ops\"\ntopic = \"\"\"a\nü\"\"ü\\\"\"\"ü\"\"\"\"\"# ü\n",
          "[[room]]\nname = \"ops\"\ntopic = '''\\''' # ü\n"}) {
        CAPTURE(text);
        const bool topic_has_lines = text.find("a\n") != std::string_view::npos;
        const ConfigResult result = load_text(text);
        CHECK_MESSAGE(result.error.find("beyond") == std::string::npos, result.error);
        CHECK((topic_has_lines || result.action == ConfigAction::run));
    }
    check_refused(load_text("ü = 1\n"), 78, "FILE:1:1: a letter beyond ASCII");
    // A quote behind a value that has begun otherwise opens no string.
    check_refused(load_text("a = 0020-'1\u036b)\n"), 78, "FILE:1:12: a letter beyond ASCII");
    check_refused(load_text("a = 1['\u036b']\n"), 78, "FILE:1:8: a letter beyond ASCII");
    check_refused(load_text("name = ü\n"), 78, "FILE:1:8: ");
    check_refused(load_text("# ü\nname = \"ü\\\"\" ü\n"), 78, "FILE:2:14: a letter");
    check_refused(load_text("name = \"\"\"ü\"\"\"\"\" ü\n"), 78, "FILE:1:18: a letter");
    check_refused(load_text("name = '\\' ü\n"), 78, "FILE:1:12: a letter");
    check_refused(load_text("name = \"open\nü\n"), 78, "FILE:2:1: a letter");
}

TEST_CASE("Config: flags and variables that are wrong name themselves") {
    check_refused(load({"--rooms-max", "many"}), 64, "--rooms-max: \"many\" is not a whole number");
    check_refused(load({"--rooms-max"}), 64, "--rooms-max");
    check_refused(load({"--queue-byte-max", "5"}), 64, "did you mean --queue-bytes-max?");
    check_refused(load({"--queue-byte-max=5"}), 64, "did you mean --queue-bytes-max?");
    check_refused(load({"8888"}), 64, "--listen");
    check_refused(load({"--listen"}), 64, "--listen");
    check_refused(load({"-l", ":1", ":2"}), 64, "only options");
    check_refused(load({"--name", ""}), 64, "--name");
    check_refused(load({"--bind-retry", "-5"}), 64, "--bind-retry");
    check_refused(load({}, {"ROOMD_ROOMS_MAX=many"}), 78, "ROOMD_ROOMS_MAX: \"many\"");
    check_refused(load({}, {"ROOMD_INSECURE_PUBLIC=maybe"}), 78, "ROOMD_INSECURE_PUBLIC");
    check_refused(load({"--name", "\x1b[2J\n"}), 64, R"("\u001b[2J\n")");
}

TEST_CASE("Config: the last of two equal flags counts, and an empty variable counts as none") {
    CHECK(load({"--name", "a", "--name=b"}).config.name == "b");
    CHECK(load({}, {"ROOMD_NAME="}).config.name == "roomd");
    CHECK(load({}, {"ROOMD_LISTEN="}).config.listeners.size() == 1);
    CHECK(load({}, {"ROOMD_CONFIG="}).action == ConfigAction::run);
    CHECK(load({}, {"ROOMD", "=", "ROOMD_", "X=ROOMD_NAME=y"}).config.name == "roomd");
}

TEST_CASE("Config: a variable that nothing reads is told as a warning") {
    const ConfigResult result = load({}, {"ROOMD_NAM=x", "HOME=/", "ROOMD_NAME=y"});
    REQUIRE(result.warnings.size() == 1);
    CHECK(result.warnings[0].find("did you mean ROOMD_NAME?") != std::string::npos);
    CHECK(result.config.name == "y");
}

TEST_CASE("Config: a user timeout that cuts the keep-alive probes short is told as a warning") {
    CHECK(load({}).warnings.empty());
    CHECK(load({"--user-timeout-ms=90s"}).warnings.empty());
    CHECK(load({"--user-timeout-ms=60s", "--keepalive-idle-s=30"}).warnings.empty());
    for (const char* const option : {"--user-timeout-ms=89999", "--keepalive-idle-s=61",
                                     "--keepalive-interval-s=11", "--keepalive-probes=4"}) {
        const ConfigResult result = load({option});
        REQUIRE(result.warnings.size() == 1);
        CHECK(result.warnings[0].starts_with("with user_timeout_ms = "));
    }
}

TEST_CASE("Config: no file, a directory and no permission are exit code 66") {
    check_refused(load({"-c", "/nonexistent/roomd.toml"}), 66, "/nonexistent/roomd.toml: ");
    check_refused(load({}, {"ROOMD_CONFIG=/nonexistent/roomd.toml"}), 66, "o such file");
    check_refused(load({"-c", "/tmp"}), 66, "directory");
    const TemporaryFile large(std::string(config_bytes_max + 1, '\n'));
    check_refused(load({"-c", large.path().c_str()}), 66, "larger");
    const TemporaryFile secret("name = \"x\"\n");
    REQUIRE(chmod(secret.path().c_str(), 0) == 0);
    if (access(secret.path().c_str(), R_OK) != 0) { // root may read everything
        check_refused(load({"-c", secret.path().c_str()}), 66, "readable");
    }
}

TEST_CASE("Config: an empty file is refused, not taken as the defaults") {
    check_refused(load_text(""), 78, "no setting");
    check_refused(load_text("# nothing\n"), 78, "no setting");
}

TEST_CASE("Config: a file cut at any byte is refused or says less, but never opens more") {
    const std::string whole =
        "listen = [\"tcp://127.0.0.1:1\", \"tcp://0.0.0.0:2\"]\nname = \"x\"\n"
        "insecure_public = true\n[limits]\nrooms_max = 12\n[[room]]\n"
        "name = \"ops\"\nslow = \"wait\"\n";
    CHECK(load_text(whole).action == ConfigAction::run);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const ConfigResult result = load_text(std::string_view(whole).substr(0, size));
        CAPTURE(size);
        if (result.action == ConfigAction::run) {
            CHECK(result.config.insecure_public);
        } else {
            CHECK(result.exit_code == 78);
        }
    }
}

TEST_CASE("Config: rooms have settings of their own") {
    const ConfigResult result =
        load_text("[[room]]\nname = \"Öffentlich\"\nslow = \"wait\"\nhistory_messages_max = 5\n"
                  "history_bytes_max = \"2MiB\"\ntopic = \"a b\"\n[[room]]\nname = \"ops\"\n");
    REQUIRE_MESSAGE(result.action == ConfigAction::run, result.error);
    REQUIRE(result.config.rooms.size() == 2);
    CHECK(result.config.rooms[0].name == "Öffentlich");
    CHECK(result.config.rooms[0].slow == SlowPolicy::wait);
    CHECK(result.config.rooms[0].history_messages_max == 5);
    CHECK(result.config.rooms[0].history_bytes_max == 2 * 1024 * 1024);
    CHECK(result.config.rooms[0].topic == "a b");
    CHECK(result.config.rooms[1].slow == SlowPolicy::by_format);
    CHECK(result.config.rooms[1].history_messages_max == 0);
    check_refused(load_text("[[room]]\nslow = \"gap\"\n"), 78, "needs a name");
    check_refused(load_text("[[room]]\nname = \"two words\"\n"), 78, "FILE:2:8: room.name");
    check_refused(load_text("[[room]]\nname = \"x\"\nslow = \"never\"\n"), 78, "by_format gap");
    check_refused(load_text("[[room]]\nname = \"x\"\nhistory_messages_max = 0\n"), 78, "from 1");
    check_refused(load_text("[[room]]\nname = \"x\"\ntopic = \"a\\u0000b\"\n"), 78, "room.topic");
    check_refused(load_text("[[room]]\nname = \"x\"\n[[room]]\nname = \"X\"\n"), 78, "twice");
}

TEST_CASE("Config: a soft queue limit follows a lowered hard one, unless it was given") {
    const ConfigResult follows = load({"--queue-bytes-max", "64KiB"});
    CHECK(follows.config.limits.queue_soft_bytes == 64 * 1024);
    check_refused(load({"--queue-bytes-max", "64KiB", "--queue-soft-bytes", "65KiB"}), 78,
                  "queue_soft_bytes (flag --queue-soft-bytes) is 66560");
}

TEST_CASE("Config: --print-config is a file that gives the same configuration again") {
    const TemporaryFile file("name = \"from-file\"\n[[room]]\nname = \"ops\"\nslow = \"gap\"\n"
                             "topic = \"quote \\\" backslash \\\\ tab \\t end\"\n");
    const std::vector<const char*> environment = {"ROOMD_LOG_LEVEL=debug"};
    std::vector<const char*> arguments = {"-c",
                                          file.path().c_str(),
                                          "--rooms-max",
                                          "7",
                                          "-l",
                                          "tcp://127.0.0.1:1?room=%C3%BC&flush=5",
                                          "--print-config"};
    const ConfigResult printed = load(arguments, environment);
    CHECK(printed.action == ConfigAction::exit);
    CHECK(printed.exit_code == 0);
    CHECK(printed.error.empty());
    for (const std::string& part :
         {"name = \"from-file\"  # file " + file.path() + ":1\n",
          std::string("log_level = \"debug\"  # env ROOMD_LOG_LEVEL\n"),
          std::string("rooms_max = 7  # flag --rooms-max\n"), std::string("]  # flag --listen\n"),
          std::string("log_format = \"auto\"  # default\n"),
          "[[room]]  # file " + file.path() + ":2\n"}) {
        CAPTURE(part);
        CHECK(printed.output.find(part) != std::string::npos);
    }
    const FileSettings again = parse_config_text(printed.output, "again");
    REQUIRE_MESSAGE(again.error.empty(), again.error);
    CHECK(again.given.size() == settings().size());
    const Merged merged = merge(again, {}, {});
    REQUIRE_MESSAGE(merged.error.empty(), merged.error);
    arguments.pop_back();
    const Config config = load(arguments, environment).config;
    for (const Setting& setting : settings()) {
        CHECK(value_as_toml(setting, merged.config) == value_as_toml(setting, config));
    }
    REQUIRE(merged.config.rooms.size() == 1);
    CHECK(merged.config.rooms[0].topic == config.rooms[0].topic);
    CHECK(merged.config.rooms[0].slow == config.rooms[0].slow);
}

TEST_CASE("Config: --check-config, --version and --help answer and stop") {
    CHECK(load({"--check-config"}).output == "configuration ok\n");
    CHECK(load({"--check-config"}).exit_code == 0);
    check_refused(load({"--check-config", "--rooms-max", "0"}), 64, "--rooms-max");
    CHECK(load({"--version"}).output == "roomd " + std::string(version()) + "\n");
    CHECK(version().find_first_not_of("0123456789.") == std::string_view::npos);
    const ConfigResult help = load({"--help"});
    CHECK(help.action == ConfigAction::exit);
    CHECK(help.exit_code == 0);
    CHECK(load({"-h"}).output == help.output);
    for (const Setting& setting : settings()) {
        CAPTURE(setting.name);
        const std::string before = setting.name == "listen" ? "\n  -l, " : "\n  ";
        CHECK(help.output.find(before + flag_of(setting) + " ") != std::string::npos);
        CHECK(help.output.find(setting.help) != std::string::npos);
    }
    CHECK(help.output.find("nc 127.0.0.1 8888") < help.output.find("--listen URI"));
    CHECK(help.output.find("--listen URI") < help.output.find("\nLimits"));
    CHECK(help.output.find("\nLimits") < help.output.find("--frame-bytes-max"));
}

TEST_CASE("Config: loading again sees the file as it is now, and nothing of the time before") {
    const TemporaryFile file("name = \"one\"\n[limits]\nrooms_max = 5\n[[room]]\nname = \"a\"\n");
    const std::vector<const char*> arguments = {"-c", file.path().c_str(), "-l", ":1"};
    CHECK(load(arguments).config.limits.rooms_max == 5);
    file.rewrite("name = \"two\"\n");
    const ConfigResult again = load(arguments);
    CHECK(again.config.name == "two");
    CHECK(again.config.limits.rooms_max == Limits{}.rooms_max);
    CHECK(again.config.rooms.empty());
    CHECK(again.config.listeners.size() == 1);
    file.rewrite("name = 5\n");
    check_refused(load(arguments), 78, "name");
}

TEST_CASE("Config: systemd/roomd.toml is what --print-example says, and every key in it works") {
    const ConfigResult printed = load({"--print-example"});
    CHECK(printed.exit_code == 0);
    std::ifstream installed("systemd/roomd.toml"); // tests run at the top of the tree
    REQUIRE(installed);
    std::stringstream text;
    text << installed.rdbuf();
    CHECK(text.str() == printed.output);
    CHECK(parse_config_text(printed.output, "example").error.empty());
    // with the '#' of each '#key' taken away, every setting is there and has its default
    std::string opened;
    std::istringstream lines(printed.output);
    for (std::string line; std::getline(lines, line);) {
        const bool key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        opened += (key ? line.substr(1) : line) + "\n";
    }
    const FileSettings file = parse_config_text(opened, "opened");
    REQUIRE_MESSAGE(file.error.empty(), file.error);
    CHECK(file.given.size() == settings().size());
    CHECK(file.rooms.size() == 1);
    const Merged merged = merge(file, {}, {});
    CHECK_MESSAGE(merged.error.empty(), merged.error);
    const Config defaults = load({}).config;
    for (const Setting& setting : settings()) {
        CHECK(value_as_toml(setting, merged.config) == value_as_toml(setting, defaults));
    }
}

TEST_CASE("Config: the flag of each row is what its name says") {
    CHECK(flag_of(row("queue_bytes_max")) == "--queue-bytes-max");
    CHECK(variable_of(row("queue_bytes_max")) == "ROOMD_QUEUE_BYTES_MAX");
    CHECK(key_of(row("queue_bytes_max")) == "limits.queue_bytes_max");
    CHECK(key_of(row("listen")) == "listen");
}
