#include "reactor/ring_buffer.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace roomd {

namespace {

constexpr std::size_t blocks_kept_max = 8;

// Up to so much is carried into a borrowed block at each read: a drip-fed peer costs at most this
// copy a read, a busy one gets a whole block for the price of a partial message.
constexpr std::uint32_t carry_bytes_max = 1024;

// Beyond this it gets a block at once: what has filled so much (a stream's first read) has more.
constexpr std::uint32_t doubled_bytes_max = 4096;

std::unique_ptr<std::byte[]> allocate(std::uint32_t bytes) {
    return std::make_unique_for_overwrite<std::byte[]>(bytes);
}

} // namespace

std::unique_ptr<std::byte[]> BlockPool::take() {
    if (free_.empty()) {
        return allocate(block_bytes);
    }
    std::unique_ptr<std::byte[]> block = std::move(free_.back());
    free_.pop_back();
    return block;
}

void BlockPool::give(std::unique_ptr<std::byte[]> block) {
    if (free_.size() < blocks_kept_max) {
        free_.push_back(std::move(block));
    }
}

void RingBuffer::make_room(BlockPool& pool) {
    if (capacity_ < BlockPool::block_bytes && size_ <= carry_bytes_max) {
        move_to(pool.take(), BlockPool::block_bytes, pool);
    } else if (size_ == capacity_) {
        std::uint32_t doubled = std::max(capacity_ * 2, capacity_min);
        assert(doubled > capacity_);
        if (doubled > doubled_bytes_max) {
            doubled = std::max(doubled, BlockPool::block_bytes);
        }
        move_to(doubled == BlockPool::block_bytes ? pool.take() : allocate(doubled), doubled, pool);
    } else if (head_ > 0 && size_ <= carry_bytes_max && head_ + size_ <= capacity_) {
        // Half a message behind many whole ones goes to the front: so the next read is one piece,
        // and the seam, which costs turning the whole ring, is not met.
        std::memmove(memory_.get(), memory_.get() + head_, size_);
        head_ = 0;
    }
}

std::array<iovec, 2> RingBuffer::writable() {
    const std::uint32_t free = capacity_ - size_;
    const std::uint32_t tail = capacity_ == 0 ? 0 : (head_ + size_) & (capacity_ - 1);
    const std::uint32_t first = std::min(free, capacity_ - tail);
    return {iovec{memory_.get() + tail, first}, iovec{memory_.get(), free - first}};
}

void RingBuffer::commit(std::size_t bytes) {
    assert(bytes <= capacity_ - size_);
    size_ += static_cast<std::uint32_t>(bytes);
}

std::string_view RingBuffer::readable() {
    if (head_ + size_ > capacity_) {
        // Left rotation brings the oldest byte to the front; the free space needs no care.
        std::rotate(memory_.get(), memory_.get() + head_, memory_.get() + capacity_);
        head_ = 0;
    }
    return {reinterpret_cast<const char*>(memory_.get()) + head_, size_}; // NOLINT: bytes as text
}

void RingBuffer::consume(std::size_t bytes) {
    assert(bytes <= size_);
    size_ -= static_cast<std::uint32_t>(bytes);
    head_ = size_ == 0 ? 0 : (head_ + static_cast<std::uint32_t>(bytes)) & (capacity_ - 1);
}

void RingBuffer::cut(std::size_t at, std::size_t bytes) {
    assert(at + bytes <= size_);
    if (at > 0) {
        static_cast<void>(readable()); // in one piece
        std::memmove(memory_.get() + head_ + bytes, memory_.get() + head_, at);
    }
    consume(bytes);
}

void RingBuffer::settle(BlockPool& pool) {
    if (size_ == 0) {
        release(pool);
        return;
    }
    // Not at each power of two, or a peer that hovers around one would be copied to and fro.
    const std::uint32_t fitting = std::bit_ceil(size_);
    if (capacity_ > std::max(fitting * 2, capacity_min)) {
        const std::uint32_t capacity = std::max(fitting, capacity_min);
        move_to(allocate(capacity), capacity, pool);
    }
}

void RingBuffer::clear(BlockPool& pool) {
    size_ = 0;
    head_ = 0;
    release(pool);
}

void RingBuffer::move_to(std::unique_ptr<std::byte[]> memory, std::uint32_t capacity,
                         BlockPool& pool) {
    assert(std::has_single_bit(capacity));
    assert(size_ <= capacity);
    copy_out(memory.get());
    release(pool);
    memory_ = std::move(memory);
    capacity_ = capacity;
    head_ = 0;
    pool.ring_bytes_ += capacity;
}

void RingBuffer::release(BlockPool& pool) {
    assert(pool.ring_bytes_ >= capacity_);
    pool.ring_bytes_ -= capacity_;
    if (capacity_ == BlockPool::block_bytes) {
        pool.give(std::move(memory_));
    }
    memory_.reset();
    capacity_ = 0;
    head_ = 0;
}

void RingBuffer::copy_out(std::byte* to) const {
    if (size_ == 0) {
        return;
    }
    const std::uint32_t first = std::min(size_, capacity_ - head_);
    std::memcpy(to, memory_.get() + head_, first);
    std::memcpy(to + first, memory_.get(), size_ - first);
}

void RingBuffer::check() const {
    assert(capacity_ == 0 || std::has_single_bit(capacity_));
    assert(size_ <= capacity_);
    assert(head_ < std::max(capacity_, 1U));
    assert((memory_ == nullptr) == (capacity_ == 0));
}

} // namespace roomd
