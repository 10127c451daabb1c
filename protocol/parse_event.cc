#include "protocol/event.h"
#include "protocol/words.h"

#include <algorithm>
#include <span>

namespace roomd {

namespace {

/// How many fields stand behind a verb before the text, which may be absent.
struct Shape {
    std::string_view verb;
    std::size_t fields;
};

constexpr std::array events = {
    Shape{"msg", 4},     Shape{"act", 4},   Shape{"old", 4},   Shape{"oldact", 4},
    Shape{"dm", 2},      Shape{"join", 2},  Shape{"part", 2},  Shape{"nick", 2},
    Shape{"topic", 2},   Shape{"crowd", 4}, Shape{"gap", 3},   Shape{"bye", 1},
    Shape{"welcome", 3}, Shape{"err", 2},   Shape{"who", 1},   Shape{"rooms", 0},
    Shape{"trace", 0},   Shape{"conn", 0},  Shape{"stale", 1},
};

/// What stands behind `ok VERB`.
constexpr std::array replies = {
    Shape{"format", 1}, Shape{"nick", 1},    Shape{"join", 5},    Shape{"leave", 1},
    Shape{"say", 2},    Shape{"me", 2},      Shape{"msg", 1},     Shape{"topic", 1},
    Shape{"who", 2},    Shape{"rooms", 1},   Shape{"history", 3}, Shape{"ping", 0},
    Shape{"stats", 0},  Shape{"help", 0},    Shape{"trace", 1},   Shape{"conns", 1},
    Shape{"ignore", 2}, Shape{"ignores", 1},
};

const Shape* find(std::span<const Shape> shapes, std::string_view verb) {
    const auto found = std::find_if(shapes.begin(), shapes.end(),
                                    [verb](const Shape& shape) { return shape.verb == verb; });
    return found == shapes.end() ? nullptr : &*found;
}

} // namespace

ParsedEvent parse_event(std::string_view payload) {
    Words words = Words::and_rest(payload);
    ParsedEvent event{words.word(), {}, {}, true};
    std::span<std::string_view> fields{event.fields};
    const Shape* shape = find(events, event.verb);
    if (event.verb == "ok") {
        fields.front() = words.word();
        shape = find(replies, fields.front());
        fields = fields.subspan(1);
    }
    event.known = shape != nullptr;
    for (std::string_view& field : fields.first(event.known ? shape->fields : 0)) {
        field = words.word();
        event.known = event.known && !field.empty();
    }
    event.text = words.rest();
    return event;
}

} // namespace roomd
