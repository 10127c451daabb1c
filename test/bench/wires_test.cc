#include "bench/wires.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace roomd::bench;
using namespace std::string_view_literals;
using namespace std::string_literals;

using Kind = Heard::Kind;

struct Step {
    Kind kind;
    std::string text;
    std::string answer;

    friend bool operator==(const Step&, const Step&) = default;
};

/// Hears `stream` in pieces that end at `cut` and at the end, as a connection would: what is
/// incomplete is shown again with more behind it.
std::vector<Step> hear(const Wire& wire, std::string_view stream, std::size_t cut) {
    std::vector<Step> steps;
    std::size_t begin = 0;
    for (const std::size_t end : {cut, stream.size()}) {
        while (begin < end) {
            const std::string_view input = stream.substr(begin, end - begin);
            const Heard heard = wire.next(input);
            if (heard.kind == Kind::incomplete) {
                CHECK(heard.size == 0);
                break;
            }
            REQUIRE(heard.size > 0);
            REQUIRE(heard.size <= input.size());
            steps.push_back({heard.kind, std::string(heard.text), std::string(heard.answer)});
            begin += heard.size;
        }
    }
    CHECK(begin == stream.size());
    return steps;
}

/// The same wherever the stream is cut in two.
void expect(const Wire& wire, std::string_view stream, const std::vector<Step>& steps) {
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        CAPTURE(cut);
        CHECK(hear(wire, stream, cut) == steps);
    }
}

std::string entering(const Wire& wire, const Part& part) {
    std::string out;
    wire.enter(out, part);
    return out;
}

std::string publishing(const Wire& wire, std::string_view text) {
    std::string out;
    wire.publish(out, "bench-7", text);
    return out;
}

Step entered() {
    return {Kind::entered, "", ""};
}

Step acknowledged() {
    return {Kind::acknowledged, "", ""};
}

} // namespace

TEST_CASE("redis wire: a member subscribes, a publisher pings and wants no replies") {
    CHECK(entering(redis_wire(), {Role::member, "bench-7", 3}) ==
          "*2\r\n$9\r\nSUBSCRIBE\r\n$7\r\nbench-7\r\n");
    CHECK(entering(redis_wire(), {Role::publisher, "bench-7", 3}) ==
          "*1\r\n$4\r\nPING\r\n*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n");
    CHECK(entering(redis_wire(), {Role::publisher, "bench-7", 3, true}) == "*1\r\n$4\r\nPING\r\n");
    CHECK(publishing(redis_wire(), "hello") ==
          "*3\r\n$7\r\nPUBLISH\r\n$7\r\nbench-7\r\n$5\r\nhello\r\n");
}

TEST_CASE("redis wire: what a member hears is the same wherever it is split") {
    expect(redis_wire(),
           "*3\r\n$9\r\nsubscribe\r\n$7\r\nbench-7\r\n:1\r\n"
           "*3\r\n$7\r\nmessage\r\n$7\r\nbench-7\r\n$5\r\nhello\r\n"
           "*3\r\n$7\r\nmessage\r\n$7\r\nbench-7\r\n$4\r\n\r\n*3\r\n",
           {entered(), {Kind::message, "hello", ""}, {Kind::message, "\r\n*3", ""}});
}

TEST_CASE("redis wire: what a publisher hears is the same wherever it is split") {
    expect(redis_wire(), "+PONG\r\n:1000\r\n:0\r\n+OK\r\n",
           {entered(), acknowledged(), acknowledged(), {Kind::other, "", ""}});
}

TEST_CASE("redis wire: an error, and an array that is none of ours, is a refusal") {
    expect(redis_wire(), "-ERR max number of clients reached\r\n",
           {{Kind::refused, "-ERR max number of clients reached", ""}});
    CHECK(redis_wire().next("*3\r\n$7\r\nmessage\r\n$7\r\nbench-7\r\n$5\r\nhelloXX").kind ==
          Kind::refused);
    CHECK(redis_wire().next("*2\r\n$7\r\nmessage\r\n$7\r\nbench-7\r\n$5\r\nhello\r\n").kind ==
          Kind::refused);
    CHECK(redis_wire().next("*3\r\n:7\r\n").kind == Kind::refused);
    CHECK(redis_wire().next("*99999999999999").kind == Kind::refused);
}

TEST_CASE("nats wire: all members take one subscription id, so all hear the same bytes") {
    CHECK(entering(nats_wire(), {Role::member, "bench-7", 3}) ==
          "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB bench-7 1\r\nPING\r\n");
    CHECK(entering(nats_wire(), {Role::member, "bench-7", 4}) ==
          entering(nats_wire(), {Role::member, "bench-7", 3}));
    CHECK(entering(nats_wire(), {Role::publisher, "bench-7", 3, true}) ==
          "CONNECT {\"verbose\":true,\"pedantic\":false}\r\nPING\r\n");
    CHECK(publishing(nats_wire(), "hello") == "PUB bench-7 5\r\nhello\r\n");
}

