#include "reactor/ring_buffer.h"

#include "reactor/sys.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace roomd {

namespace {

constexpr std::size_t blocks_kept = 8;
constexpr std::size_t trimmed_max = 256;
constexpr std::uint32_t larger_bytes_max = 2 * BlockPool::block_bytes;
constexpr std::size_t larger_kept_max = 8;

// Up to so much is carried into a borrowed block at each read: a drip-fed peer costs at most this
// copy a read, 60 ns; a busy one gets a whole block for the price of a partial message, and does
// not meet the seam, which costs turning the whole ring. A first read is carried whole.
constexpr std::uint32_t carry_bytes_max = 4096;

} // namespace

RingMemory::RingMemory(std::uint32_t bytes) : size_(bytes) {
    void* const memory = bytes < mapped_from ? ::operator new(bytes) : sys::map_pages(bytes);
    data_ = static_cast<std::byte*>(memory);
}

void RingMemory::reset() noexcept {
    if (size_ < mapped_from) {
        ::operator delete(data_);
    } else {
        sys::unmap_pages(data_, size_);
    }
    data_ = nullptr;
    size_ = 0;
}

RingMemory BlockPool::take(std::uint32_t bytes) {
    if (bytes != block_bytes) {
        const auto found = std::ranges::find(larger_, bytes, &RingMemory::size);
        if (found == larger_.end()) {
            return RingMemory(bytes);
        }
        RingMemory memory = std::move(*found);
        larger_.erase(found);
        return memory;
    }
    if (spare_.empty()) {
        return RingMemory(block_bytes);
    }
    RingMemory block = std::move(spare_.back());
    spare_.pop_back();
    spare_min_ = std::min(spare_min_, spare_.size());
    return block;
}

void BlockPool::give(RingMemory memory) {
    if (memory.size() == block_bytes) {
        spare_.push_back(std::move(memory));
    } else if (memory.size() > block_bytes && memory.size() <= larger_bytes_max &&
               larger_.size() < larger_kept_max) {
        larger_.push_back(std::move(memory));
    }
}

void BlockPool::give_back(std::uint64_t bytes) {
    const std::size_t most = spare_.size() - std::min(spare_.size(), blocks_kept);
    const std::uint64_t blocks = (bytes + block_bytes - 1) / block_bytes;
    spare_.resize(spare_.size() - std::min<std::uint64_t>(blocks, most));
    spare_min_ = std::min(spare_min_, spare_.size());
}

void BlockPool::trim() {
    give_back(std::min(spare_min_, trimmed_max) * block_bytes);
    spare_min_ = spare_.size();
}

void RingBuffer::make_room(BlockPool& pool) {
    const std::uint32_t capacity = memory_.size();
    if (capacity < BlockPool::block_bytes && size_ <= carry_bytes_max) {
        move_to(pool.take(), pool);
    } else if (size_ == capacity) {
        // What has filled more than is carried has more to come.
        const std::uint32_t doubled = std::max(capacity * 2, BlockPool::block_bytes);
        assert(doubled > capacity);
        move_to(pool.take(doubled), pool);
    } else if (head_ > 0 && size_ <= carry_bytes_max && head_ + size_ <= capacity) {
        // Half a message behind many whole ones goes to the front: so the next read is one piece,
        // and the seam, which costs turning the whole ring, is not met.
        std::memmove(memory_.data(), memory_.data() + head_, size_);
        head_ = 0;
    }
}

std::array<iovec, 2> RingBuffer::writable() {
    const std::uint32_t free = memory_.size() - size_;
    const std::uint32_t tail = memory_.size() == 0 ? 0 : (head_ + size_) & (memory_.size() - 1);
    const std::uint32_t first = std::min(free, memory_.size() - tail);
    return {iovec{memory_.data() + tail, first}, iovec{memory_.data(), free - first}};
}

void RingBuffer::commit(std::size_t bytes) {
    assert(bytes <= memory_.size() - size_);
    size_ += static_cast<std::uint32_t>(bytes);
}

std::string_view RingBuffer::readable() {
    if (head_ + size_ > memory_.size()) {
        // Left rotation brings the oldest byte to the front; the free space needs no care.
        std::rotate(memory_.data(), memory_.data() + head_, memory_.data() + memory_.size());
        head_ = 0;
    }
    return {reinterpret_cast<const char*>(memory_.data()) + head_, size_}; // NOLINT: bytes as text
}

void RingBuffer::consume(std::size_t bytes) {
    assert(bytes <= size_);
    size_ -= static_cast<std::uint32_t>(bytes);
    head_ = size_ == 0 ? 0 : (head_ + static_cast<std::uint32_t>(bytes)) & (memory_.size() - 1);
}

void RingBuffer::cut(std::size_t at, std::size_t bytes) {
    assert(at + bytes <= size_);
    if (at > 0) {
        static_cast<void>(readable()); // in one piece
        std::memmove(memory_.data() + head_ + bytes, memory_.data() + head_, at);
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
    if (memory_.size() > std::max(fitting * 2, capacity_min)) {
        const std::uint32_t capacity = std::max(fitting, capacity_min);
        move_to(RingMemory(capacity), pool);
    }
}

void RingBuffer::clear(BlockPool& pool) {
    size_ = 0;
    head_ = 0;
    release(pool);
}

void RingBuffer::move_to(RingMemory memory, BlockPool& pool) {
    assert(std::has_single_bit(memory.size()));
    assert(size_ <= memory.size());
    copy_out(memory.data());
    release(pool);
    memory_ = std::move(memory);
    pool.ring_bytes_ += memory_.size();
}

void RingBuffer::release(BlockPool& pool) {
    assert(pool.ring_bytes_ >= memory_.size());
    pool.ring_bytes_ -= memory_.size();
    pool.give(std::exchange(memory_, {}));
    head_ = 0;
}

void RingBuffer::copy_out(std::byte* to) const {
    if (size_ == 0) {
        return;
    }
    const std::uint32_t first = std::min(size_, memory_.size() - head_);
    std::memcpy(to, memory_.data() + head_, first);
    std::memcpy(to + first, memory_.data(), size_ - first);
}

void RingBuffer::check() const {
    assert(memory_.size() == 0 || std::has_single_bit(memory_.size()));
    assert(size_ <= memory_.size());
    assert(head_ < std::max(memory_.size(), 1U));
    assert((memory_.data() == nullptr) == (memory_.size() == 0));
}

} // namespace roomd
