// snapshot_records — the records of a snapshot: tags, and how they are written and read.
//
// Internal to snapshot_encode*.cc and snapshot_decode*.cc. A tag's meaning never changes; what is
// no longer written keeps its number for ever. A number that is zero and a text that is empty are
// not written: zero is what a reader takes for a missing one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

/// Of the header. Nothing that begins like this is read as anything else.
inline constexpr std::string_view snapshot_magic{"roomd\n\0s", 8};
inline constexpr std::size_t snapshot_header_bytes = 8 + 4 + 4 + 8 + 8;

/// One space of numbers for all records, so that none is taken for another.
enum class Tag : std::uint16_t {
    // the whole
    made_by = 1,
    last_epoch = 2,
    guests = 3,
    label = 4,
    chunk = 5,
    room = 6,
    session = 7,
    listener = 8,
    source = 9,
    counters = 10, // since version 2
    traffic = 11,  // since version 2: u64 bytes read, bytes written, read calls, write calls
    frozen_us = 12,
    lockdown = 13,
    // chunk
    chunk_kind = 20,
    chunk_label = 21,
    chunk_bytes = 22,
    chunk_marks = 23,      // (u32 end, u64 number) ...
    chunk_lost = 24,       // (u32 label, u64 first, u64 last, u64 count) ...
    chunk_state_lost = 25, // (u32 label, u64 state) ...
    chunk_direct = 26,     // 1: from another member, and chunk_kind says `own`
    // room
    room_name = 40,
    room_epoch = 41,
    room_topic = 42,
    room_next_id = 43,
    room_said = 44, // u64 time_ms, u8 action, u16 nick size, nick, text; one record each
    room_empty_ms = 45,
    room_crowd_joined = 46,
    room_crowd_left = 47,
    room_owner = 48,
    // session
    session_cookie = 60,
    session_uri = 61,
    session_flags = 62,
    session_reason = 63, // the word
    session_last_format = 64,
    session_phase = 65,
    session_input = 66,
    session_blocked_ms = 67, // one more than it is: 0 is none
    session_output = 68,     // (u32 chunk, u32 from, u32 to) ...
    session_decoder = 69,    // u8 framing, u8 http, u8 flags, u32 scanned, u32 skip
    session_patience = 70,   // five u32, u32 flush_in_ms + 1
    session_member = 71,
    session_source = 72, // u64 high, u64 low
    session_rates = 73,  // (u64 millionths spent, u64 age_ms) ...
    session_parked = 74,
    session_telnet = 80, // refusals, + 256: has sent a command, + 512: inside a subnegotiation
    session_quiet_ms = 81,
    // member
    member_nick = 90,
    member_format = 91,
    member_flags = 92,
    member_rooms = 93,  // u32 ...
    member_replay = 94, // u32 room, u64 next, u64 end, u64 first, u8 join
    member_owner = 95,
    member_ignored = 96, // a folded nick; one record each
    member_list = 97,    // the verb
    member_list_room = 98,
    // listener
    listener_uri = 110,
    listener_address = 111,
    listener_flags = 112,
    listener_name = 113,
    // source
    source_key = 120, // u64 high, u64 low
    source_recent = 121,
    source_age_ms = 122,
    source_rates = 123, // (u64 millionths spent, u64 age_ms) ...
    // counters
    counters_total = 130, // u64, name
    counters_limit = 131, // u64 hits, name
    counters_close = 132, // u64, the reason's word
};

class RecordWriter {
public:
    /// Takes what is in `out` away; called where no record is open and there is a good deal.
    using Outlet = std::function<void(std::string& out)>;

    explicit RecordWriter(std::string& out, Outlet outlet = {})
        : out_(&out), outlet_(std::move(outlet)) {}

    void number(Tag tag, std::uint64_t value) {
        if (value != 0) {
            begin(tag);
            u64(value);
            end();
        }
    }

    void text(Tag tag, std::string_view value) {
        if (!value.empty()) {
            begin(tag);
            bytes(value);
            end();
        }
    }

    /// A record whose body is written until end(); may hold records.
    void begin(Tag tag);
    void end();

    // The body of a record that holds no records.
    void u8(std::uint8_t value) { out_->push_back(static_cast<char>(value)); }

    void u16(std::uint16_t value) { integer(value, 2); }

    void u32(std::uint32_t value) { integer(value, 4); }

    void u64(std::uint64_t value) { integer(value, 8); }

    void bytes(std::string_view value) { out_->append(value); }

private:
    void integer(std::uint64_t value, std::size_t size);

    std::string* out_;
    Outlet outlet_;
    std::vector<std::size_t> open_; // where the sizes of the records stand that have not ended
};

/// Reads a record's body. After a read beyond its end every value is zero and failed() true.
class BodyReader {
public:
    explicit BodyReader(std::string_view body) : rest_(body) {}

    [[nodiscard]] std::uint8_t u8() { return static_cast<std::uint8_t>(integer(1)); }

    [[nodiscard]] std::uint16_t u16() { return static_cast<std::uint16_t>(integer(2)); }

    [[nodiscard]] std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }

    [[nodiscard]] std::uint64_t u64() { return integer(8); }

    [[nodiscard]] std::string_view bytes(std::size_t size);

    [[nodiscard]] std::string_view rest() const { return rest_; }

    [[nodiscard]] bool empty() const { return rest_.empty(); }

    [[nodiscard]] bool failed() const { return failed_; }

private:
    [[nodiscard]] std::uint64_t integer(std::size_t size);

    std::string_view rest_;
    bool failed_ = false;
};

/// Walks the records of a body.
class RecordReader {
public:
    explicit RecordReader(std::string_view body) : body_(body) {}

    /// False at the end, or where what follows is no record: then failed().
    [[nodiscard]] bool next();

    [[nodiscard]] Tag tag() const { return tag_; }

    [[nodiscard]] std::string_view body() const { return record_; }

    /// The body as one number of eight bytes.
    [[nodiscard]] std::uint64_t number();

    [[nodiscard]] bool failed() const { return failed_; }

private:
    std::string_view body_;
    std::string_view record_;
    Tag tag_{};
    bool failed_ = false;
};

} // namespace roomd
