// OutQueue — what waits to be written to one peer, in order: windows of chunks, never copies of
// shared bytes.
//
// Owned by one Stream. Knows units and sequences, but not what they mean; never talks to the
// kernel.
//
// Invariants (check() asserts them):
//   * bytes() is the sum of the windows; own_bytes() the part that answers this peer
//   * a window that continues the last one is merged with it: a steady feed is one entry
//   * only whole units of shared chunks are dropped; a unit whose first byte was sent is never
//     dropped
//   * a notice stands exactly where the units were that it tells of, and holds no bytes until it
//     is reached
//   * empty: owns no memory; up to one entry: none on the heap
#pragma once

#include "reactor/arena.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <sys/uio.h>

namespace roomd {

/// Units that went.
struct Dropped {
    std::uint64_t messages = 0; // those with a number
    std::uint64_t state = 0;    // those without

    [[nodiscard]] bool any() const { return messages + state > 0; }
};

class OutQueue {
public:
    OutQueue() = default;

    ~OutQueue() { clear(); }

    OutQueue(OutQueue&& other) noexcept;
    OutQueue& operator=(OutQueue&& other) noexcept;
    OutQueue(const OutQueue&) = delete;
    OutQueue& operator=(const OutQueue&) = delete;

    /// Copies `bytes` behind what waits. Amortised O(bytes).
    void append(Arena& arena, std::string_view bytes) { append_as(ChunkKind::own, arena, bytes); }

    /// The same for what others have sent to this peer alone: not part of own_bytes().
    void append_direct(Arena& arena, std::string_view bytes) {
        append_as(ChunkKind::direct, arena, bytes);
    }

    /// Adds the window [from, to) of a shared chunk; no copy. Both ends must be borders. O(1).
    void push(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to);

    /// The next pieces to write, at most `bytes_max` of them; stops before a notice. Valid until
    /// the next non-const call. Returns how many pieces.
    [[nodiscard]] std::size_t gather(std::span<iovec> pieces, std::size_t bytes_max) const;

    /// The kernel took `bytes`.
    void consume(std::size_t bytes);

    /// Drops the oldest unsent units until at most `bytes_left` (of everything) wait, or nothing
    /// can be dropped, and leaves notices in their place. O(entries + units dropped).
    Dropped drop_oldest(Arena& arena, std::uint32_t bytes_left);

    /// What was lost just before the next byte; nullptr when the head is no notice. Valid until
    /// the next non-const call.
    [[nodiscard]] const std::vector<Lost>* notice() const;
    /// Puts `bytes` (its words for the loss) in the head notice's place.
    void resolve_notice(Arena& arena, std::string_view bytes);

    /// Everything goes, notices too.
    void clear();

    /// Calls visit(const ChunkRef&, from, to) for every window, head first; from == to: a notice.
    template <typename Visit>
    void for_each(Visit&& visit) const {
        for (std::size_t index = 0; index < count_; ++index) {
            const Entry& entry = at(index);
            visit(entry.chunk, entry.from, entry.to);
        }
    }

    /// A window as for_each() showed it in another process: nothing is merged, and what is before
    /// `from` may be half a unit that has been sent. O(1).
    void restore(ChunkRef chunk, std::uint32_t from, std::uint32_t to);

    [[nodiscard]] bool empty() const { return count_ == 0; }

    [[nodiscard]] std::uint32_t bytes() const { return bytes_; }

    [[nodiscard]] std::uint32_t own_bytes() const { return own_bytes_; }

    [[nodiscard]] std::uint32_t entries() const { return count_; }

    /// What its list of entries takes on the heap; the chunks are the arena's to count. The sum of
    /// all queues is Arena::queue_list_bytes().
    [[nodiscard]] std::uint64_t memory_bytes() const { return bytes_of(rest_.get()); }

    void check() const;

private:
    struct Entry {
        ChunkRef chunk;
        std::uint32_t from;
        std::uint32_t to;

        [[nodiscard]] std::uint32_t size() const { return to - from; }
    };

    struct Rest {
        std::vector<Entry> entries;
        std::size_t head = 0;
    };
    class Rebuild;

    void append_as(ChunkKind kind, Arena& arena, std::string_view bytes);
    [[nodiscard]] Entry& last();
    [[nodiscard]] const Entry& at(std::size_t index) const;

    [[nodiscard]] static std::uint64_t bytes_of(const Rest* rest) {
        return rest == nullptr ? 0 : sizeof(Rest) + rest->entries.capacity() * sizeof(Entry);
    }

    void push_entry(Entry entry);
    void pop_entry();
    void free_rest(Arena& arena);

    Entry first_{{}, 0, 0};      // the head, in place: most queues never hold more
    std::unique_ptr<Rest> rest_; // the others
    std::uint32_t count_ = 0;
    std::uint32_t bytes_ = 0;
    std::uint32_t own_bytes_ = 0;
};

} // namespace roomd
