#include "bench/wires.h"

#include <cstddef>
#include <string>
#include <string_view>

// NATS: lines, and a payload behind `MSG`. All members take the same subscription id, so that all
// of a room hear the same bytes. What a publisher wants acknowledged is answered `+OK` (verbose).
namespace roomd::bench {

namespace {

constexpr std::string_view line_end = "\r\n";

/// The digits at the end of `line`; false if there are none, or too many to be true.
bool trailing_number(std::string_view line, std::size_t& value) {
    value = 0;
    std::size_t scale = 1;
    std::size_t digits = 0;
    constexpr std::size_t digits_max = 9;
    while (digits < line.size() && digits <= digits_max) {
        const char digit = line[line.size() - 1 - digits];
        if (digit < '0' || digit > '9') {
            break;
        }
        value += static_cast<std::size_t>(digit - '0') * scale;
        scale *= 10;
        ++digits;
    }
    return digits > 0 && digits <= digits_max;
}

/// `MSG SUBJECT SID SIZE`, whose line end is at `end`, and its payload.
Heard read_message(std::string_view input, std::size_t end, std::string_view line) {
    std::size_t size = 0;
    if (!trailing_number(line, size)) {
        return {Heard::Kind::refused, end + 1, line, {}};
    }
    const std::size_t whole = end + 1 + size + line_end.size();
    if (input.size() < whole) {
        return {};
    }
    if (input.substr(end + 1 + size, line_end.size()) != line_end) {
        return {Heard::Kind::refused, whole, line, {}};
    }
    return {Heard::Kind::message, whole, input.substr(end + 1, size), {}};
}

class NatsWire final : public Wire {
public:
    void enter(std::string& out, const Part& part) const override {
        out += part.acknowledged ? "CONNECT {\"verbose\":true,\"pedantic\":false}\r\n"
                                 : "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
        if (part.role == Role::member) {
            out += "SUB ";
            out += part.room;
            out += " 1\r\n";
        }
        out += "PING\r\n";
    }

    void publish(std::string& out, std::string_view room, std::string_view text) const override {
        out += "PUB ";
        out += room;
        out += ' ';
        out += std::to_string(text.size());
        out += line_end;
        out += text;
        out += line_end;
    }

    [[nodiscard]] Heard next(std::string_view input) const override {
        const std::size_t end = input.find('\n');
        if (end == std::string_view::npos) {
            return {};
        }
        std::string_view line = input.substr(0, end);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (line.starts_with("MSG ")) {
            return read_message(input, end, line);
        }
        if (line == "+OK") {
            return {Heard::Kind::acknowledged, end + 1, {}, {}};
        }
        if (line == "PING") {
            return {Heard::Kind::other, end + 1, {}, "PONG\r\n"};
        }
        if (line == "PONG") {
            return {Heard::Kind::entered, end + 1, {}, {}};
        }
        const bool refused = !line.starts_with("INFO ");
        return {refused ? Heard::Kind::refused : Heard::Kind::other, end + 1, line, {}};
    }

    [[nodiscard]] bool acknowledges() const override { return true; }
};

} // namespace

const Wire& nats_wire() {
    static const NatsWire wire;
    return wire;
}

} // namespace roomd::bench
