#include "daemon/sip_hash.h"
#include "daemon/snapshot_format.h"
#include "daemon/snapshot_parts.h"
#include "protocol/text.h"

// From bytes to a snapshot: where each value stands. Connections are in
// snapshot_decode_session.cc.
namespace roomd {

namespace {

bool read_marks(std::string_view body, std::vector<SavedMark>& marks) {
    BodyReader in(body);
    while (!in.empty()) {
        const std::uint32_t end = in.u32();
        marks.push_back({end, in.u64()});
    }
    return whole(in);
}

bool read_lost(std::string_view body, std::vector<SavedLost>& lost) {
    BodyReader in(body);
    while (!in.empty()) {
        SavedLost& range = lost.emplace_back();
        range.label = in.u32();
        range.first = in.u64();
        range.last = in.u64();
        range.count = in.u64();
    }
    return whole(in);
}

bool read_state_lost(std::string_view body, std::vector<SavedLost>& lost) {
    BodyReader in(body);
    while (!in.empty()) {
        const std::uint32_t label = in.u32();
        const std::uint64_t state = in.u64();
        const auto found = std::find_if(lost.begin(), lost.end(), [label](const SavedLost& range) {
            return range.label == label;
        });
        SavedLost& range =
            found != lost.end() ? *found : lost.emplace_back(SavedLost{label, 0, 0, 0, 0});
        range.state = state;
    }
    return whole(in);
}

bool read_chunk(std::string_view body, SavedChunk& chunk) {
    chunk.kind = ChunkKind::shared; // number 0, which is not written
    bool good = true;
    RecordReader in(body);
    while (good && in.next()) {
        switch (in.tag()) {
        case Tag::chunk_kind:
            chunk.kind = enumerator<ChunkKind>(in.number());
            break;
        case Tag::chunk_label:
            chunk.label = narrow(in.number() - 1);
            break;
        case Tag::chunk_bytes:
            chunk.bytes = in.body();
            break;
        case Tag::chunk_marks:
            good = read_marks(in.body(), chunk.marks);
            break;
        case Tag::chunk_lost:
            good = read_lost(in.body(), chunk.lost);
            break;
        case Tag::chunk_state_lost:
            good = read_state_lost(in.body(), chunk.lost);
            break;
        case Tag::chunk_direct:
            chunk.kind = ChunkKind::direct; // behind its kind
            break;
        default: // of a later version
            break;
        }
    }
    return good && !in.failed();
}

bool read_said(std::string_view body, HistoryEntry& said) {
    BodyReader in(body);
    said.time_ms = in.u64();
    said.action = in.u8() != 0;
    said.nick = in.bytes(in.u16());
    said.text = in.rest();
    const TextCheck check = check_text(said.text);
    said.harmless = check.harmless; // nobody is believed in this
    return !in.failed() && check.valid;
}

bool read_room(std::string_view body, SavedRoom& room) {
    room.next_id = 0;
    bool good = true;
    RecordReader in(body);
    while (good && in.next()) {
        switch (in.tag()) {
        case Tag::room_name:
            room.name = in.body();
            break;
        case Tag::room_epoch:
            room.epoch = in.body();
            break;
        case Tag::room_topic:
            room.topic = in.body();
            break;
        case Tag::room_next_id:
            room.next_id = in.number();
            break;
        case Tag::room_said:
            good = read_said(in.body(), room.history.emplace_back());
            break;
        case Tag::room_empty_ms:
            room.empty_ms = in.number();
            break;
        case Tag::room_crowd_joined:
            room.crowd_joined = narrow(in.number());
            break;
        case Tag::room_crowd_left:
            room.crowd_left = narrow(in.number());
            break;
        case Tag::room_owner:
            room.owner = in.number();
            break;
        default: // of a later version
            break;
        }
    }
    return good && !in.failed();
}

bool read_listener(std::string_view body, SavedListener& listener) {
    RecordReader in(body);
    while (in.next()) {
        if (in.tag() == Tag::listener_uri) {
            listener.uri = in.body();
        } else if (in.tag() == Tag::listener_address) {
            listener.address = in.body();
        } else if (in.tag() == Tag::listener_name) {
            listener.name = in.body();
        } else if (in.tag() == Tag::listener_flags) {
            const std::uint64_t bits = in.number();
            listener.datagram = bit(bits, 0);
            listener.locked = bit(bits, 1);
        }
    }
    return !in.failed();
}

bool read_source(std::string_view body, Sources::Saved& source) {
    bool good = true;
    RecordReader in(body);
    while (good && in.next()) {
        if (in.tag() == Tag::source_key) {
            good = read_key(in.body(), source.source);
        } else if (in.tag() == Tag::source_recent) {
            source.recent = narrow(in.number());
        } else if (in.tag() == Tag::source_age_ms) {
            source.age_ms = in.number();
        } else if (in.tag() == Tag::source_rates) {
            good = read_rates(in.body(), source.rates.emplace());
        }
    }
    return good && !in.failed();
}

// Where a count is kept; nullptr: this version does not count it.
std::uint64_t* counter_of(Tag tag, std::string_view name, Counters& counters) {
    if (tag == Tag::counters_total) {
        for (const CounterField& total : counter_fields()) {
            if (total.name == name) {
                return &(counters.*total.field);
            }
        }
    }
    for (std::size_t limit = 0; tag == Tag::counters_limit && limit < limit_count; ++limit) {
        if (name_of(static_cast<Limit>(limit)) == name) {
            return &counters.hits[limit];
        }
    }
    for (std::size_t reason = 0; tag == Tag::counters_close && reason < close_reason_count;
         ++reason) {
        if (word(static_cast<CloseReason>(reason)) == name) {
            return &counters.closes[reason];
        }
    }
    return nullptr;
}

bool read_counters(std::string_view body, Counters& counters) {
    RecordReader in(body);
    while (in.next()) {
        BodyReader values(in.body());
        const std::uint64_t value = values.u64();
        if (values.failed()) {
            return false;
        }
        if (std::uint64_t* const counter = counter_of(in.tag(), values.rest(), counters);
            counter != nullptr) {
            *counter = value;
        }
    }
    return !in.failed();
}

bool read_traffic(std::string_view body, SavedTraffic& traffic) {
    BodyReader in(body);
    traffic.bytes_read = in.u64();
    traffic.bytes_written = in.u64();
    traffic.read_calls = in.u64();
    traffic.write_calls = in.u64();
    return whole(in);
}

bool read_part(RecordReader& in, Snapshot& snapshot) {
    switch (in.tag()) {
    case Tag::made_by:
        snapshot.made_by = in.body();
        return true;
    case Tag::frozen_us:
        snapshot.frozen_us = in.number();
        return true;
    case Tag::lockdown:
        snapshot.lockdown = in.number() != 0;
        return true;
    case Tag::last_epoch:
        snapshot.last_epoch = in.number();
        return true;
    case Tag::guests:
        snapshot.guests = in.number();
        return true;
    case Tag::label:
        snapshot.labels.push_back(in.body());
        return true;
    case Tag::chunk:
        return read_chunk(in.body(), snapshot.chunks.emplace_back());
    case Tag::room:
        return read_room(in.body(), snapshot.rooms.emplace_back());
    case Tag::session:
        return read_session(in.body(), snapshot.sessions.emplace_back());
    case Tag::listener:
        return read_listener(in.body(), snapshot.listeners.emplace_back());
    case Tag::source:
        return read_source(in.body(), snapshot.sources.emplace_back());
    case Tag::counters:
        return snapshot_version() < 2 || read_counters(in.body(), snapshot.counters.emplace());
    case Tag::traffic:
        return snapshot_version() < 2 || read_traffic(in.body(), snapshot.traffic.emplace());
    default: // of a later version
        return true;
    }
}

// What stands before the body; false with an error if this is not for us.
bool read_header(std::string_view& bytes, std::string& error) {
    if (bytes.size() < snapshot_header_bytes || !bytes.starts_with(snapshot_magic)) {
        error = "this is no state of a roomd, or it was cut";
        return false;
    }
    BodyReader in(bytes.substr(snapshot_magic.size()));
    const std::uint32_t version = in.u32();
    const std::uint32_t readable_from = in.u32();
    const std::uint64_t size = in.u64();
    const std::uint64_t checksum = in.u64();
    const std::string_view body = in.rest();
    if (readable_from > snapshot_version()) {
        error = "the state is of version " + std::to_string(version) + "; this roomd reads up to " +
                std::to_string(snapshot_version());
        return false;
    }
    if (version < snapshot_oldest()) {
        error = "the state is of version " + std::to_string(version) + "; this roomd reads from " +
                std::to_string(snapshot_oldest()) + " on";
        return false;
    }
    if (size != body.size() || checksum != sip_hash({version, readable_from}, body)) {
        error = "the state is damaged: its checksum does not fit";
        return false;
    }
    bytes = body;
    return true;
}

} // namespace

std::optional<Snapshot> decode_snapshot(std::string_view bytes, std::string& error) {
    if (!read_header(bytes, error)) {
        return std::nullopt;
    }
    Snapshot snapshot;
    RecordReader in(bytes);
    bool good = true;
    while (good && in.next()) {
        good = read_part(in, snapshot);
    }
    if (!good || in.failed()) {
        error = "the state is damaged: a record does not end where it should";
        return std::nullopt;
    }
    if (!check_snapshot(snapshot, error)) {
        return std::nullopt;
    }
    return snapshot;
}

} // namespace roomd
