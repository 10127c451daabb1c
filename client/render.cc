#include "client/render.h"

#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <initializer_list>
#include <string_view>

namespace roomd {

namespace {

using Fields = decltype(ParsedEvent::fields);

void put(std::string& out, std::initializer_list<std::string_view> pieces) {
    for (const std::string_view piece : pieces) {
        append_visible(out, piece);
    }
}

std::uint64_t number_of(std::string_view digits) {
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

/// "14:03", where the person sits.
std::string clock_face(std::string_view time_ms) {
    const auto seconds = static_cast<std::time_t>(number_of(time_ms) / 1000);
    std::tm local{};
    std::array<char, sizeof "00:00"> face{};
    if (::localtime_r(&seconds, &local) == nullptr ||
        std::strftime(face.data(), face.size(), "%H:%M", &local) == 0) {
        return "--:--";
    }
    return face.data();
}

void put_said(std::string& out, const ParsedEvent& event) {
    const bool replayed = event.verb == "old" || event.verb == "oldact";
    const bool action = event.verb == "act" || event.verb == "oldact";
    const Fields& fields = event.fields; // room id time nick
    put(out, {"[", fields[0], "] "});
    if (replayed) {
        put(out, {"(", clock_face(fields[2]), ") "});
    }
    put(out, {action ? "* " : "", fields[3], action ? " " : ": ", event.text});
}

void put_gap(std::string& out, const ParsedEvent& event) {
    const std::uint64_t first = number_of(event.fields[1]);
    const std::uint64_t last = number_of(event.fields[2]);
    const std::uint64_t count = last < first ? 0 : last - first + 1;
    put(out,
        {"* ", std::to_string(count), count == 1 ? " message was" : " messages were",
         " skipped in ", event.fields[0], " (", event.fields[1], " to ", event.fields[2], ")"});
}

void put_stale(std::string& out, const ParsedEvent& event) {
    put(out, {"* you have missed who came, left or changed in ", event.fields[0],
              "; /who and /topic tell"});
}

void put_part(std::string& out, const ParsedEvent& event) {
    put(out, {"* ", event.fields[1], " left ", event.fields[0]});
    if (!event.text.empty()) {
        put(out, {" (", event.text, ")"});
    }
}

void put_topic(std::string& out, const ParsedEvent& event) {
    if (event.text.empty()) {
        put(out, {"* ", event.fields[1], " cleared the topic of ", event.fields[0]});
    } else {
        put(out, {"* ", event.fields[1], " set the topic of ", event.fields[0], ": ", event.text});
    }
}

void put_bye(std::string& out, const ParsedEvent& event) {
    const bool quit = event.fields[0] == "quit";
    put(out, {quit ? "* bye" : "! bye"});
    if (!event.text.empty()) {
        put(out, {": ", event.text});
    } else if (!quit) {
        put(out, {": ", event.fields[0]});
    }
}

void put_error(std::string& out, const ParsedEvent& event) {
    put(out, {"! ", event.text.empty() ? event.fields[1] : event.text});
}

struct Row {
    std::string_view verb;
    void (*put)(std::string& out, const ParsedEvent& event);
};

constexpr std::array events = {
    Row{"msg", put_said},
    Row{"act", put_said},
    Row{"old", put_said},
    Row{"oldact", put_said},
    Row{"gap", put_gap},
    Row{"stale", put_stale},
    Row{"part", put_part},
    Row{"topic", put_topic},
    Row{"bye", put_bye},
    Row{"err", put_error},
    Row{"dm",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"[", event.fields[1], " -> you] ", event.text});
        }},
    Row{"join",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* ", event.fields[1], " joined ", event.fields[0]});
        }},
    Row{"nick",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* ", event.fields[0], " is now ", event.fields[1]});
        }},
    Row{"crowd",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* ", event.fields[0], ": ", event.fields[1], " joined, ", event.fields[2],
                      " left, ", event.fields[3], " here"});
        }},
    Row{"welcome",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* you are ", event.fields[2], " on ", event.fields[1]});
        }},
    Row{"who",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* in ", event.fields[0], ": ", event.text});
        }},
    Row{"rooms",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* rooms: ", event.text});
        }},
    Row{"trace", [](std::string& out, const ParsedEvent& event) { put(out, {event.text}); }},
    Row{"conn", [](std::string& out, const ParsedEvent& event) { put(out, {event.text}); }},
};

/// By the verb replied to, fields[0]. `say`, `me` and `msg` are missing: one sees what one typed.
constexpr std::array replies = {
    Row{"format",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* the format is ", event.fields[1], " now"});
        }},
    Row{"nick",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* you are now ", event.fields[1]});
        }},
    Row{"join",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* you are in ", event.fields[1], " (", event.fields[5], " here)"});
        }},
    Row{"leave",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* you left ", event.fields[1]});
        }},
    Row{"topic",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {event.text.empty() ? "* no topic in " : "* topic of ", event.fields[1],
                      event.text.empty() ? "" : ": ", event.text});
        }},
    Row{"who",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* in ", event.fields[1], " (", event.fields[2], "): ", event.text});
        }},
    Row{"rooms",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* rooms (", event.fields[1], "): ", event.text});
        }},
    Row{"history",
        [](std::string& out, const ParsedEvent& event) {
            const std::uint64_t last = number_of(event.fields[3]);
            if (last == 0 || last < number_of(event.fields[2])) {
                put(out, {"* nothing to show of ", event.fields[1]});
            } else {
                put(out, {"* that was ", event.fields[1], " from message ", event.fields[2], " to ",
                          event.fields[3]});
            }
        }},
    Row{"ping",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* pong", event.text.empty() ? "" : " ", event.text});
        }},
    Row{"stats",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* stats: ", event.text});
        }},
    Row{"help",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* ", event.text});
        }},
    Row{"trace",
        [](std::string& out, const ParsedEvent& event) {
            put(out, {"* trace is ", event.fields[1]});
        }},
    Row{"conns",
        [](std::string& out, const ParsedEvent& event) {
            put(out,
                {"* ", event.fields[1], event.fields[1] == "1" ? " connection" : " connections"});
        }},
};

} // namespace

bool append_rendered(std::string& out, const ParsedEvent& event) {
    const bool reply = event.verb == "ok";
    const std::string_view verb = reply ? event.fields[0] : event.verb;
    const auto find = [verb](const auto& rows) -> const Row* {
        const auto found = std::find_if(rows.begin(), rows.end(),
                                        [verb](const Row& row) { return row.verb == verb; });
        return found == rows.end() ? nullptr : &*found;
    };
    const Row* const row = reply ? find(replies) : find(events);
    if (!event.known || row == nullptr) {
        return false;
    }
    row->put(out, event);
    return true;
}

bool is_said(const ParsedEvent& event) {
    constexpr std::array<std::string_view, 6> verbs = {"msg", "act", "old", "oldact", "dm", "gap"};
    return event.known && std::find(verbs.begin(), verbs.end(), event.verb) != verbs.end();
}

} // namespace roomd
