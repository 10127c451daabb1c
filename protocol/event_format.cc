#include "protocol/event_format.h"

#include "protocol/limits.h"

namespace roomd {

namespace {

/// Verbs, four fields and the spaces between them; a guess too low costs a second allocation, no
/// more.
constexpr std::size_t fields_bytes = 160;

constexpr std::string_view said_verb(const SaidEvent& said) {
    if (said.replayed) {
        return said.action ? "oldact" : "old";
    }
    return said.action ? "act" : "msg";
}

} // namespace

std::string_view word(Format format) {
    switch (format) {
    case Format::human:
        return "human";
    case Format::plain:
        return "plain";
    case Format::event:
        return "event";
    }
    return "event";
}

void EventFormat::operator()(const SaidEvent& said) const {
    pen.begin(fields_bytes + said.text.size());
    pen.words(said_verb(said), said.room, said.id, said.time_ms, said.nick);
    pen.tail(said.text, said.harmless);
    pen.end();
}

void EventFormat::operator()(const DirectEvent& direct) const {
    pen.begin(fields_bytes + direct.text.size());
    pen.words("dm", direct.time_ms, direct.nick);
    pen.tail(direct.text);
    pen.end();
}

void EventFormat::operator()(const JoinEvent& join) const {
    pen.begin(fields_bytes);
    pen.words("join", join.room, join.nick);
    pen.end();
}

void EventFormat::operator()(const PartEvent& part) const {
    pen.begin(fields_bytes + part.reason.size());
    pen.words("part", part.room, part.nick);
    pen.tail(part.reason);
    pen.end();
}

void EventFormat::operator()(const NickEvent& nick) const {
    pen.begin(fields_bytes);
    pen.words("nick", nick.from, nick.to);
    pen.end();
}

void EventFormat::operator()(const TopicEvent& topic) const {
    pen.begin(fields_bytes + topic.text.size());
    pen.words("topic", topic.room, topic.nick);
    pen.tail(topic.text);
    pen.end();
}

void EventFormat::operator()(const CrowdEvent& crowd) const {
    pen.begin(fields_bytes);
    pen.words("crowd", crowd.room, crowd.joined, crowd.left, crowd.members);
    pen.end();
}

void EventFormat::operator()(const GapEvent& gap) const {
    pen.begin(fields_bytes);
    pen.words("gap", gap.room, gap.first, gap.last);
    pen.end();
}

void EventFormat::operator()(const StaleEvent& stale) const {
    pen.begin(fields_bytes);
    pen.words("stale", stale.room);
    pen.end();
}

void EventFormat::operator()(const ByeEvent& bye) const {
    pen.begin(fields_bytes + bye.text.size());
    pen.words("bye", bye.code);
    pen.tail(bye.text);
    pen.end();
}

void EventFormat::operator()(const GreetingEvent& /*greeting*/) const {
    // A program that speaks events has asked for its `welcome`.
}

void EventFormat::begin_reply(std::size_t text_bytes) const {
    pen.begin(fields_bytes + text_bytes);
    if (says_ok) {
        pen.put("ok ");
    }
}

void EventFormat::operator()(const WelcomeReply& reply) const {
    pen.begin(fields_bytes);
    pen.words("welcome", protocol_version);
    pen.put_all(" ", reply.server, "/", reply.version, " ", reply.nick);
    pen.end();
}

void EventFormat::operator()(const ErrorReply& reply) const {
    pen.begin(fields_bytes + reply.text.size());
    pen.put("err");
    pen.tail(reply.verb);
    pen.put_all(" ", word(reply.code));
    pen.tail(reply.text);
    pen.end();
}

void EventFormat::operator()(const FormatReply& reply) const {
    begin_reply(0);
    pen.words("format", word(reply.format));
    pen.end();
}

void EventFormat::operator()(const NickReply& reply) const {
    begin_reply(0);
    pen.words("nick", reply.nick);
    pen.end();
}

void EventFormat::operator()(const JoinReply& reply) const {
    begin_reply(0);
    pen.words("join", reply.room, reply.epoch, reply.first, reply.next, reply.members);
    pen.end();
}

void EventFormat::operator()(const LeaveReply& reply) const {
    begin_reply(0);
    pen.words("leave", reply.room);
    pen.end();
}

void EventFormat::operator()(const SayReply& reply) const {
    begin_reply(0);
    pen.words(reply.verb, reply.room, reply.id);
    pen.end();
}

void EventFormat::operator()(const MsgReply& reply) const {
    begin_reply(0);
    pen.words("msg", reply.nick);
    pen.end();
}

void EventFormat::operator()(const TopicReply& reply) const {
    begin_reply(reply.text.size());
    pen.words("topic", reply.room);
    pen.tail(reply.text);
    pen.end();
}

void EventFormat::operator()(const WhoReply& reply) const {
    if (reply.last) {
        begin_reply(reply.names.size());
        pen.words("who", reply.room, reply.total);
    } else {
        pen.begin(fields_bytes + reply.names.size());
        pen.words("who", reply.room);
    }
    pen.tail(reply.names);
    pen.end();
}

void EventFormat::operator()(const RoomsReply& reply) const {
    if (reply.last) {
        begin_reply(reply.names.size());
        pen.words("rooms", reply.total);
    } else {
        pen.begin(fields_bytes + reply.names.size());
        pen.put("rooms");
    }
    pen.tail(reply.names);
    pen.end();
}

void EventFormat::operator()(const HistoryReply& reply) const {
    begin_reply(0);
    pen.words("history", reply.room, reply.first, reply.last);
    pen.end();
}

void EventFormat::operator()(const PingReply& reply) const {
    begin_reply(reply.token.size());
    pen.put("ping");
    pen.tail(reply.token);
    pen.end();
}

void EventFormat::operator()(const StatsReply& reply) const {
    begin_reply(reply.pairs.size());
    pen.put("stats");
    pen.tail(reply.pairs);
    pen.end();
}

void EventFormat::operator()(const HelpReply& reply) const {
    begin_reply(0);
    pen.put("help");
    if (reply.command != nullptr) {
        pen.put_all(" ", reply.command->usage, " - ", reply.command->help);
    } else {
        for (const CommandRow& row : command_table()) {
            if (!row.debug || reply.debug) {
                pen.put_all(" ", row.verb);
            }
        }
    }
    pen.end();
}

void EventFormat::operator()(const IgnoreReply& reply) const {
    begin_reply(0);
    pen.words("ignore", reply.nick, reply.on ? "on" : "off");
    pen.end();
}

void EventFormat::operator()(const IgnoresReply& reply) const {
    begin_reply(reply.names.size());
    pen.words("ignores", reply.count);
    pen.tail(reply.names);
    pen.end();
}

void EventFormat::operator()(const TraceReply& reply) const {
    begin_reply(0);
    pen.words("trace", reply.on ? "on" : "off");
    pen.end();
}

void EventFormat::operator()(const ConnsReply& reply) const {
    begin_reply(0);
    pen.words("conns", reply.count);
    pen.end();
}

void EventFormat::operator()(const DebugLine& line) const {
    pen.begin(fields_bytes + line.text.size());
    pen.put(line.verb);
    pen.tail(line.text);
    pen.end();
}

} // namespace roomd
