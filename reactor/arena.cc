#include "reactor/arena.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace roomd {

namespace {

// What is kept for reuse, headers and lists of marks included. More than a busy tick needs is given
// back to the allocator.
constexpr std::uint64_t free_bytes_max = std::uint64_t{1024} * 1024;
// A recycled chunk keeps its list of marks up to this length.
constexpr std::size_t marks_kept_max = 2048;

std::size_t class_of(std::uint32_t capacity) {
    return static_cast<std::size_t>(std::countr_zero(capacity / Arena::chunk_bytes_min));
}

} // namespace

void Chunk::append(std::string_view text) {
    assert(text.size() <= room());
    std::memcpy(bytes() + size_, text.data(), text.size());
    size_ += static_cast<std::uint32_t>(text.size());
}

void Chunk::mark(std::uint32_t source, std::uint64_t number) {
    assert(kind_ == ChunkKind::shared);
    const std::size_t places = marks_.capacity();
    marks_.push_back({size_, source, number});
    arena_->bytes_pinned_ += (marks_.capacity() - places) * sizeof(Mark);
}

std::size_t Chunk::mark_behind(std::uint32_t offset) const {
    const auto found = std::upper_bound(
        marks_.begin(), marks_.end(), offset,
        [](std::uint32_t wanted, const Mark& candidate) { return wanted < candidate.end; });
    return static_cast<std::size_t>(found - marks_.begin());
}

std::uint32_t Chunk::border_at_or_after(std::uint32_t offset) const {
    if (offset == 0) {
        return 0;
    }
    const auto found = std::lower_bound(
        marks_.begin(), marks_.end(), offset,
        [](const Mark& candidate, std::uint32_t wanted) { return candidate.end < wanted; });
    return found == marks_.end() ? size_ : found->end;
}

void ChunkRef::release() {
    if (chunk_ != nullptr && --chunk_->references_ == 0) {
        chunk_->arena_->recycle(chunk_);
    }
}

Arena::~Arena() {
    assert(chunks_alive_ == 0);
    assert(bytes_pinned_ == 0);
    assert(queue_list_bytes_ == 0);
    for (const std::vector<Chunk*>& list : free_) {
        for (Chunk* const chunk : list) {
            destroy(chunk);
        }
    }
}

ChunkRef Arena::make(ChunkKind kind, std::uint32_t capacity, LabelRef label) {
    const bool recyclable = capacity <= chunk_bytes_max;
    const std::uint32_t size =
        recyclable ? std::bit_ceil(std::max(capacity, chunk_bytes_min)) : capacity;
    Chunk* chunk = nullptr;
    if (recyclable && !free_[class_of(size)].empty()) {
        std::vector<Chunk*>& list = free_[class_of(size)];
        chunk = list.back();
        list.pop_back();
        bytes_free_ -= chunk->memory_bytes();
    } else {
        chunk = new (::operator new(sizeof(Chunk) + size)) Chunk(*this, size);
    }
    chunk->kind_ = kind;
    chunk->label_ = std::move(label);
    bytes_pinned_ += chunk->memory_bytes();
    ++chunks_alive_;
    return ChunkRef(chunk);
}

void Arena::recycle(Chunk* chunk) {
    const std::uint64_t held = chunk->memory_bytes();
    assert(bytes_pinned_ >= held);
    bytes_pinned_ -= held;
    --chunks_alive_;
    chunk->size_ = 0;
    chunk->label_ = {};
    chunk->lost_.clear();
    if (chunk->capacity_ > chunk_bytes_max || chunk->marks_.capacity() > marks_kept_max ||
        bytes_free_ + held > free_bytes_max) {
        destroy(chunk);
        return;
    }
    chunk->marks_.clear();
    bytes_free_ += held;
    free_[class_of(chunk->capacity_)].push_back(chunk);
}

void Arena::destroy(Chunk* chunk) {
    chunk->~Chunk();
    ::operator delete(chunk);
}

} // namespace roomd
