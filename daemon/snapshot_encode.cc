#include "daemon/sip_hash.h"
#include "daemon/snapshot_format.h"
#include "daemon/snapshot_records.h"

#include <algorithm>
#include <cmath>

namespace roomd {

// What is written as a number must keep it: the next version reads it, and so does the last.
static_assert(static_cast<int>(Framing::frame) == 0 && static_cast<int>(Framing::line) == 1 &&
              static_cast<int>(Framing::echo) == 2 && static_cast<int>(Framing::automatic) == 3);
static_assert(static_cast<int>(Format::human) == 0 && static_cast<int>(Format::plain) == 1 &&
              static_cast<int>(Format::event) == 2);
static_assert(static_cast<int>(ChunkKind::shared) == 0 && static_cast<int>(ChunkKind::own) == 1 &&
              static_cast<int>(ChunkKind::notice) == 2);
static_assert(static_cast<int>(StreamPhase::open) == 0 &&
              static_cast<int>(StreamPhase::draining) == 1 &&
              static_cast<int>(StreamPhase::lingering) == 2);

namespace {

constexpr double millionths = 1e6;

std::uint64_t bits(std::initializer_list<bool> flags) {
    std::uint64_t result = 0;
    unsigned place = 0;
    for (const bool flag : flags) {
        result |= static_cast<std::uint64_t>(flag) << place++;
    }
    return result;
}

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

void write_key(RecordWriter& out, Tag tag, const SourceKey& key) {
    out.begin(tag);
    out.u64(key.high);
    out.u64(key.low);
    out.end();
}

void write_chunk(RecordWriter& out, const SavedChunk& chunk) {
    out.begin(Tag::chunk);
    out.number(Tag::chunk_kind, static_cast<std::uint64_t>(chunk.kind));
    out.number(Tag::chunk_label, chunk.label == no_index ? 0 : chunk.label + std::uint64_t{1});
    out.text(Tag::chunk_bytes, chunk.bytes);
    if (!chunk.marks.empty()) {
        out.begin(Tag::chunk_marks);
        for (const SavedMark& mark : chunk.marks) {
            out.u32(mark.end);
            out.u64(mark.number);
        }
        out.end();
    }
    if (!chunk.lost.empty()) {
        out.begin(Tag::chunk_lost);
        for (const SavedLost& lost : chunk.lost) {
            out.u32(lost.label);
            out.u64(lost.first);
            out.u64(lost.last);
            out.u64(lost.count);
        }
        out.end();
    }
    out.end();
}

void write_room(RecordWriter& out, const SavedRoom& room) {
    out.begin(Tag::room);
    out.text(Tag::room_name, room.name);
    out.text(Tag::room_epoch, room.epoch);
    out.text(Tag::room_topic, room.topic);
    out.number(Tag::room_next_id, room.next_id);
    for (const HistoryEntry& said : room.history) {
        out.begin(Tag::room_said);
        out.u64(said.time_ms);
        out.u8(said.action ? 1 : 0);
        out.u16(static_cast<std::uint16_t>(said.nick.size()));
        out.bytes(said.nick);
        out.bytes(said.text);
        out.end();
    }
    out.number(Tag::room_empty_ms, room.empty_ms);
    out.number(Tag::room_crowd_joined, room.crowd_joined);
    out.number(Tag::room_crowd_left, room.crowd_left);
    out.end();
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

void write_rates(RecordWriter& out, const SavedSession& session) {
    write_key(out, Tag::session_source, session.source);
    out.begin(Tag::session_rates);
    for (const BucketSaved& bucket : session.rates) {
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
    if (session.patience) {
        write_patience(out, *session.patience);
    }
    if (session.member) {
        write_member(out, *session.member);
    }
    if (session.limited) {
        write_rates(out, session);
    }
    if (session.parked) {
        out.begin(Tag::session_parked); // even an empty one is parked
        out.bytes(*session.parked);
        out.end();
    }
    out.end();
}

void write_count(RecordWriter& out, Tag tag, std::uint64_t count, std::string_view name) {
    if (count != 0) {
        out.begin(tag);
        out.u64(count);
        out.bytes(name);
        out.end();
    }
}

void write_counters(RecordWriter& out, const Counters& counters) {
    out.begin(Tag::counters);
    for (const CounterField& total : counter_fields()) {
        write_count(out, Tag::counters_total, counters.*total.field, total.name);
    }
    for (std::size_t limit = 0; limit < limit_count; ++limit) {
        write_count(out, Tag::counters_limit, counters.hits[limit],
                    name_of(static_cast<Limit>(limit)));
    }
    for (std::size_t reason = 0; reason < close_reason_count; ++reason) {
        write_count(out, Tag::counters_close, counters.closes[reason],
                    word(static_cast<CloseReason>(reason)));
    }
    out.end();
}

void write_body(RecordWriter& out, const Snapshot& snapshot, std::uint32_t version) {
    out.text(Tag::made_by, snapshot.made_by);
    out.number(Tag::frozen_us, snapshot.frozen_us);
    out.number(Tag::lockdown, snapshot.lockdown ? 1 : 0);
    out.number(Tag::last_epoch, snapshot.last_epoch);
    out.number(Tag::guests, snapshot.guests);
    for (const std::string_view label : snapshot.labels) {
        out.begin(Tag::label); // each counts, even an empty one
        out.bytes(label);
        out.end();
    }
    for (const SavedChunk& chunk : snapshot.chunks) {
        write_chunk(out, chunk);
    }
    for (const SavedRoom& room : snapshot.rooms) {
        write_room(out, room);
    }
    for (const SavedSession& session : snapshot.sessions) {
        write_session(out, session);
    }
    for (const SavedListener& listener : snapshot.listeners) {
        out.begin(Tag::listener);
        out.text(Tag::listener_uri, listener.uri);
        out.text(Tag::listener_address, listener.address);
        out.text(Tag::listener_name, listener.name);
        out.number(Tag::listener_flags, bits({listener.datagram, listener.locked}));
        out.end();
    }
    for (const Sources::Saved& source : snapshot.sources) {
        out.begin(Tag::source);
        write_key(out, Tag::source_key, source.source);
        out.number(Tag::source_recent, source.recent);
        out.number(Tag::source_age_ms, source.age_ms);
        out.end();
    }
    if (snapshot.counters && version >= 2) {
        write_counters(out, *snapshot.counters);
    }
    if (snapshot.traffic && version >= 2) {
        out.begin(Tag::traffic);
        out.u64(snapshot.traffic->bytes_read);
        out.u64(snapshot.traffic->bytes_written);
        out.u64(snapshot.traffic->read_calls);
        out.u64(snapshot.traffic->write_calls);
        out.end();
    }
}

} // namespace

std::string encode_snapshot(const Snapshot& snapshot) {
    const std::uint32_t version = snapshot_version();
    std::string out(snapshot_header_bytes, '\0'); // written when it is known
    RecordWriter records(out);
    write_body(records, snapshot, version);
    const std::string_view body = std::string_view(out).substr(snapshot_header_bytes);
    std::string header(snapshot_magic);
    RecordWriter numbers(header);
    numbers.u32(version);
    numbers.u32(snapshot_readable_from());
    numbers.u64(body.size());
    numbers.u64(sip_hash({version, snapshot_readable_from()}, body));
    out.replace(0, snapshot_header_bytes, header);
    return out;
}

} // namespace roomd
