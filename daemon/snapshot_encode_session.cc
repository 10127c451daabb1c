#include "daemon/snapshot_parts.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace roomd {

// What is written as a number must keep it: the next version reads it, and so does the last.
static_assert(static_cast<int>(Framing::frame) == 0 && static_cast<int>(Framing::line) == 1 &&
              static_cast<int>(Framing::echo) == 2 && static_cast<int>(Framing::automatic) == 3);
static_assert(static_cast<int>(Format::human) == 0 && static_cast<int>(Format::plain) == 1 &&
              static_cast<int>(Format::event) == 2);
static_assert(static_cast<int>(StreamPhase::open) == 0 &&
              static_cast<int>(StreamPhase::draining) == 1 &&
              static_cast<int>(StreamPhase::lingering) == 2);

namespace {

// Read back, it is written the same again: beyond what a double holds exactly it is whole tokens.
std::uint64_t in_millionths(double tokens) {
    constexpr double fine_max = 1e9;
    constexpr double tokens_max = 1e12; // longer than anybody is made to wait
    return tokens < fine_max
               ? static_cast<std::uint64_t>(std::llround(tokens * millionths))
               : static_cast<std::uint64_t>(std::llround(std::min(tokens, tokens_max))) *
                     static_cast<std::uint64_t>(millionths);
}

std::uint64_t milliseconds(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

void write_member(RecordWriter& out, const SavedMember& member) {
    out.begin(Tag::session_member);
    out.text(Tag::member_nick, member.nick);
    out.number(Tag::member_format, static_cast<std::uint64_t>(member.format));
    out.number(Tag::member_flags,
               bits({member.single_script, member.echo, member.ack, member.traces}));
    if (!member.rooms.empty()) {
        out.begin(Tag::member_rooms);
        for (const std::uint32_t room : member.rooms) {
            out.u32(room);
        }
        out.end();
    }
    if (member.replay) {
        out.begin(Tag::member_replay);
        out.u32(member.replay->room);
        out.u64(member.replay->next);
        out.u64(member.replay->end);
        out.u64(member.replay->first);
        out.u8(member.replay->join ? 1 : 0);
        out.end();
    }
    out.number(Tag::member_owner, member.owner);
    for (const std::string_view folded : member.ignored) {
        out.text(Tag::member_ignored, folded);
    }
    out.text(Tag::member_list, member.list);
    out.text(Tag::member_list_room, member.list_room);
    out.end();
}

void write_patience(RecordWriter& out, const SavedPatience& patience) {
    out.begin(Tag::session_patience);
    out.u32(patience.partial_ms);
    out.u32(patience.soft_ms);
    out.u32(patience.silent_ms);
    out.u32(patience.leaving_ms);
    out.u32(patience.lingering_ms);
    out.u32(patience.flush_in_ms ? *patience.flush_in_ms + 1 : 0);
    out.end();
}

} // namespace

void write_rates(RecordWriter& out, Tag tag, const Rates::Saved& rates) {
    out.begin(tag);
    for (const BucketSaved& bucket : rates) {
        out.u64(in_millionths(bucket.spent));
        out.u64(bucket.age_ms);
    }
    out.end();
}

void write_session(RecordWriter& out, const SavedSession& session) {
    out.begin(Tag::session);
    out.number(Tag::session_cookie, session.cookie);
    out.text(Tag::session_uri, session.uri);
    out.number(Tag::session_flags,
               bits({session.strangers, session.limited, session.begun, session.heard,
                     session.ending, session.stream.input_ended, session.stream.write_failed,
                     session.stream.peer_finished}));
    out.text(Tag::session_reason, word(session.reason));
    out.number(Tag::session_last_format, static_cast<std::uint64_t>(session.last_format));
    out.number(Tag::session_phase, static_cast<std::uint64_t>(session.stream.phase));
    out.text(Tag::session_input, session.stream.input);
    if (session.stream.blocked) {
        out.number(Tag::session_blocked_ms, milliseconds(*session.stream.blocked) + 1);
    }
    if (!session.output.empty()) {
        out.begin(Tag::session_output);
        for (const SavedWindow& window : session.output) {
            out.u32(window.chunk);
            out.u32(window.from);
            out.u32(window.to);
        }
        out.end();
    }
    const DecoderSaved& decoder = session.decoder;
    out.begin(Tag::session_decoder);
    out.u8(static_cast<std::uint8_t>(decoder.framing));
    out.u8(decoder.http);
    out.u8(static_cast<std::uint8_t>(
        bits({decoder.first_line, decoder.skipping_line, decoder.after_flush, decoder.dead})));
    out.u32(decoder.scanned);
    out.u32(decoder.skip);
    out.end();
    out.number(Tag::session_telnet,
               decoder.answered + (bits({decoder.telnet, decoder.subnegotiation}) << 8U));
    if (session.patience) {
        write_patience(out, *session.patience);
        out.number(Tag::session_quiet_ms, session.patience->quiet_ms);
    }
    if (session.member) {
        write_member(out, *session.member);
    }
    if (session.limited) {
        write_key(out, Tag::session_source, session.source);
        write_rates(out, Tag::session_rates, session.rates);
    }
    if (session.parked) {
        out.begin(Tag::session_parked); // even an empty one is parked
        out.bytes(*session.parked);
        out.end();
    }
    out.end();
}

} // namespace roomd
