// event_format — the words of the event format, and which of them the plain format shows.
//
// Internal to protocol/; event.cc visits an Event with one of these. Each opens a payload on the
// pen, writes and closes it; PlainFormat does so only for what a plain client hears.
#pragma once

#include "protocol/event.h"
#include "protocol/pen.h"

namespace roomd {

struct EventFormat {
    Pen& pen;
    bool says_ok = true; // plain shows the same answers without it

    void operator()(const SaidEvent& said) const;
    void operator()(const DirectEvent& direct) const;
    void operator()(const JoinEvent& join) const;
    void operator()(const PartEvent& part) const;
    void operator()(const NickEvent& nick) const;
    void operator()(const TopicEvent& topic) const;
    void operator()(const CrowdEvent& crowd) const;
    void operator()(const GapEvent& gap) const;
    void operator()(const StaleEvent& stale) const;
    void operator()(const ByeEvent& bye) const;
    void operator()(const GreetingEvent& greeting) const;
    void operator()(const WelcomeReply& reply) const;
    void operator()(const ErrorReply& reply) const;
    void operator()(const FormatReply& reply) const;
    void operator()(const NickReply& reply) const;
    void operator()(const JoinReply& reply) const;
    void operator()(const LeaveReply& reply) const;
    void operator()(const SayReply& reply) const;
    void operator()(const MsgReply& reply) const;
    void operator()(const TopicReply& reply) const;
    void operator()(const WhoReply& reply) const;
    void operator()(const RoomsReply& reply) const;
    void operator()(const HistoryReply& reply) const;
    void operator()(const PingReply& reply) const;
    void operator()(const StatsReply& reply) const;
    void operator()(const HelpReply& reply) const;
    void operator()(const IgnoreReply& reply) const;
    void operator()(const IgnoresReply& reply) const;
    void operator()(const TraceReply& reply) const;
    void operator()(const ConnsReply& reply) const;
    void operator()(const DebugLine& line) const;

private:
    void begin_reply(std::size_t text_bytes) const;
};

/// Texts, answers to one's own queries, errors; of everything else nothing.
struct PlainFormat {
    Pen& pen;

    void operator()(const SaidEvent& said) const;
    void operator()(const DirectEvent& direct) const;
    void operator()(const ErrorReply& reply) const;
    void operator()(const ByeEvent& bye) const;
    void operator()(const DebugLine& line) const;
    void operator()(const TopicReply& reply) const;
    void operator()(const WhoReply& reply) const;
    void operator()(const RoomsReply& reply) const;
    void operator()(const PingReply& reply) const;
    void operator()(const StatsReply& reply) const;
    void operator()(const HelpReply& reply) const;
    void operator()(const TraceReply& reply) const;
    void operator()(const ConnsReply& reply) const;
    void operator()(const IgnoresReply& reply) const;

    // One overload each, not a template: the compiler asks what plain shows of a new event.
    void operator()(const JoinEvent& /*unused*/) const {}

    void operator()(const PartEvent& /*unused*/) const {}

    void operator()(const NickEvent& /*unused*/) const {}

    void operator()(const TopicEvent& /*unused*/) const {}

    void operator()(const CrowdEvent& /*unused*/) const {}

    void operator()(const GapEvent& /*unused*/) const {}

    void operator()(const StaleEvent& /*unused*/) const {}

    void operator()(const GreetingEvent& /*unused*/) const {}

    void operator()(const WelcomeReply& /*unused*/) const {}

    void operator()(const FormatReply& /*unused*/) const {}

    void operator()(const NickReply& /*unused*/) const {}

    void operator()(const JoinReply& /*unused*/) const {}

    void operator()(const LeaveReply& /*unused*/) const {}

    void operator()(const SayReply& /*unused*/) const {}

    void operator()(const MsgReply& /*unused*/) const {}

    void operator()(const HistoryReply& /*unused*/) const {}

    void operator()(const IgnoreReply& /*unused*/) const {}

private:
    void verbatim(std::string_view text, bool harmless) const;
    void error(std::string_view code, std::string_view text) const;
};

} // namespace roomd
