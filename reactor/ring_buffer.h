// RingBuffer — bytes a peer has sent and nobody has parsed yet.
//
// Owned by one Stream. Never blocks, never logs, never talks to the kernel: Stream lends its
// writable pieces to one read, the parser reads its readable bytes.
//
// Invariants (check() asserts them):
//   * capacity is zero or a power of two; size <= capacity; head < max(capacity, 1)
//   * an empty, settled ring owns no memory: an idle peer costs nothing
//   * a settled ring owns at most four times the bytes it holds (or capacity_min): memory follows
//     the bytes that arrived, never a length that was only announced
//
//      head          tail            readable() rotates only when the bytes straddle the seam;
//   ....[############]......         a seam is met at most once per capacity bytes, so the extra
//   ####]............[######         copy is amortised to at most one per byte received.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/uio.h>

namespace roomd {

/// RingMemory — what a ring keeps its bytes in. Small pieces come from the allocator. A large one
/// is pages of its own, which go back to the system as soon as it is given up: among the pieces of
/// the allocator it would leave a hole that the next small one settles in, and thousands of peers
/// with half a frame each would cost a third more than is counted.
class RingMemory {
public:
    static constexpr std::uint32_t mapped_from = 64 * 1024;

    RingMemory() = default;
    /// `bytes`, uninitialised; whole pages from mapped_from on. Throws std::bad_alloc.
    explicit RingMemory(std::uint32_t bytes);

    ~RingMemory() { reset(); }

    RingMemory(RingMemory&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

    RingMemory& operator=(RingMemory&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }

    RingMemory(const RingMemory&) = delete;
    RingMemory& operator=(const RingMemory&) = delete;

    void reset() noexcept;

    [[nodiscard]] std::byte* data() const { return data_; }

    [[nodiscard]] std::uint32_t size() const { return size_; }

private:
    std::byte* data_ = nullptr;
    std::uint32_t size_ = 0;
};

/// BlockPool — large blocks that rings borrow: a busy peer for the length of one tick, so that it
/// is read in big pieces without an allocation and an idle one keeps nothing; one that has sent
/// half of a large message until the rest is here. Owned by the StreamHost. It also counts what all
/// rings that use it hold, blocks or not.
///
/// Invariant: spare_bytes() is what no ring has and the next may; the sum of both is in memory.
class BlockPool {
public:
    static constexpr std::uint32_t block_bytes = 64 * 1024;
    static_assert(block_bytes >= RingMemory::mapped_from);

    /// A block of block_bytes, uninitialised. O(1).
    [[nodiscard]] RingMemory take() { return take(block_bytes); }

    /// `bytes`, of any size; what is spare if it is of that size. O(1).
    [[nodiscard]] RingMemory take(std::uint32_t bytes);
    /// Takes memory back. It keeps blocks: another costs two calls, sixteen page faults, and where
    /// there are several threads an interrupt of all processors. For the same reason it keeps, up
    /// to a MiB that nobody counts, what is a little larger: the longest frames are a few bytes
    /// more than a block.
    void give(RingMemory memory);

    /// So much of what is spare goes back to the system, but for half a MiB, which each tick needs.
    void give_back(std::uint64_t bytes);
    /// Once a second: what nobody has needed since the last time goes back, at most 16 MiB of it,
    /// so that nobody waits for that (some ms).
    void trim();

    /// The memory of all rings together: the sum of their capacities.
    [[nodiscard]] std::uint64_t ring_bytes() const { return ring_bytes_; }

    [[nodiscard]] std::uint64_t spare_bytes() const { return spare_.size() * block_bytes; }

private:
    friend class RingBuffer;

    std::vector<RingMemory> spare_;
    std::vector<RingMemory> larger_;
    std::size_t spare_min_ = 0; // blocks; the least since the last trim()
    std::uint64_t ring_bytes_ = 0;
};

class RingBuffer {
public:
    static constexpr std::uint32_t capacity_min = 64;

    /// Makes room for at least one byte, in practice for a good read: borrows a block when up to
    /// 4 KiB are held or what it has is full; doubles a full block. Amortised O(1) a byte.
    void make_room(BlockPool& pool);

    /// The free space, in order; the second piece may be empty. Valid until the next non-const
    /// call.
    [[nodiscard]] std::array<iovec, 2> writable();
    /// `bytes` of the writable space were filled.
    void commit(std::size_t bytes);

    /// All bytes held, contiguous. Valid until the next non-const call.
    [[nodiscard]] std::string_view readable();
    /// Forgets the oldest `bytes`.
    void consume(std::size_t bytes);

    /// Forgets `bytes` behind the oldest `at`: these move up to what follows, so what is left is
    /// readable() without a hole. O(at).
    void cut(std::size_t at, std::size_t bytes);

    /// Gives memory back that the bytes held do not need. To be called when parsing pauses.
    void settle(BlockPool& pool);
    /// Forgets everything and gives all memory back.
    void clear(BlockPool& pool);

    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] std::size_t capacity() const { return memory_.size(); }

    void check() const;

private:
    void move_to(RingMemory memory, BlockPool& pool);
    void release(BlockPool& pool);
    void copy_out(std::byte* to) const;

    RingMemory memory_;
    std::uint32_t head_ = 0;
    std::uint32_t size_ = 0;
};

} // namespace roomd
