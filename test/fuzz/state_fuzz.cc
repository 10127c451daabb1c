// Any bytes as the body of a state, under a header that fits: what decodes is what a server can go
// on from, with sockets that are there, and what that server would leave to the next decodes too.
//
// A record's size stands before each record, and records lie in records: bytes changed anywhere
// rarely leave a state. So the mutator changes the records and writes their sizes itself.
#include "daemon/sip_hash.h"
#include "daemon/snapshot_format.h"
#include "daemon/snapshot_records.h"
#include "test/daemon/second_life.h"
#include "test/fuzz/check.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace roomd;

// Of libFuzzer. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

constexpr std::size_t sessions_max = 32; // more are only slower

struct Record {
    Tag tag;
    std::string body;
};

using Records = std::vector<Record>;

constexpr std::array nests{Tag::chunk,  Tag::room,     Tag::session, Tag::session_member,
                           Tag::source, Tag::listener, Tag::counters};

/// As far as they go: what follows the last one is left out.
Records records_of(std::string_view body) {
    Records records;
    for (RecordReader in(body); in.next();) {
        records.push_back({in.tag(), std::string(in.body())});
    }
    return records;
}

std::string bytes_of(const Records& records) {
    std::string bytes;
    RecordWriter out(bytes);
    for (const Record& record : records) {
        out.begin(record.tag);
        out.bytes(record.body);
        out.end();
    }
    return bytes;
}

void mutate_bytes(std::string& bytes, std::size_t size_max) {
    const std::size_t size = bytes.size();
    bytes.resize(std::max(size, size_max));
    void* const data = bytes.data();
    bytes.resize(LLVMFuzzerMutate(static_cast<std::uint8_t*>(data), size, bytes.size()));
}

/// One record, somewhere: changed, gone, doubled, under another tag, or in another place.
/// NOLINTNEXTLINE(misc-no-recursion): no deeper than records lie in records
void mutate(Records& records, std::size_t room, std::minstd_rand& random) {
    if (records.empty()) {
        records.push_back({static_cast<Tag>(random() % 140), {}});
    }
    const std::size_t place = random() % records.size();
    Record& record = records[place];
    const bool nest = std::ranges::find(nests, record.tag) != nests.end();
    if (nest && random() % 8 != 0) {
        Records inner = records_of(record.body);
        mutate(inner, room, random);
        record.body = bytes_of(inner);
        return;
    }
    switch (random() % 8) {
    case 0:
        records.erase(records.begin() + static_cast<std::ptrdiff_t>(place));
        break;
    case 1:
        records.push_back(Record(record));
        break;
    case 2:
        record.tag = static_cast<Tag>(random() % 140);
        break;
    case 3:
        std::swap(record, records[random() % records.size()]);
        break;
    default:
        mutate_bytes(record.body, record.body.size() + room);
        break;
    }
}

std::size_t put(const Records& records, std::uint8_t* data, std::size_t size_max) {
    const std::string bytes = bytes_of(records).substr(0, size_max);
    std::ranges::copy(bytes, data);
    return bytes.size();
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
    std::minstd_rand random(seed);
    Records records = records_of(fuzz::Input(data, size).rest());
    mutate(records, size_max - std::min(size, size_max), random);
    return put(records, data, size_max);
}

/// Some records of the one and some of the other.
// NOLINTNEXTLINE(readability-identifier-naming,readability-function-size)
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t one_size,
                                                 const std::uint8_t* other, std::size_t other_size,
                                                 std::uint8_t* out, std::size_t out_size_max,
                                                 unsigned seed) {
    std::minstd_rand random(seed);
    Records records = records_of(fuzz::Input(one, one_size).rest());
    for (Record& record : records_of(fuzz::Input(other, other_size).rest())) {
        if (random() % 2 == 0) {
            const std::size_t place = random() % (records.size() + 1);
            records.insert(records.begin() + static_cast<std::ptrdiff_t>(place), std::move(record));
        }
    }
    return put(records, out, out_size_max);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Log log(LogFormat::text, LogLevel::error, 0);
    const std::string_view body = fuzz::Input(data, size).rest();
    std::string bytes(snapshot_magic);
    RecordWriter header(bytes);
    const std::uint32_t version = snapshot_version();
    const std::uint32_t readable_from = snapshot_readable_from();
    header.u32(version);
    header.u32(readable_from);
    header.u64(body.size());
    header.u64(sip_hash({version, readable_from}, body));
    bytes += body;
    std::string error;
    std::optional<Snapshot> snapshot = decode_snapshot(bytes, error);
    fuzz::check(snapshot.has_value() == error.empty());
    if (!snapshot || snapshot->sessions.size() > sessions_max) {
        return 0;
    }
    // What it writes again is read again, and says the same.
    const std::string again = encode_snapshot(*snapshot);
    const std::optional<Snapshot> second = decode_snapshot(again, error);
    fuzz::check(second.has_value() && encode_snapshot(*second) == again);
    Config config;
    config.limits.rooms_per_member_max = UINT32_MAX; // what is restored is not asked again
    static_cast<void>(test::live_on(*snapshot, config, log));
    return 0;
}
