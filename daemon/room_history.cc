#include "daemon/room_history.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace roomd {

namespace {

constexpr std::uint32_t block_bytes_min = 1024;
constexpr std::uint32_t block_bytes_max = 32 * 1024;

// A hundred histories are more than a cache holds. Stores that miss it pile up until the processor
// stands still, so the lines that the room's next messages will fill are asked for beforehand.
constexpr std::uint32_t ahead_bytes = 256;
constexpr std::uint32_t line_bytes = 64;

// What stands before the nick and the text of each message.
struct Header {
    std::uint64_t time_ms;
    std::uint32_t text_size;
    std::uint16_t nick_size;
    bool action;
    bool harmless;
};

std::uint32_t size_of(const HistoryEntry& entry) {
    return static_cast<std::uint32_t>(sizeof(Header) + entry.nick.size() + entry.text.size());
}

} // namespace

void RoomHistory::add(const HistoryEntry& entry) {
    const std::uint32_t size = size_of(entry);
    if (limits_.messages_max == 0 || size > limits_.bytes_max) {
        blocks_.clear(); // nothing older may be kept without this one: ids are dense
        spare_ = {};
        bytes_ = 0;
        bytes_held_ = 0;
        first_ = ++next_;
        return;
    }
    Block& block = block_with_room(size);
    block.offsets.push_back(block.size);
    const Header header{entry.time_ms, static_cast<std::uint32_t>(entry.text.size()),
                        static_cast<std::uint16_t>(entry.nick.size()), entry.action,
                        entry.harmless};
    char* to = block.bytes.get() + block.size;
    std::memcpy(to, &header, sizeof header);
    to += sizeof header;
    std::memcpy(to, entry.nick.data(), entry.nick.size());
    to += entry.nick.size();
    std::memcpy(to, entry.text.data(), entry.text.size());
    block.size += size;
    if (block.capacity - block.size > ahead_bytes + line_bytes) {
        const char* const ahead = block.bytes.get() + block.size + ahead_bytes;
        __builtin_prefetch(ahead, 1);
        __builtin_prefetch(ahead + line_bytes, 1);
    }
    bytes_ += size;
    ++next_;
    evict_over_limits();
}

HistoryEntry RoomHistory::at(std::uint64_t id) const {
    assert(id >= first_ && id < next_);
    const Block& block = block_of(id);
    const char* from =
        block.bytes.get() + block.offsets[static_cast<std::size_t>(id - block.first_id)];
    Header header{};
    std::memcpy(&header, from, sizeof header);
    from += sizeof header;
    return {id,
            header.time_ms,
            {from, header.nick_size},
            {from + header.nick_size, header.text_size},
            header.action,
            header.harmless};
}

void RoomHistory::set_limits(HistoryLimits limits) {
    limits_ = limits;
    evict_over_limits();
}

bool RoomHistory::evict_block() {
    if (blocks_.empty()) {
        return false;
    }
    const std::size_t blocks = blocks_.size();
    while (blocks_.size() == blocks) {
        evict_first();
    }
    bytes_held_ -= spare_.capacity;
    spare_ = {};
    return true;
}

RoomHistory::Block& RoomHistory::block_with_room(std::uint32_t bytes) {
    if (blocks_.empty() || blocks_.back().capacity - blocks_.back().size < bytes) {
        const std::uint32_t grown = blocks_.empty() ? block_bytes_min
                                                    : std::clamp(blocks_.back().capacity * 2,
                                                                 block_bytes_min, block_bytes_max);
        const std::uint32_t capacity = std::max(grown, bytes);
        if (spare_.capacity == capacity) {
            spare_.offsets.clear();
            spare_.first_id = next_;
            spare_.size = 0;
            blocks_.push_back(std::exchange(spare_, {}));
        } else {
            blocks_.push_back(
                {next_, {}, std::make_unique_for_overwrite<char[]>(capacity), capacity, 0});
            bytes_held_ += capacity;
        }
    }
    return blocks_.back();
}

void RoomHistory::evict_over_limits() {
    while (next_ - first_ > limits_.messages_max || bytes_ > limits_.bytes_max) {
        evict_first();
    }
}

void RoomHistory::evict_first() {
    Block& oldest = blocks_.front();
    const auto index = static_cast<std::size_t>(first_ - oldest.first_id);
    const bool last = index + 1 == oldest.offsets.size();
    bytes_ -= (last ? oldest.size : oldest.offsets[index + 1]) - oldest.offsets[index];
    ++first_;
    if (last) {
        if (oldest.capacity == block_bytes_max) {
            std::swap(spare_, oldest); // a room that goes on talking needs one like it soon
        }
        bytes_held_ -= oldest.capacity;
        blocks_.pop_front();
    }
}

const RoomHistory::Block& RoomHistory::block_of(std::uint64_t id) const {
    const auto behind = std::upper_bound(
        blocks_.begin(), blocks_.end(), id,
        [](std::uint64_t wanted, const Block& block) { return wanted < block.first_id; });
    return *std::prev(behind);
}

void RoomHistory::check() const {
    assert(first_ <= next_);
    std::uint64_t held = 0;
    for (std::size_t index = 0; index < blocks_.size(); ++index) {
        const Block& block = blocks_[index];
        assert(block.size <= block.capacity);
        const std::uint64_t end = block.first_id + block.offsets.size();
        assert(end == (index + 1 < blocks_.size() ? blocks_[index + 1].first_id : next_));
        held += block.capacity;
    }
    assert(blocks_.empty() ? first_ == next_ : blocks_.front().first_id <= first_);
    assert(held + spare_.capacity == bytes_held_);
}

} // namespace roomd
