// Event — everything roomd says, before it has a shape; and the shapes it can take.
//
// An Event is a struct of views; encode() writes it once in one dialect (framing and format),
// complete with header or line end. A dialect that does not show an event (plain: presence) writes
// nothing. Pure functions; the views need live only for the call. parse_event() is the way back,
// for clients.
#pragma once

#include "protocol/command.h"
#include "protocol/decoder.h"
#include "protocol/error_code.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace roomd {

struct Dialect {
    Framing framing; // frame or line
    Format format;

    static constexpr std::size_t count = 6;

    /// 0..5, dense: an index for tables with one row per dialect.
    [[nodiscard]] constexpr std::size_t index() const {
        return (framing == Framing::line ? 3U : 0U) + static_cast<std::size_t>(format);
    }

    [[nodiscard]] static constexpr Dialect at(std::size_t index) {
        return {index >= 3 ? Framing::line : Framing::frame, static_cast<Format>(index % 3)};
    }

    friend constexpr bool operator==(const Dialect&, const Dialect&) = default;
};

/// The word of a format: "human", "plain", "event". Static storage.
[[nodiscard]] std::string_view word(Format format);

/// What an event is. `room`, `nick`, `server`, `version`, `epoch` and `code` hold what may stand on
/// a wire as it is (valid names, words of the program); everything else is escaped in line framing.
struct SaidEvent { // msg, act; replayed: old, oldact
    std::string_view room;
    std::uint64_t id;
    std::uint64_t time_ms; // since 1970, UTC
    std::string_view nick;
    std::string_view text;
    bool action = false;
    bool replayed = false;
    bool harmless = false; // check_text() said so: line framing need not look again
};

// clang-format off
struct DirectEvent { std::uint64_t time_ms; std::string_view nick; std::string_view text; };
struct JoinEvent { std::string_view room; std::string_view nick; };
struct PartEvent { std::string_view room; std::string_view nick; std::string_view reason; };
struct NickEvent { std::string_view from; std::string_view to; };
struct TopicEvent { std::string_view room; std::string_view nick; std::string_view text; };
struct CrowdEvent {
    std::string_view room;
    std::uint64_t joined;
    std::uint64_t left;
    std::uint64_t members;
};
struct GapEvent { std::string_view room; std::uint64_t first; std::uint64_t last; };
/// Joins, parts, names or topics of the room were lost: its picture has to be asked for again.
struct StaleEvent { std::string_view room; };
struct ByeEvent { std::string_view code; std::string_view text; };

/// Human line greeting when a line connection begins; other formats write nothing.
struct GreetingEvent { std::string_view server; std::string_view version; std::string_view nick; };

// Replies. `verb` of the event format is fixed by the type.
struct WelcomeReply { std::string_view server; std::string_view version; std::string_view nick; };
struct ErrorReply { std::string_view verb; ErrorCode code; std::string_view text; };
struct FormatReply { Format format; };
struct NickReply { std::string_view nick; };
struct JoinReply {
    std::string_view room;
    std::string_view epoch;
    std::uint64_t first;
    std::uint64_t next;
    std::uint64_t members;
    std::string_view topic; // human shows it when not empty
};
struct LeaveReply { std::string_view room; };
struct SayReply { std::string_view verb; std::string_view room; std::uint64_t id; }; // say, me
struct MsgReply { std::string_view nick; };
struct TopicReply { std::string_view room; std::string_view text; bool set; };
/// A page of names: more come first as `who ROOM NICK...`, the last is the reply, with the total.
struct WhoReply { std::string_view room; std::uint64_t total; std::string_view names; bool last; };
struct RoomsReply { std::uint64_t total; std::string_view names; bool last; }; // ROOM:MEMBERS ...
struct HistoryReply { std::string_view room; std::uint64_t first; std::uint64_t last; };
struct PingReply { std::string_view token; };
struct StatsReply { std::string_view pairs; }; // K=V K=V ...
/// nullptr: all of them, the debug ones too if `debug`.
struct HelpReply { const CommandRow* command; bool debug; };
struct IgnoreReply { std::string_view nick; bool on; };
struct IgnoresReply { std::uint64_t count; std::string_view names; };
struct TraceReply { bool on; };
struct ConnsReply { std::uint64_t count; };
/// A line of /trace or /conns: `trace TEXT`, `conn TEXT`; in human and plain just the text.
struct DebugLine { std::string_view verb; std::string_view text; };

// clang-format on

using Event =
    std::variant<SaidEvent, DirectEvent, JoinEvent, PartEvent, NickEvent, TopicEvent, CrowdEvent,
                 GapEvent, StaleEvent, ByeEvent, GreetingEvent, WelcomeReply, ErrorReply,
                 FormatReply, NickReply, JoinReply, LeaveReply, SayReply, MsgReply, TopicReply,
                 WhoReply, RoomsReply, HistoryReply, PingReply, StatsReply, HelpReply, IgnoreReply,
                 IgnoresReply, TraceReply, ConnsReply, DebugLine>;

/// Appends the event, framed, to `out`. Appends nothing where the dialect does not show the event.
/// Amortised one copy of the text; no other allocation than out's growth.
void encode(std::string& out, Dialect dialect, const Event& event);

/// Appends one payload as it is, framed (frame: header + bytes; line: visible text + LF).
void encode_payload(std::string& out, Framing framing, std::string_view payload);

/// An event-format payload taken apart: `verb`, then up to `fields` words, then the rest.
struct ParsedEvent {
    std::string_view verb;                  // msg, act, old, ok, err, bye, welcome, gap ...
    std::array<std::string_view, 6> fields; // in the order of PROTOCOL.md; absent ones are empty
    std::string_view text;                  // the last field, verbatim
    bool known; // the verb is one of protocol version 1 and has its fields
};

/// `ok` and `err` have the verb replied to as fields[0]. Views into `payload`. Never fails: an
/// unknown verb has known == false and everything behind it in text.
[[nodiscard]] ParsedEvent parse_event(std::string_view payload);

} // namespace roomd
