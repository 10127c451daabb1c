#include "bench/wires.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// MQTT 3.1.1, quality of service 0: nothing is acknowledged. A publisher knows by the answer to its
// ping that it has entered, a member by the answer to its subscription.
namespace roomd::bench {

namespace {

// The first four bits of a packet (section 2.2.1).
enum class Packet : std::uint8_t {
    connect = 1,
    connected = 2,
    publish = 3,
    subscribe = 8,
    subscribed = 9,
    ping = 12,
    pong = 13
};

constexpr unsigned subscribe_flags = 2; // section 3.8.1
constexpr char clean_session = 2;
constexpr unsigned more_bit = 0x80;
constexpr std::size_t remaining_bytes_max = 4; // of the length itself

constexpr std::uint8_t byte_at(std::string_view text, std::size_t at) {
    return static_cast<std::uint8_t>(text[at]);
}

void put_u16(std::string& out, std::size_t value) {
    out += static_cast<char>((value >> 8U) & 0xFFU);
    out += static_cast<char>(value & 0xFFU);
}

void put_text(std::string& out, std::string_view text) {
    put_u16(out, text.size());
    out += text;
}

void put_header(std::string& out, Packet packet, unsigned flags, std::size_t remaining) {
    out += static_cast<char>((static_cast<unsigned>(packet) << 4U) | flags);
    do {
        const std::size_t rest = remaining / more_bit;
        out += static_cast<char>(remaining % more_bit + (rest > 0 ? more_bit : 0));
        remaining = rest;
    } while (remaining > 0);
}

/// `PUBLISH`: the topic, then the text. With quality of service 0 nothing stands between them.
Heard read_publish(std::string_view body, std::size_t size) {
    const std::size_t topic =
        body.size() < 2 ? 0 : std::size_t{byte_at(body, 0)} * 256 + byte_at(body, 1);
    if (body.size() < 2 + topic) {
        return {Heard::Kind::refused, size, "a topic longer than its packet", {}};
    }
    return {Heard::Kind::message, size, body.substr(2 + topic), {}};
}

Heard read_packet(Packet packet, std::string_view body, std::size_t size) {
    switch (packet) {
    case Packet::publish:
        return read_publish(body, size);
    case Packet::connected:
        if (body.size() < 2 || body[1] != 0) {
            return {Heard::Kind::refused, size, "CONNACK says no", {}};
        }
        return {Heard::Kind::other, size, {}, {}};
    case Packet::subscribed:
        if (body.size() < 3 || byte_at(body, 2) == 0x80) {
            return {Heard::Kind::refused, size, "SUBACK says no", {}};
        }
        return {Heard::Kind::entered, size, {}, {}};
    case Packet::pong:
        return {Heard::Kind::entered, size, {}, {}};
    default:
        return {Heard::Kind::refused, size, "a packet that no server sends", {}};
    }
}

class MqttWire final : public Wire {
public:
    void enter(std::string& out, const Part& part) const override {
        const std::string name = "rb" + std::to_string(part.number);
        constexpr std::size_t connect_bytes = 10; // without the name: section 3.1.2
        put_header(out, Packet::connect, 0, connect_bytes + 2 + name.size());
        put_text(out, "MQTT");
        out += '\4'; // protocol level: 3.1.1
        out += clean_session;
        put_u16(out, 0); // never ask whether we are alive
        put_text(out, name);
        if (part.role != Role::member) {
            put_header(out, Packet::ping, 0, 0);
            return;
        }
        put_header(out, Packet::subscribe, subscribe_flags, 2 + 2 + part.room.size() + 1);
        put_u16(out, 1); // packet identifier
        put_text(out, part.room);
        out += '\0'; // quality of service
    }

    void publish(std::string& out, std::string_view room, std::string_view text) const override {
        put_header(out, Packet::publish, 0, 2 + room.size() + text.size());
        put_text(out, room);
        out += text;
    }

    [[nodiscard]] Heard next(std::string_view input) const override {
        std::size_t remaining = 0;
        std::size_t at = 1;
        while (true) {
            if (at > remaining_bytes_max) {
                return {Heard::Kind::refused, input.size(), "a length of five bytes", {}};
            }
            if (at >= input.size()) {
                return {};
            }
            const unsigned byte = byte_at(input, at);
            remaining |= std::size_t{byte & (more_bit - 1)} << (7 * (at - 1));
            ++at;
            if ((byte & more_bit) == 0) {
                break;
            }
        }
        if (input.size() - at < remaining) {
            return {};
        }
        const auto packet = static_cast<Packet>(byte_at(input, 0) >> 4U);
        return read_packet(packet, input.substr(at, remaining), at + remaining);
    }
};

} // namespace

const Wire& mqtt_wire() {
    static const MqttWire wire;
    return wire;
}

} // namespace roomd::bench
