#include "daemon/sip_hash.h"
#include "daemon/snapshot_format.h"
#include "daemon/snapshot_parts.h"
#include "daemon/snapshot_records.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace roomd {

// What is written as a number must keep it: the next version reads it, and so does the last.
static_assert(static_cast<int>(ChunkKind::shared) == 0 && static_cast<int>(ChunkKind::own) == 1 &&
              static_cast<int>(ChunkKind::notice) == 2);

namespace {

void write_lost(RecordWriter& out, const SavedChunk& chunk) {
    out.begin(Tag::chunk_lost);
    for (const SavedLost& lost : chunk.lost) {
        if (lost.count > 0) {
            out.u32(lost.label);
            out.u64(lost.first);
            out.u64(lost.last);
            out.u64(lost.count);
        }
    }
    out.end();
    out.begin(Tag::chunk_state_lost);
    for (const SavedLost& lost : chunk.lost) {
        if (lost.state > 0) {
            out.u32(lost.label);
            out.u64(lost.state);
        }
    }
    out.end();
}

void write_chunk(RecordWriter& out, const SavedChunk& chunk) {
    out.begin(Tag::chunk);
    // To a version that knows no other it is an answer: never dropped either.
    const bool direct = chunk.kind == ChunkKind::direct;
    out.number(Tag::chunk_kind, static_cast<std::uint64_t>(direct ? ChunkKind::own : chunk.kind));
    out.number(Tag::chunk_direct, direct ? 1 : 0);
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
        write_lost(out, chunk);
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
    out.number(Tag::room_owner, room.owner);
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
        if (source.rates) {
            write_rates(out, Tag::source_rates, *source.rates);
        }
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

void encode_snapshot(const Snapshot& snapshot, const PutBytes& put) {
    const std::uint32_t version = snapshot_version();
    const std::uint32_t readable_from = snapshot_readable_from();
    SipHash checksum({version, readable_from});
    std::uint64_t size = 0;
    const auto pass_on = [&](std::string& bytes) {
        checksum.add(bytes);
        put(snapshot_header_bytes + size, bytes);
        size += bytes.size();
        bytes.clear();
    };
    std::string piece;
    RecordWriter records(piece, pass_on);
    write_body(records, snapshot, version);
    pass_on(piece);
    std::string header(snapshot_magic);
    RecordWriter numbers(header);
    numbers.u32(version);
    numbers.u32(readable_from);
    numbers.u64(size);
    numbers.u64(checksum.result());
    put(0, header);
}

std::string encode_snapshot(const Snapshot& snapshot) {
    std::string all;
    encode_snapshot(snapshot, [&all](std::uint64_t at, std::string_view bytes) {
        all.resize(std::max<std::size_t>(all.size(), at + bytes.size()));
        bytes.copy(all.data() + at, bytes.size());
    });
    return all;
}

} // namespace roomd
