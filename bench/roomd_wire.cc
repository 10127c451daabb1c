#include "bench/wires.h"

#include <cstdint>
#include <string>
#include <string_view>

// roomd itself: frames in plain or event format, lines in human format.
namespace roomd::bench {

namespace {

constexpr std::size_t header_bytes = 4;

void put_frame(std::string& out, std::string_view payload) {
    const auto size = static_cast<std::uint32_t>(payload.size());
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
        out += static_cast<char>((size >> shift) & 0xFFU);
    }
    out += payload;
}

/// The payload of the frame at the front; `size` 0: not all of it is there.
std::string_view frame(std::string_view input, std::size_t& size) {
    size = 0;
    if (input.size() < header_bytes) {
        return {};
    }
    std::uint32_t payload = 0;
    for (const char byte : input.substr(0, header_bytes)) {
        payload = (payload << 8U) | static_cast<unsigned char>(byte);
    }
    if (input.size() - header_bytes < payload) {
        return {};
    }
    size = header_bytes + payload;
    return input.substr(header_bytes, payload);
}

/// Who is turned away at the door hears why as a line, whatever it was going to speak; no frame
/// begins like this.
Heard read_refusal(std::string_view input) {
    const std::size_t end = input.find('\n');
    return end == std::string_view::npos
               ? Heard{}
               : Heard{Heard::Kind::refused, end + 1, input.substr(0, end), {}};
}

bool is_refusal(std::string_view input) {
    return input.starts_with('!');
}

/// What is behind the first `words` words.
std::string_view behind(std::string_view text, int words) {
    for (; words > 0; --words) {
        const std::size_t space = text.find(' ');
        if (space == std::string_view::npos) {
            return {};
        }
        text.remove_prefix(space + 1);
    }
    return text;
}

std::string number_of(const Part& part) {
    return std::to_string(part.number);
}

// A publisher reads events, so that it does not hear itself, and acknowledgements if it wants them.
void enter_publisher(std::string& out, const Part& part) {
    put_frame(out, "/hello 1 nick=p" + number_of(part) + (part.acknowledged ? "" : " ack=off"));
    put_frame(out, "/join " + std::string(part.room));
    put_frame(out, "/ping in");
}

/// What a publisher hears, and a member in event format.
Heard read_event(std::string_view payload, std::size_t size) {
    if (payload.starts_with("msg ")) {
        return {Heard::Kind::message, size, behind(payload, 5), {}};
    }
    if (payload.starts_with("ok say ")) {
        return {Heard::Kind::acknowledged, size, {}, {}};
    }
    if (payload.starts_with("ok ping in")) {
        return {Heard::Kind::entered, size, {}, {}};
    }
    if (payload.starts_with("err ") || payload.starts_with("bye ") || payload.starts_with("gap ")) {
        return {Heard::Kind::refused, size, payload, {}};
    }
    return {Heard::Kind::other, size, {}, {}};
}

class FrameWire : public Wire {
public:
    void publish(std::string& out, std::string_view /*room*/, std::string_view text) const final {
        put_frame(out, text);
    }

    [[nodiscard]] bool acknowledges() const final { return true; }
};

class EventWire final : public FrameWire {
public:
    void enter(std::string& out, const Part& part) const override {
        if (part.role == Role::publisher) {
            enter_publisher(out, part);
        } else if (part.role == Role::member) {
            put_frame(out, "/hello 1 nick=m" + number_of(part));
            put_frame(out, "/join " + std::string(part.room));
            put_frame(out, "/ping in");
        }
    }

    [[nodiscard]] Heard next(std::string_view input) const override {
        if (is_refusal(input)) {
            return read_refusal(input);
        }
        std::size_t size = 0;
        const std::string_view payload = frame(input, size);
        return size == 0 ? Heard{} : read_event(payload, size);
    }
};

class PlainWire final : public FrameWire {
public:
    void enter(std::string& out, const Part& part) const override {
        if (part.role == Role::publisher) {
            enter_publisher(out, part);
        } else if (part.role == Role::member) {
            put_frame(out, "/nick m" + number_of(part));
            put_frame(out, "/join " + std::string(part.room));
            put_frame(out, "/ping in");
        }
    }

    // Texts of ours begin with "rb "; everything else is an event, or a plain error.
    [[nodiscard]] Heard next(std::string_view input) const override {
        if (is_refusal(input)) {
            return read_refusal(input);
        }
        std::size_t size = 0;
        const std::string_view payload = frame(input, size);
        if (size == 0) {
            return {};
        }
        if (payload.starts_with("rb ")) {
            return {Heard::Kind::message, size, payload, {}};
        }
        if (payload.starts_with("! ")) {
            return {Heard::Kind::refused, size, payload, {}};
        }
        return payload == "ping in" ? Heard{Heard::Kind::entered, size, {}, {}}
                                    : read_event(payload, size);
    }
};

// As a person hears it: `HH:MM [room] nick: text`, or without the room's name.
class HumanWire final : public Wire {
public:
    void enter(std::string& out, const Part& part) const override {
        if (part.role == Role::publisher) {
            enter_publisher(out, part);
        } else if (part.role == Role::member) {
            out +=
                "/nick m" + number_of(part) + "\n/join " + std::string(part.room) + "\n/ping in\n";
        }
    }

    void publish(std::string& out, std::string_view /*room*/,
                 std::string_view text) const override {
        put_frame(out, text);
    }

    [[nodiscard]] bool acknowledges() const override { return true; }

    [[nodiscard]] Heard next(std::string_view input) const override {
        if (input.empty()) {
            return {};
        }
        if (input.front() == '\0') { // a publisher's frame
            std::size_t size = 0;
            const std::string_view payload = frame(input, size);
            return size == 0 ? Heard{} : read_event(payload, size);
        }
        const std::size_t end = input.find('\n');
        if (end == std::string_view::npos) {
            return {};
        }
        const std::string_view line = input.substr(0, end);
        const std::size_t text = line.find(": rb ");
        if (text != std::string_view::npos) {
            return {Heard::Kind::message, end + 1, line.substr(text + 2), {}};
        }
        if (line.starts_with("* pong in")) {
            return {Heard::Kind::entered, end + 1, {}, {}};
        }
        return {
            line.starts_with("! ") ? Heard::Kind::refused : Heard::Kind::other, end + 1, line, {}};
    }
};

} // namespace

const Wire& roomd_wire(Dialect dialect) {
    static const PlainWire plain;
    static const EventWire event;
    static const HumanWire human;
    switch (dialect) {
    case Dialect::plain:
        return plain;
    case Dialect::event:
        return event;
    case Dialect::human:
        return human;
    }
    return plain;
}

} // namespace roomd::bench
