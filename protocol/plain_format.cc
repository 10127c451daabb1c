#include "protocol/event_format.h"

namespace roomd {

void PlainFormat::verbatim(std::string_view text, bool harmless) const {
    pen.begin(text.size());
    pen.text(text, harmless);
    pen.end();
}

void PlainFormat::error(std::string_view code, std::string_view text) const {
    pen.begin(code.size() + text.size() + 3);
    pen.put_all("! ", code);
    pen.tail(text);
    pen.end();
}

void PlainFormat::operator()(const SaidEvent& said) const {
    verbatim(said.text, said.harmless);
}

void PlainFormat::operator()(const DirectEvent& direct) const {
    verbatim(direct.text, false);
}

void PlainFormat::operator()(const ErrorReply& reply) const {
    error(word(reply.code), reply.text);
}

void PlainFormat::operator()(const ByeEvent& bye) const {
    // Who ends the conversation has not asked for anything to be said.
    if (bye.code != "quit" && bye.code != "end") {
        error(bye.code, bye.text);
    }
}

void PlainFormat::operator()(const DebugLine& line) const {
    verbatim(line.text, false);
}

void PlainFormat::operator()(const TopicReply& reply) const {
    if (!reply.set) {
        EventFormat{pen, false}(reply);
    }
}

void PlainFormat::operator()(const WhoReply& reply) const {
    EventFormat{pen, false}(reply);
}

void PlainFormat::operator()(const RoomsReply& reply) const {
    EventFormat{pen, false}(reply);
}

void PlainFormat::operator()(const PingReply& reply) const {
    EventFormat{pen, false}(reply);
}

void PlainFormat::operator()(const StatsReply& reply) const {
    EventFormat{pen, false}(reply);
}

void PlainFormat::operator()(const HelpReply& reply) const {
    EventFormat{pen, false}(reply);
}

void PlainFormat::operator()(const IgnoresReply& reply) const {
    EventFormat{pen, false}(reply);
}

void PlainFormat::operator()(const TraceReply& reply) const {
    EventFormat{pen, false}(reply);
}

void PlainFormat::operator()(const ConnsReply& reply) const {
    EventFormat{pen, false}(reply);
}

} // namespace roomd