TEST_CASE("nats wire: what a member hears is the same wherever it is split") {
    expect(nats_wire(),
           "INFO {\"server_id\":\"NA\",\"max_payload\":8388608}\r\nPONG\r\n"
           "MSG bench-7 1 5\r\nhello\r\nMSG bench-7 1 6\r\nPING\r\n\r\nMSG bench-7 1 0\r\n\r\n",
           {{Kind::other, R"(INFO {"server_id":"NA","max_payload":8388608})", ""},
            entered(),
            {Kind::message, "hello", ""},
            {Kind::message, "PING\r\n", ""},
            {Kind::message, "", ""}});
}

TEST_CASE("nats wire: the server's ping is answered, its OK acknowledges") {
    expect(nats_wire(), "+OK\r\nPING\r\n+OK\r\n",
           {acknowledged(), {Kind::other, "", "PONG\r\n"}, acknowledged()});
}

TEST_CASE("nats wire: an error, and a message without its end, is a refusal") {
    expect(nats_wire(), "-ERR 'maximum connections exceeded'\r\n",
           {{Kind::refused, "-ERR 'maximum connections exceeded'", ""}});
    CHECK(nats_wire().next("MSG bench-7 1 5\r\nhelloXX").kind == Kind::refused);
    CHECK(nats_wire().next("MSG bench-7 1 \r\n").kind == Kind::refused);
    CHECK(nats_wire().next("MSG bench-7 1 9999999999\r\n").kind == Kind::refused);
}

TEST_CASE("mqtt wire: a member connects and subscribes, a publisher connects and pings") {
    CHECK(entering(mqtt_wire(), {Role::member, "bench-7", 3}) == "\x10\x0f\0\4MQTT\4\2\0\0\0\3rb3"
                                                                 "\x82\x0c\0\1\0\7bench-7\0"sv);
    CHECK(entering(mqtt_wire(), {Role::publisher, "bench-7", 12}) ==
          "\x10\x10\0\4MQTT\4\2\0\0\0\4rb12"
          "\xc0\0"sv);
    CHECK(publishing(mqtt_wire(), "hello") == "\x30\x0e\0\7bench-7hello"sv);
    CHECK_FALSE(mqtt_wire().acknowledges());
}

TEST_CASE("mqtt wire: a length of several bytes is written low bits first") {
    const std::string text(200, 'x');
    CHECK(publishing(mqtt_wire(), text) == "\x30\xd1\x01\0\7bench-7"s + text);
    const std::string longer(20000, 'x');
    CHECK(publishing(mqtt_wire(), longer).substr(0, 6) == "\x30\xa9\x9c\x01\0\7"sv);
}

TEST_CASE("mqtt wire: what is heard is the same wherever it is split") {
    const std::string text(200, 'x');
    expect(mqtt_wire(),
           "\x20\2\0\0"
           "\x90\3\0\1\0"
           "\xd0\0"
           "\x30\x0e\0\7bench-7hello"s +
               publishing(mqtt_wire(), text) + "\x30\x9\0\7bench-7"s,
           {{Kind::other, "", ""},
            entered(),
            entered(),
            {Kind::message, "hello", ""},
            {Kind::message, text, ""},
            {Kind::message, "", ""}});
}

TEST_CASE("mqtt wire: a connection or a subscription that is denied is a refusal") {
    expect(mqtt_wire(), "\x20\2\0\5"sv, {{Kind::refused, "CONNACK says no", ""}});
    expect(mqtt_wire(), "\x90\3\0\1\x80"sv, {{Kind::refused, "SUBACK says no", ""}});
    expect(mqtt_wire(), "\x40\2\0\1"sv, {{Kind::refused, "a packet that no server sends", ""}});
    CHECK(mqtt_wire().next("\x30\xff\xff\xff\xff\x01"sv).kind == Kind::refused);
    CHECK(mqtt_wire().next("\x30\3\0\7x"sv).kind == Kind::refused);
}

TEST_CASE("roomd wire: who is turned away at the door hears why, in a line, whatever it speaks") {
    for (const Dialect dialect : {Dialect::plain, Dialect::event, Dialect::human}) {
        expect(roomd_wire(dialect), "! full: try again later\n",
               {{Kind::refused, "! full: try again later", ""}});
    }
}

TEST_CASE("wires: what is published comes back as it was, through every server's own framing") {
    const std::string text = "rb 00001 00000000000042 xxxx";
    CHECK(hear(relay_wire(), publishing(relay_wire(), text), 0) ==
          std::vector<Step>{{Kind::message, text, ""}});
    CHECK(hear(mqtt_wire(), publishing(mqtt_wire(), text), 0) ==
          std::vector<Step>{{Kind::message, text, ""}});
}
