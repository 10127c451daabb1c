#include "daemon/snapshot_parts.h"

#include <chrono>

namespace roomd {

namespace {

CloseReason reason_of(std::string_view text) {
    for (std::size_t number = 0; number < close_reason_count; ++number) {
        if (word(static_cast<CloseReason>(number)) == text) {
            return static_cast<CloseReason>(number);
        }
    }
    return CloseReason::reset; // a later version has reasons of its own
}

bool read_windows(std::string_view body, std::vector<SavedWindow>& windows) {
    BodyReader in(body);
    while (!in.empty()) {
        const std::uint32_t chunk = in.u32();
        const std::uint32_t from = in.u32();
        windows.push_back({chunk, from, in.u32()});
    }
    return whole(in);
}

bool read_decoder(std::string_view body, DecoderSaved& decoder) {
    BodyReader in(body);
    decoder.framing = enumerator<Framing>(in.u8());
    decoder.http = in.u8();
    const std::uint8_t bits = in.u8();
    decoder.first_line = bit(bits, 0);
    decoder.skipping_line = bit(bits, 1);
    decoder.after_flush = bit(bits, 2);
    decoder.dead = bit(bits, 3);
    decoder.scanned = in.u32();
    decoder.skip = in.u32();
    return whole(in);
}

bool read_patience(std::string_view body, SavedPatience& patience) {
    BodyReader in(body);
    patience.partial_ms = in.u32();
    patience.soft_ms = in.u32();
    patience.silent_ms = in.u32();
    patience.leaving_ms = in.u32();
    patience.lingering_ms = in.u32();
    const std::uint32_t flush_in_ms = in.u32();
    if (flush_in_ms != 0) {
        patience.flush_in_ms = flush_in_ms - 1;
    }
    return whole(in);
}

bool read_replay(std::string_view body, SavedReplay& replay) {
    BodyReader in(body);
    replay.room = in.u32();
    replay.next = in.u64();
    replay.end = in.u64();
    replay.first = in.u64();
    replay.join = in.u8() != 0;
    return whole(in);
}

bool read_rooms(std::string_view body, std::vector<std::uint32_t>& rooms) {
    BodyReader in(body);
    while (!in.empty()) {
        rooms.push_back(in.u32());
    }
    return whole(in);
}

bool read_member(std::string_view body, SavedMember& member) {
    member.format = Format::human; // number 0, which is not written
    member.ack = false;
    bool good = true;
    RecordReader in(body);
    while (good && in.next()) {
        switch (in.tag()) {
        case Tag::member_nick:
            member.nick = in.body();
            break;
        case Tag::member_format:
            member.format = enumerator<Format>(in.number());
            break;
        case Tag::member_flags: {
            const std::uint64_t bits = in.number();
            member.single_script = bit(bits, 0);
            member.echo = bit(bits, 1);
            member.ack = bit(bits, 2);
            member.traces = bit(bits, 3);
            break;
        }
        case Tag::member_rooms:
            good = read_rooms(in.body(), member.rooms);
            break;
        case Tag::member_replay:
            good = read_replay(in.body(), member.replay.emplace());
            break;
        case Tag::member_owner:
            member.owner = in.number();
            break;
        case Tag::member_ignored:
            member.ignored.push_back(in.body());
            break;
        case Tag::member_list:
            member.list = in.body();
            break;
        case Tag::member_list_room:
            member.list_room = in.body();
            break;
        default: // of a later version
            break;
        }
    }
    return good && !in.failed();
}

void read_flags(std::uint64_t bits, SavedSession& session) {
    session.strangers = bit(bits, 0);
    session.limited = bit(bits, 1);
    session.begun = bit(bits, 2);
    session.heard = bit(bits, 3);
    session.ending = bit(bits, 4);
    session.stream.input_ended = bit(bits, 5);
    session.stream.write_failed = bit(bits, 6);
    session.stream.peer_finished = bit(bits, 7);
}

// What is a number or a text of its own.
void read_value(RecordReader& in, SavedSession& session) {
    switch (in.tag()) {
    case Tag::session_cookie:
        session.cookie = in.number();
        break;
    case Tag::session_uri:
        session.uri = in.body();
        break;
    case Tag::session_flags:
        read_flags(in.number(), session);
        break;
    case Tag::session_reason:
        session.reason = reason_of(in.body());
        break;
    case Tag::session_last_format:
        session.last_format = enumerator<Format>(in.number());
        break;
    case Tag::session_phase:
        session.stream.phase = enumerator<StreamPhase>(in.number());
        break;
    case Tag::session_input:
        session.stream.input = in.body();
        break;
    case Tag::session_telnet: {
        const std::uint64_t telnet = in.number();
        session.decoder.answered = static_cast<std::uint8_t>(telnet & 0xFFU);
        session.decoder.telnet = bit(telnet, 8);
        session.decoder.subnegotiation = bit(telnet, 9);
        break;
    }
    case Tag::session_quiet_ms: // behind session_patience
        if (session.patience) {
            session.patience->quiet_ms = narrow(in.number());
        }
        break;
    case Tag::session_blocked_ms:
        session.stream.blocked =
            std::chrono::milliseconds(narrow(std::max<std::uint64_t>(in.number(), 1) - 1));
        break;
    case Tag::session_parked:
        session.parked = in.body();
        break;
    default: // of a later version
        break;
    }
}

} // namespace

bool read_rates(std::string_view body, Rates::Saved& rates) {
    BodyReader in(body);
    for (BucketSaved& bucket : rates) {
        bucket.spent = static_cast<double>(in.u64()) / millionths;
        bucket.age_ms = in.u64();
    }
    return whole(in);
}

bool read_session(std::string_view body, SavedSession& session) {
    session.last_format = Format::human; // number 0, which is not written
    bool good = true;
    RecordReader in(body);
    while (good && in.next()) {
        switch (in.tag()) {
        case Tag::session_output:
            good = read_windows(in.body(), session.output);
            break;
        case Tag::session_decoder:
            good = read_decoder(in.body(), session.decoder);
            break;
        case Tag::session_patience:
            good = read_patience(in.body(), session.patience.emplace());
            break;
        case Tag::session_member:
            good = read_member(in.body(), session.member.emplace());
            break;
        case Tag::session_source:
            good = read_key(in.body(), session.source);
            break;
        case Tag::session_rates:
            good = read_rates(in.body(), session.rates);
            break;
        default:
            read_value(in, session);
            break;
        }
    }
    return good && !in.failed();
}

} // namespace roomd
