// RoomHistory — the last messages of one room, by id.
//
// Owned by its Room. Ids are dense: first() .. next() - 1 are held, next() will be given to the
// message after. Bytes are kept in blocks that many messages share, so adding one allocates
// nothing most of the time; a block goes when its last message has been evicted. Knows no dialect,
// no clock.
//
// Invariants (check()): first() <= next(); blocks cover first() .. next() - 1 without a hole; at
// most messages_max messages and bytes_max bytes of them (the newest is always held, if limits
// allow any).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace roomd {

struct HistoryLimits {
    std::uint32_t messages_max;
    std::uint32_t bytes_max;
};

/// Views into the history: valid until the next add().
struct HistoryEntry {
    std::uint64_t id;
    std::uint64_t time_ms;
    std::string_view nick;
    std::string_view text;
    bool action;
    bool harmless;
};

class RoomHistory {
public:
    explicit RoomHistory(HistoryLimits limits) : limits_(limits) {}

    /// Gives the entry the id next(). Evicts what is over the limits. `entry.id` is ignored.
    void add(const HistoryEntry& entry);

    /// While nothing has been added: the first will be `first`, because another process has had
    /// those before.
    void begin_at(std::uint64_t first) { first_ = next_ = first; }

    /// `id` must be held.
    [[nodiscard]] HistoryEntry at(std::uint64_t id) const;

    [[nodiscard]] std::uint64_t first() const { return first_; }

    [[nodiscard]] std::uint64_t next() const { return next_; }

    /// Memory of the blocks, and of the one kept in reserve.
    [[nodiscard]] std::uint64_t bytes_held() const { return bytes_held_; }

    void set_limits(HistoryLimits limits);
    /// Evicts the oldest block's messages and frees the reserve; false when there is nothing to
    /// evict.
    bool evict_block();
    void check() const;

private:
    struct Block {
        std::uint64_t first_id = 0;
        std::vector<std::uint32_t> offsets = {};
        std::unique_ptr<char[]> bytes = {};
        std::uint32_t capacity = 0;
        std::uint32_t size = 0;
    };

    [[nodiscard]] Block& block_with_room(std::uint32_t bytes);
    void evict_over_limits();
    void evict_first();
    [[nodiscard]] const Block& block_of(std::uint64_t id) const;

    HistoryLimits limits_;
    std::deque<Block> blocks_;
    Block spare_; // the last full block that was evicted, or none
    std::uint64_t first_ = 1;
    std::uint64_t next_ = 1;
    std::uint64_t bytes_ = 0;      // of the messages held
    std::uint64_t bytes_held_ = 0; // of the blocks
};

} // namespace roomd
