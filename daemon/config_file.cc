#include "daemon/config_scan.h"
#include "daemon/config_sources.h"
#include "protocol/limits.h"
#include "protocol/name.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

// The parser is compiled in, without exceptions, so that a bad file is a value like any other and
// the sanitizers see into it; the distribution's shared library is built with them. toml++ 3.3
// asserts what a file may break (`x = 2020-01-01Tg_`, found by fuzzing), and a reload must survive
// any file: so its assertions throw, and parse_config_text() makes a refusal of that.
struct ParserConfused {};

[[noreturn]] static void confused() {
    throw ParserConfused();
}

#define TOML_ASSERT(expr) ((expr) ? static_cast<void>(0) : confused())
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace roomd {

namespace {

constexpr std::array<std::string_view, 5> room_keys = {"name", "slow", "history_messages_max",
                                                       "history_bytes_max", "topic"};
constexpr std::size_t shown_bytes_max = 80;

std::string_view type_name(const toml::node& node) {
    constexpr std::array<std::string_view, 7> names = {
        // in the order of toml::node_type
        "nothing",  "a table", "an array", "a string", "an integer", "a number with a fraction",
        "a boolean"};
    const auto type = static_cast<std::size_t>(node.type());
    return type < names.size() ? names.at(type) : "a date or time";
}

/// Walks a parsed file, collecting settings until something is wrong.
class Walk {
public:
    Walk(const std::string& path, FileSettings& result) : path_(path), result_(result) {}

    void top(const toml::table& root) {
        for (const auto& [key, node] : root) {
            if (key == "limits") {
                limits(node);
            } else if (key == "room") {
                rooms(node);
            } else {
                setting(Section::general, key, node);
            }
        }
        if (root.empty()) {
            fail(TextPosition{1, 1},
                 "there is no setting in this file; without --config the defaults run");
        }
    }

    void fail(TextPosition position, const std::string& why) {
        if (result_.error.empty()) {
            result_.error = at(position) + ": " + why;
            result_.exit_code = exit_config;
        }
    }

    void fail(const toml::source_position& position, const std::string& why) {
        fail(TextPosition{position.line, position.column}, why);
    }

private:
    void fail(const toml::node& node, const std::string& key, const std::string& why) {
        fail(node.source().begin, key + ": " + why);
    }

    [[nodiscard]] std::string at(TextPosition position) const {
        return path_ + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
    }

    [[nodiscard]] std::string origin(const toml::source_position& position) const {
        return "file " + path_ + ":" + std::to_string(position.line);
    }

    void limits(const toml::node& node) {
        const toml::table* const table = node.as_table();
        if (table == nullptr) {
            fail(node, "limits", std::string(type_name(node)) + " is not a table: write [limits]");
            return;
        }
        for (const auto& [key, value] : *table) {
            setting(Section::limits, key, value);
        }
    }

    void rooms(const toml::node& node) {
        const toml::array* const array = node.as_array();
        if (array == nullptr || !array->is_homogeneous(toml::node_type::table)) {
            fail(node, "room", "rooms are tables of their own: write [[room]]");
            return;
        }
        for (const toml::node& element : *array) {
            room(*element.as_table());
        }
    }

    void setting(Section section, const toml::key& key, const toml::node& node) {
        const auto table = settings();
        const auto found = std::find_if(table.begin(), table.end(), [&](const Setting& row) {
            return row.section == section && row.name == key.str();
        });
        if (found == table.end()) {
            unknown(section, key);
            return;
        }
        std::vector<std::string> texts;
        if (!texts_of(*found, node, texts)) {
            return;
        }
        const auto& begin = node.source().begin;
        result_.given.push_back(
            Given{static_cast<std::size_t>(found - table.begin()), std::move(texts),
                  at({begin.line, begin.column}) + ": " + key_of(*found), origin(begin)});
    }

    void unknown(Section section, const toml::key& key) {
        std::vector<std::string> candidates = {"limits", "room"};
        for (const Setting& row : settings()) {
            candidates.push_back(row.section == section ? std::string(row.name) : key_of(row));
        }
        // a limit written at the top, or a setting below [limits]
        const auto table = settings();
        const auto other = std::find_if(table.begin(), table.end(), [&](const Setting& row) {
            return row.section != section && row.name == key.str();
        });
        std::string hint = did_you_mean(key.str(), candidates);
        if (other != table.end()) {
            hint = section == Section::general ? "; it belongs under [limits]"
                                               : "; it belongs above the first [table]";
        }
        fail(key.source().begin, "unknown key " + quoted(key.str(), shown_bytes_max) + hint);
    }

    bool wrong_type(const std::string& key, const toml::node& node, const std::string& wanted) {
        fail(node, key, std::string(type_name(node)) + " is not " + wanted);
        return false;
    }

    /// The node's value as text, if its type is one that `row` takes.
    bool texts_of(const Setting& row, const toml::node& node, std::vector<std::string>& texts) {
        const Kind kind = kind_of(row);
        if (kind == Kind::list) {
            return list_of(row, node, texts);
        }
        if (const auto* const integer = node.as_integer();
            integer != nullptr && kind == Kind::number) {
            texts.push_back(std::to_string(integer->get()));
        } else if (const auto* const flag = node.as_boolean();
                   flag != nullptr && kind == Kind::flag) {
            texts.emplace_back(flag->get() ? "true" : "false");
        } else if (const auto* const text = node.as_string();
                   text != nullptr && kind != Kind::flag) {
            texts.push_back(text->get());
        } else {
            return wrong_type(key_of(row), node, wanted_by(row));
        }
        return true;
    }

    bool list_of(const Setting& row, const toml::node& node, std::vector<std::string>& texts) {
        const toml::array* const array = node.as_array();
        if (array == nullptr) {
            return wrong_type(key_of(row), node, wanted_by(row) + R"(: write ["...", "..."])");
        }
        for (const toml::node& element : *array) {
            const auto* const text = element.as_string();
            if (text == nullptr) {
                return wrong_type(key_of(row), element, "a string in " + wanted_by(row));
            }
            texts.push_back(text->get());
        }
        return true;
    }

    void room(const toml::table& table) {
        GivenRoom given{RoomSpec{}, origin(table.source().begin)};
        for (const auto& [key, node] : table) {
            const std::string_view name = key.str();
            if (name == "history_messages_max" || name == "history_bytes_max") {
                room_limit(name, node, given.spec);
            } else if (std::find(room_keys.begin(), room_keys.end(), name) == room_keys.end()) {
                fail(key.source().begin,
                     "unknown key " + quoted(name, shown_bytes_max) + " of [[room]]" +
                         did_you_mean(name, {room_keys.begin(), room_keys.end()}));
            } else if (const auto* const text = node.as_string(); text == nullptr) {
                wrong_type("room." + std::string(name), node, "a string");
            } else {
                room_text(name, text->get(), node, given.spec);
            }
        }
        if (given.spec.name.empty()) {
            fail(table, "room", "a [[room]] needs a name: name = \"ops\"");
        }
        result_.rooms.push_back(std::move(given));
    }

    /// The general limit's row says what is allowed for one room, too.
    void room_limit(std::string_view name, const toml::node& node, RoomSpec& spec) {
        const auto table = settings();
        const auto row = std::find_if(table.begin(), table.end(),
                                      [&](const Setting& each) { return each.name == name; });
        std::vector<std::string> texts;
        if (!texts_of(*row, node, texts)) {
            return;
        }
        Config scratch;
        if (const std::string why = apply(*row, texts, scratch); !why.empty()) {
            fail(node, "room." + std::string(name), why);
        }
        const bool messages = name == "history_messages_max";
        (messages ? spec.history_messages_max : spec.history_bytes_max) =
            messages ? scratch.limits.history_messages_max : scratch.limits.history_bytes_max;
    }

    void room_text(std::string_view key, const std::string& text, const toml::node& node,
                   RoomSpec& spec) {
        std::string wanted;
        if (key == "slow") {
            wanted =
                parse_slow_policy(text, spec.slow) ? "" : "one of by_format gap disconnect wait";
        } else if (key == "topic") {
            const bool fits = text.size() <= topic_bytes_max && check_text(text).valid &&
                              check_text(text).harmless;
            wanted =
                fits ? "" : "one line of at most " + std::to_string(topic_bytes_max) + " bytes";
            spec.topic = text;
        } else {
            const auto name = Name::parse(text, NameKind::room, ScriptPolicy::any);
            wanted = std::holds_alternative<Name>(name)
                         ? ""
                         : "a room's name: 1 to 32 letters, digits, '_', '-' and '.'";
            spec.name = text;
        }
        if (!wanted.empty()) {
            fail(node, "room." + std::string(key),
                 quoted(text, shown_bytes_max) + " is not " + wanted);
        }
    }

    const std::string& path_;
    FileSettings& result_;
};

bool confuses(std::string_view text) {
    try {
        static_cast<void>(toml::parse(text));
        return false;
    } catch (const ParserConfused&) {
        return true;
    }
}

/// The parser reads from the front, so the text confuses it from one line on. Cost: few parses.
std::size_t confusing_line(std::string_view text) {
    std::vector<std::size_t> ends;
    for (std::size_t end = 0; (end = text.find('\n', end)) != std::string_view::npos;) {
        ends.push_back(++end);
    }
    const auto first = std::partition_point(ends.begin(), ends.end(), [text](std::size_t end) {
        return !confuses(text.substr(0, end));
    });
    return static_cast<std::size_t>(first - ends.begin()) + 1;
}

} // namespace

FileSettings parse_config_text(std::string_view text, const std::string& path) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf"; // as Windows' editors write it
    if (text.starts_with(byte_order_mark)) {
        text.remove_prefix(byte_order_mark.size());
    }
    FileSettings result;
    Walk walk(path, result);
    if (const std::optional<TextPosition> found = find_beyond_ascii(text)) {
        walk.fail(*found, "a letter beyond ASCII must stand in quotes or in a comment");
    } else if (confuses(text)) {
        walk.fail(TextPosition{confusing_line(text), 1},
                  "this line cannot be read: is it a broken date or time?");
    } else if (const toml::parse_result parsed = toml::parse(text, path); parsed) {
        walk.top(parsed.table());
    } else {
        walk.fail(parsed.error().source().begin, std::string(parsed.error().description()));
    }
    return result;
}

} // namespace roomd
