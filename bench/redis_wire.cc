#include "bench/wires.h"

#include <cstddef>
#include <string>
#include <string_view>

// Redis: RESP2 as its clients write it, arrays of bulk strings. A publisher that wants no
// acknowledgements turns replies off, as a pipelining client would: it spares the server the work.
namespace roomd::bench {

namespace {

constexpr std::string_view line_end = "\r\n";

void put_bulk(std::string& out, std::string_view text) {
    out += '$';
    out += std::to_string(text.size());
    out += line_end;
    out += text;
    out += line_end;
}

/// Takes replies apart from the front. Once something is missing or wrong, it stays so.
class Cursor {
public:
    explicit Cursor(std::string_view input) : input_(input) {}

    /// `MARK digits \r\n`.
    std::size_t number(char mark) {
        const std::string_view rest = input_.substr(at_);
        missing_ = missing_ || rest.empty();
        if (!whole()) {
            return 0;
        }
        wrong_ = wrong_ || rest.front() != mark;
        std::size_t value = 0;
        std::size_t length = 1;
        while (length < rest.size() && rest[length] >= '0' && rest[length] <= '9') {
            value = value * 10 + static_cast<std::size_t>(rest[length] - '0');
            ++length;
        }
        constexpr std::size_t length_max = 10; // no reply to us is a gigabyte long
        wrong_ = wrong_ || length > length_max;
        at_ += length;
        skip_line_end();
        return value;
    }

    std::string_view bulk() {
        const std::size_t size = number('$');
        if (!whole() || input_.size() - at_ < size) {
            missing_ = true;
            return {};
        }
        const std::string_view text = input_.substr(at_, size);
        at_ += size;
        skip_line_end();
        return text;
    }

    [[nodiscard]] bool whole() const { return !missing_ && !wrong_; }

    [[nodiscard]] bool wrong() const { return wrong_; }

    [[nodiscard]] std::size_t taken() const { return at_; }

    [[nodiscard]] char peek() const { return at_ < input_.size() ? input_[at_] : '\0'; }

private:
    void skip_line_end() {
        const std::string_view rest = input_.substr(at_, line_end.size());
        wrong_ = wrong_ || !line_end.starts_with(rest);
        missing_ = missing_ || rest.size() < line_end.size();
        at_ += rest.size();
    }

    std::string_view input_;
    std::size_t at_ = 0;
    bool missing_ = false;
    bool wrong_ = false;
};

/// `*3 message ROOM TEXT`, or `*3 subscribe ROOM :COUNT`.
Heard read_push(std::string_view input) {
    Cursor cursor(input);
    const std::size_t elements = cursor.number('*');
    const std::string_view kind = cursor.bulk();
    static_cast<void>(cursor.bulk()); // the room: this connection is in one only
    std::string_view text;
    if (cursor.peek() == ':') {
        static_cast<void>(cursor.number(':'));
    } else {
        text = cursor.bulk();
    }
    if (cursor.wrong() || (cursor.whole() && elements != 3)) {
        return {Heard::Kind::refused, input.size(), "not an array that Redis would push", {}};
    }
    if (!cursor.whole()) {
        return {};
    }
    if (kind == "message") {
        return {Heard::Kind::message, cursor.taken(), text, {}};
    }
    return {
        kind == "subscribe" ? Heard::Kind::entered : Heard::Kind::other, cursor.taken(), {}, {}};
}

class RedisWire final : public Wire {
public:
    void enter(std::string& out, const Part& part) const override {
        if (part.role == Role::member) {
            out += "*2\r\n$9\r\nSUBSCRIBE\r\n";
            put_bulk(out, part.room);
            return;
        }
        out += "*1\r\n$4\r\nPING\r\n";
        if (!part.acknowledged) {
            out += "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n";
        }
    }

    void publish(std::string& out, std::string_view room, std::string_view text) const override {
        out += "*3\r\n$7\r\nPUBLISH\r\n";
        put_bulk(out, room);
        put_bulk(out, text);
    }

    [[nodiscard]] Heard next(std::string_view input) const override {
        if (input.empty()) {
            return {};
        }
        if (input.front() == '*') {
            return read_push(input);
        }
        const std::size_t end = input.find('\n');
        if (end == std::string_view::npos) {
            return {};
        }
        const std::string_view line = input.substr(0, end == 0 ? 0 : end - 1);
        switch (input.front()) {
        case ':': // how many it was handed to
            return {Heard::Kind::acknowledged, end + 1, {}, {}};
        case '+':
            return {line == "+PONG" ? Heard::Kind::entered : Heard::Kind::other, end + 1, {}, {}};
        default:
            return {Heard::Kind::refused, end + 1, line, {}};
        }
    }

    [[nodiscard]] bool acknowledges() const override { return true; }
};

} // namespace

const Wire& redis_wire() {
    static const RedisWire wire;
    return wire;
}

} // namespace roomd::bench
