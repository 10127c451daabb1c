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
#include <memory>
#include <string_view>
#include <vector>

#include <sys/uio.h>

namespace roomd {

/// BlockPool — large blocks that rings borrow for the length of one tick, so that a busy peer is
/// read in big pieces without an allocation and an idle one keeps nothing. Owned by the
/// StreamHost. It also counts what all rings that use it hold, blocks or not.
class BlockPool {
public:
    static constexpr std::uint32_t block_bytes = 64 * 1024;

    /// A block of block_bytes, uninitialised. O(1).
    [[nodiscard]] std::unique_ptr<std::byte[]> take();
    /// Takes a block back; keeps a few, frees the rest.
    void give(std::unique_ptr<std::byte[]> block);

    /// The memory of all rings together: the sum of their capacities.
    [[nodiscard]] std::uint64_t ring_bytes() const { return ring_bytes_; }

private:
    friend class RingBuffer;

    std::vector<std::unique_ptr<std::byte[]>> free_;
    std::uint64_t ring_bytes_ = 0;
};

class RingBuffer {
public:
    static constexpr std::uint32_t capacity_min = 64;

    /// Makes room for at least one byte, in practice for a good read: borrows a block when little
    /// is held, or when more than 2 KiB have filled it; doubles otherwise. Amortised O(1) a byte.
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

    [[nodiscard]] std::size_t capacity() const { return capacity_; }

    void check() const;

private:
    void move_to(std::unique_ptr<std::byte[]> memory, std::uint32_t capacity, BlockPool& pool);
    void release(BlockPool& pool);
    void copy_out(std::byte* to) const;

    std::unique_ptr<std::byte[]> memory_;
    std::uint32_t capacity_ = 0;
    std::uint32_t head_ = 0;
    std::uint32_t size_ = 0;
};

} // namespace roomd
