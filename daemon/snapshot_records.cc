#include "daemon/snapshot_records.h"

#include <cassert>

namespace roomd {

namespace {

constexpr std::size_t record_header_bytes = 2 + 4;
constexpr std::size_t outlet_bytes = 64 * std::size_t{1024};

void put(char* to, std::uint64_t value, std::size_t size) {
    for (std::size_t index = 0; index < size; ++index) {
        to[index] = static_cast<char>(value >> (8U * index));
    }
}

std::uint64_t get(const char* from, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t index = 0; index < size; ++index) {
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[index]))
                 << (8U * index);
    }
    return value;
}

} // namespace

void RecordWriter::integer(std::uint64_t value, std::size_t size) {
    char digits[8]; // NOLINT: filled below
    put(digits, value, size);
    out_->append(digits, size);
}

void RecordWriter::begin(Tag tag) {
    u16(static_cast<std::uint16_t>(tag));
    open_.push_back(out_->size());
    u32(0);
}

void RecordWriter::end() {
    const std::size_t place = open_.back();
    open_.pop_back();
    const std::size_t size = out_->size() - place - 4;
    assert(size <= UINT32_MAX); // the largest is a connection, some queues long
    put(out_->data() + place, size, 4);
    if (open_.empty() && outlet_ && out_->size() >= outlet_bytes) {
        outlet_(*out_);
    }
}

std::uint64_t BodyReader::integer(std::size_t size) {
    if (rest_.size() < size) {
        failed_ = true;
        rest_ = {};
        return 0;
    }
    const std::uint64_t value = get(rest_.data(), size);
    rest_.remove_prefix(size);
    return value;
}

std::string_view BodyReader::bytes(std::size_t size) {
    if (rest_.size() < size) {
        failed_ = true;
        rest_ = {};
        return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
}

bool RecordReader::next() {
    if (failed_ || body_.empty()) {
        return false;
    }
    if (body_.size() < record_header_bytes) {
        failed_ = true;
        return false;
    }
    tag_ = static_cast<Tag>(get(body_.data(), 2));
    const std::uint64_t size = get(body_.data() + 2, 4);
    body_.remove_prefix(record_header_bytes);
    if (body_.size() < size) {
        failed_ = true;
        return false;
    }
    record_ = body_.substr(0, size);
    body_.remove_prefix(size);
    return true;
}

std::uint64_t RecordReader::number() {
    BodyReader body(record_);
    const std::uint64_t value = body.u64();
    failed_ = failed_ || body.failed() || !body.empty();
    return value;
}

} // namespace roomd
