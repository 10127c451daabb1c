// human_format — how roomd talks to a person on netcat.
//
// Internal to protocol/; event.cc visits an Event with it. What people say begins with '[', what
// the server says with '*', what went wrong with '!'; a text cannot begin a line, since a line end
// in it is shown as ^J: so nobody can pass for the server.
#pragma once

#include "protocol/event.h"
#include "protocol/pen.h"

namespace roomd {

struct HumanFormat {
    Pen& pen;

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
    /// "* " and the pieces, as one payload.
    template <class... Pieces>
    void notice(const Pieces&... pieces) const;
    /// The same with a text behind them.
    template <class... Pieces>
    void notice_text(std::string_view text, const Pieces&... pieces) const;
};

} // namespace roomd
