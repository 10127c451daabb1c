// What a client says: commands drawn at random, each with what its reply has to be.
#include "test/sim/chat_client.h"

#include <algorithm>
#include <array>

namespace roomd::sim {

namespace {
constexpr std::array<std::string_view, 8> words{
    "quiet", "river ", "\xC3\xA9tude", " ", "\xE2\x86\x92", "/slash", "a", "\xF0\x9F\x8C\x8A wave"};
} // namespace

void ChatClient::send_payload(std::string_view payload) {
    std::string bytes;
    if (role_.frames) {
        for (unsigned shift = 32; shift > 0; shift -= 8) {
            bytes.push_back(static_cast<char>(payload.size() >> (shift - 8) & 0xFFU));
        }
        bytes += payload;
        if (random_.one_in(40)) {
            bytes += std::string(4, '\0'); // a keep-alive
        }
    } else {
        bytes = std::string(payload) + (last_line_ ? "" : random_.one_in(10) ? "\r\n" : "\n");
    }
    send(bytes);
}

void ChatClient::submit(const std::string& payload, Expectation expectation) {
    if (payload.size() > role_.payload_bytes_max) {
        expectation.bad = true;
    }
    world().say(name_ + " > " + payload.substr(0, 120));
    ear_->expect(expectation);
    send_payload(payload);
}

void ChatClient::greet() {
    if (role_.manner == Manner::event) {
        Expectation expectation;
        expectation.verb = "hello";
        submit(role_.echo ? "/hello 1 echo=on" : "/hello 1", expectation);
        if (random_.one_in(2)) {
            change_name();
        }
        for (const auto& [room, point] : resume_) {
            if (!random_.one_in(3)) {
                Expectation join;
                join.verb = "join";
                join.room = room;
                join.replays = true;
                join.has_since = true;
                join.since_epoch = point.first;
                join.since_id = point.second;
                submit("/join " + room + " since=" + point.first + ":" +
                           std::to_string(point.second),
                       join);
            }
        }
        if (random_.one_in(2)) {
            join_something();
        }
    } else {
        do_something();
    }
}

std::string ChatClient::some_room() {
    const std::uint64_t index = random_.below(role_.rooms + 1);
    return index == 0 ? "lobby" : "r" + std::to_string(index);
}

std::string ChatClient::some_text() {
    std::string text;
    const std::size_t size = random_.skewed(0, role_.text_bytes_max);
    while (text.size() < size) {
        if (random_.one_in(50)) {
            text += role_.frames && random_.one_in(2) ? "\n" : "\x1B[31m";
        } else {
            text += random_.pick(words);
        }
    }
    return text + ".";
}

// As much as a person pastes, or a program sends in one go: more than one read of the daemon's.
void ChatClient::say_much() {
    const std::size_t usual = role_.text_bytes_max;
    role_.text_bytes_max = std::min<std::size_t>(role_.payload_bytes_max, 8'000);
    for (std::uint64_t count = random_.between(10, 40); count > 0; --count) {
        say_something();
    }
    role_.text_bytes_max = usual;
}

void ChatClient::do_something() {
    if (role_.pastes && random_.one_in(20)) {
        say_much();
        return;
    }
    if (connected() && event_ear_ == nullptr && role_.manner == Manner::plain) {
        if (random_.one_in(6)) {
            ask_something();
        } else {
            say_something();
        }
        return;
    }
    if (role_.restless && random_.one_in(3)) {
        join_something();
        return;
    }
    switch (random_.below(12)) {
    case 0:
    case 5:
        join_something();
        break;
    case 1:
    case 2:
        ask_something();
        break;
    case 3:
        random_.one_in(3) ? change_name() : message_somebody();
        break;
    case 4:
        random_.one_in(3) ? misbehave() : say_something();
        break;
    default:
        say_something();
        break;
    }
}

void ChatClient::say_something() {
    Saying saying;
    saying.author = number_;
    saying.connection = connections_left_;
    saying.text = some_text();
    Expectation expectation;
    expectation.verb = "say";
    std::string prefix;
    const std::uint64_t kind = random_.below(6);
    if (kind == 0) {
        saying.action = true;
        expectation.verb = "me";
        prefix = "/me ";
    } else if (kind < 3) {
        saying.room = some_room();
        expectation.room = saying.room;
        prefix = "/say " + saying.room + " ";
    }
    // The token's own length is not known yet: well over the limit or well under it.
    saying.forbidden = prefix.size() + saying.text.size() + 12 > role_.payload_bytes_max;
    if (saying.forbidden) {
        saying.text += std::string(16, '.');
    }
    expectation.token = ledger_->add(saying);
    submit(prefix + ledger_->at(expectation.token).text, expectation);
}

void ChatClient::join_something() {
    Expectation expectation;
    expectation.room = some_room();
    if (random_.one_in(3)) {
        expectation.verb = "leave";
        submit("/leave " + expectation.room, expectation);
        return;
    }
    expectation.verb = "join";
    std::string payload = "/join " + expectation.room;
    const auto point = resume_.find(expectation.room);
    if (role_.manner == Manner::event && point != resume_.end() && random_.one_in(2)) {
        expectation.replays = true;
        expectation.has_since = true;
        expectation.since_epoch = point->second.first;
        expectation.since_id = point->second.second;
        payload += " since=" + point->second.first + ":" + std::to_string(point->second.second);
    } else if (role_.manner == Manner::event && random_.one_in(3)) {
        expectation.replays = true;
        payload += " last=" + std::to_string(random_.skewed(1, 50));
    }
    submit(payload, expectation);
}

void ChatClient::ask_something() {
    Expectation expectation;
    const std::uint64_t kind = random_.below(role_.manner == Manner::event ? 9 : 6);
    if (kind < 3) {
        expectation.verb = "ping";
        expectation.ping = "p" + std::to_string(number_) + "." + std::to_string(++pings_);
        submit("/ping " + expectation.ping, expectation);
    } else if (kind == 3) {
        expectation.verb = random_.one_in(2) ? "who" : "rooms";
        submit("/" + expectation.verb, expectation);
    } else if (kind == 4) {
        expectation.verb = "topic";
        expectation.room = some_room();
        submit("/topic " + expectation.room + (random_.one_in(2) ? "" : " of the day"),
               expectation);
    } else if (kind == 5) {
        expectation.verb = random_.one_in(2) ? "stats" : "help";
        submit("/" + expectation.verb, expectation);
    } else {
        expectation.verb = "history";
        expectation.replays = true;
        expectation.room = random_.one_in(2) ? some_room() : "";
        submit("/history" + (expectation.room.empty() ? "" : " " + expectation.room) +
                   (random_.one_in(2) ? " last=" + std::to_string(random_.skewed(1, 100)) : ""),
               expectation);
    }
}

void ChatClient::misbehave() {
    Expectation expectation;
    expectation.verb = "say";
    expectation.bad = true;
    Saying saying;
    saying.forbidden = true;
    const std::uint32_t token = ledger_->add(saying);
    const std::string& text = ledger_->at(token).text;
    switch (random_.below(4)) {
    case 0:
        submit("/nonsense " + text, expectation);
        break;
    case 1:
        submit("x\xC0\xAF" + text, expectation);
        break;
    case 2:
        submit(text + "\xE2\x86", expectation);
        break;
    default:
        submit(text + std::string(role_.payload_bytes_max, 'x'), expectation);
        break;
    }
}

void ChatClient::message_somebody() {
    Saying saying;
    saying.author = number_;
    saying.connection = connections_left_;
    saying.text = "psst.";
    saying.to_one = true;
    Expectation expectation;
    expectation.verb = "msg";
    expectation.token = ledger_->add(saying);
    const std::string nick = "n" + std::to_string(random_.below(role_.people));
    submit("/msg " + nick + " " + ledger_->at(expectation.token).text, expectation);
}

void ChatClient::change_name() {
    Expectation expectation;
    expectation.verb = "nick";
    std::string nick =
        "n" + std::to_string(random_.one_in(8) ? random_.below(role_.people) : number_);
    if (random_.one_in(4)) {
        nick += "x" + std::to_string(number_) + "." + std::to_string(++names_);
    }
    submit("/nick " + nick, expectation);
}

} // namespace roomd::sim
