#include "protocol/human_format.h"

#include "protocol/event_format.h"

#include <array>

namespace roomd {

namespace {

constexpr std::size_t fields_bytes = 128;

/// "12:34", UTC.
std::array<char, 5> clock_face(std::uint64_t time_ms) {
    const std::uint64_t minutes = time_ms / 60'000;
    const std::uint64_t hour = minutes / 60 % 24;
    const std::uint64_t minute = minutes % 60;
    const auto digit = [](std::uint64_t value) { return static_cast<char>('0' + value); };
    return {digit(hour / 10), digit(hour % 10), ':', digit(minute / 10), digit(minute % 10)};
}

constexpr std::string_view plural(std::uint64_t count) {
    return count == 1 ? "" : "s";
}

} // namespace

template <class... Pieces>
void HumanFormat::notice(const Pieces&... pieces) const {
    notice_text({}, pieces...);
}

template <class... Pieces>
void HumanFormat::notice_text(std::string_view text, const Pieces&... pieces) const {
    pen.begin(fields_bytes + text.size());
    pen.put("* ");
    pen.put_all(pieces...);
    pen.text(text);
    pen.end();
}

void HumanFormat::operator()(const SaidEvent& said) const {
    pen.begin(fields_bytes + said.text.size());
    pen.put_all("[", said.room, "] ");
    if (said.replayed) {
        const std::array<char, 5> time = clock_face(said.time_ms);
        pen.put_all("(", std::string_view{time.data(), time.size()}, ") ");
    }
    pen.put_all(said.action ? "* " : "", said.nick, said.action ? " " : ": ");
    pen.text(said.text, said.harmless);
    pen.end();
}

void HumanFormat::operator()(const DirectEvent& direct) const {
    pen.begin(fields_bytes + direct.text.size());
    pen.put_all("[", direct.nick, " -> you] ");
    pen.text(direct.text);
    pen.end();
}

void HumanFormat::operator()(const JoinEvent& join) const {
    notice(join.nick, " joined ", join.room);
}

void HumanFormat::operator()(const PartEvent& part) const {
    pen.begin(fields_bytes + part.reason.size());
    pen.put_all("* ", part.nick, " left ", part.room);
    if (!part.reason.empty()) {
        pen.put(" (");
        pen.text(part.reason);
        pen.put(")");
    }
    pen.end();
}

void HumanFormat::operator()(const NickEvent& nick) const {
    notice(nick.from, " is now ", nick.to);
}

void HumanFormat::operator()(const TopicEvent& topic) const {
    if (topic.text.empty()) {
        notice(topic.nick, " cleared the topic of ", topic.room);
    } else {
        notice_text(topic.text, topic.nick, " set the topic of ", topic.room, ": ");
    }
}

void HumanFormat::operator()(const CrowdEvent& crowd) const {
    notice(crowd.room, ": ", crowd.joined, " joined, ", crowd.left, " left, ", crowd.members,
           " here");
}

void HumanFormat::operator()(const GapEvent& gap) const {
    const std::uint64_t count = gap.last < gap.first ? 0 : gap.last - gap.first + 1;
    notice(count, " message", plural(count), count == 1 ? " was" : " were", " skipped in ",
           gap.room);
}

void HumanFormat::operator()(const StaleEvent& stale) const {
    notice("you have missed who came, left or changed in ", stale.room, "; /who and /topic tell");
}

void HumanFormat::operator()(const ByeEvent& bye) const {
    const bool quit = bye.code == "quit" || bye.code == "end";
    pen.begin(fields_bytes + bye.text.size());
    pen.put(quit ? "* bye" : "! bye");
    if (!bye.text.empty()) {
        pen.put(": ");
        pen.text(bye.text);
    } else if (!quit) {
        pen.put_all(": ", bye.code);
    }
    pen.end();
}

void HumanFormat::operator()(const GreetingEvent& greeting) const {
    notice("welcome to ", greeting.server, " ", greeting.version, "; you are ", greeting.nick,
           "; /help shows the commands");
}

void HumanFormat::operator()(const WelcomeReply& reply) const {
    notice("you are ", reply.nick, " on ", reply.server, " ", reply.version);
}

void HumanFormat::operator()(const ErrorReply& reply) const {
    pen.begin(fields_bytes + reply.text.size());
    pen.put("! ");
    pen.text(reply.text.empty() ? word(reply.code) : reply.text);
    pen.end();
}

void HumanFormat::operator()(const FormatReply& reply) const {
    notice("the format is ", word(reply.format), " now");
}

void HumanFormat::operator()(const NickReply& reply) const {
    notice("you are now ", reply.nick);
}

void HumanFormat::operator()(const JoinReply& reply) const {
    notice("you are in ", reply.room, " (", reply.members, " here)");
    if (!reply.topic.empty()) {
        notice_text(reply.topic, "topic of ", reply.room, ": ");
    }
}

void HumanFormat::operator()(const LeaveReply& reply) const {
    notice("you left ", reply.room);
}

void HumanFormat::operator()(const SayReply& /*reply*/) const {
    // The person can see what they typed.
}

void HumanFormat::operator()(const MsgReply& /*reply*/) const {}

void HumanFormat::operator()(const TopicReply& reply) const {
    if (reply.text.empty()) {
        notice(reply.set ? "you cleared the topic of " : "no topic is set in ", reply.room);
    } else {
        notice_text(reply.text, reply.set ? "you set the topic of " : "topic of ", reply.room,
                    ": ");
    }
}

void HumanFormat::operator()(const WhoReply& reply) const {
    if (reply.last) {
        notice_text(reply.names, "in ", reply.room, " (", reply.total, "): ");
    } else {
        notice_text(reply.names, "in ", reply.room, ": ");
    }
}

void HumanFormat::operator()(const RoomsReply& reply) const {
    if (reply.last) {
        notice_text(reply.names, "rooms (", reply.total, "): ");
    } else {
        notice_text(reply.names, "rooms: ");
    }
}

void HumanFormat::operator()(const HistoryReply& reply) const {
    if (reply.last == 0 || reply.last < reply.first) {
        notice("nothing to show of ", reply.room);
    } else {
        notice("that was ", reply.room, " from message ", reply.first, " to ", reply.last);
    }
}

void HumanFormat::operator()(const PingReply& reply) const {
    notice_text(reply.token, "pong", reply.token.empty() ? "" : " ");
}

void HumanFormat::operator()(const StatsReply& reply) const {
    notice_text(reply.pairs, "stats: ");
}

void HumanFormat::operator()(const HelpReply& reply) const {
    if (reply.command != nullptr) {
        notice(reply.command->usage, " - ", reply.command->help);
        return;
    }
    notice("What does not begin with / is said in the current room.");
    for (const CommandRow& row : command_table()) {
        if (!row.debug || reply.debug) {
            notice(row.usage, " - ", row.help);
        }
    }
}

void HumanFormat::operator()(const IgnoreReply& reply) const {
    notice(reply.on ? "you ignore " : "you no longer ignore ", reply.nick);
}

void HumanFormat::operator()(const IgnoresReply& reply) const {
    if (reply.count == 0) {
        notice("you ignore nobody");
    } else {
        notice_text(reply.names, "you ignore (", reply.count, "): ");
    }
}

void HumanFormat::operator()(const TraceReply& reply) const {
    notice("trace is ", reply.on ? "on" : "off");
}

void HumanFormat::operator()(const ConnsReply& reply) const {
    notice(reply.count, " connection", plural(reply.count));
}

void HumanFormat::operator()(const DebugLine& line) const {
    pen.begin(line.text.size());
    pen.text(line.text);
    pen.end();
}

} // namespace roomd
