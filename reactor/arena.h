// Arena, Chunk — bytes written once and sent to many.
//
// The Arena is owned by the program and outlives every ChunkRef. A Chunk is a counted, append-only
// block: what has been handed out of it never changes, so a window of it can wait in a thousand
// queues at the price of one count each. Counts are not atomic: one thread. Never copies what it
// holds, never talks to the kernel.
//
//   chunk   [unit 1][unit 2][unit 3]......free.....      a shared chunk has a mark at the end of
//   each
//                   ^mark   ^mark   ^mark  size          unit: a queue may be cut there and nowhere
//                   else
//
// The danger, and its bound: one slow reader that waits for one byte keeps the whole chunk.
// bytes_pinned() therefore counts whole chunks, and it is what the ceiling on memory is compared
// with.
//
// Invariants: marks end in ascending order and the last at size(); bytes_pinned() is the sum over
// living chunks.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

class Arena;

/// The end of one unit (a message) in a shared chunk. `number` 0: a unit that nobody counts.
struct Mark {
    std::uint32_t end;
    std::uint32_t source; // who it came from, as the writer numbers them
    std::uint64_t number;
};

/// Label — the name of the sequence that a chunk's units belong to; counted, so that a queue can
/// still tell what it lost after the sequence has ended.
class Label {
public:
    explicit Label(std::string_view text) : text_(text) {}

    [[nodiscard]] std::string_view text() const { return text_; }

private:
    friend class LabelRef;
    std::string text_;
    std::uint32_t references_ = 0;
};

class LabelRef {
public:
    LabelRef() = default;

    explicit LabelRef(std::string_view text) : label_(new Label(text)) { ++label_->references_; }

    LabelRef(const LabelRef& other) : label_(other.label_) {
        if (label_ != nullptr) {
            ++label_->references_;
        }
    }

    LabelRef(LabelRef&& other) noexcept : label_(std::exchange(other.label_, nullptr)) {}

    LabelRef& operator=(const LabelRef& other) {
        LabelRef copy(other);
        std::swap(label_, copy.label_);
        return *this;
    }

    LabelRef& operator=(LabelRef&& other) noexcept {
        std::swap(label_, other.label_);
        return *this;
    }

    ~LabelRef() {
        if (label_ != nullptr && --label_->references_ == 0) {
            delete label_;
        }
    }

    [[nodiscard]] const Label* get() const { return label_; }

    friend bool operator==(const LabelRef&, const LabelRef&) = default;

private:
    Label* label_ = nullptr;
};

/// Units of one sequence that were dropped before they were sent. first..last may span units that
/// were never meant for this reader; `count` is how many were dropped.
/// `state` is how many uncounted ones (number 0) went: with these alone first, last and count are
/// 0.
struct Lost {
    LabelRef label;
    std::uint64_t first;
    std::uint64_t last;
    std::uint64_t count;
    std::uint64_t state = 0;
};

enum class ChunkKind : std::uint8_t {
    shared, // units for many readers: may be dropped from a queue, unit by unit
    own,    // bytes for one reader: never dropped
    notice, // no bytes yet: what was lost at this place of the queue
    direct  // as `own`, but it is no answer of the reader's: others have sent it
};

class Chunk {
public:
    [[nodiscard]] ChunkKind kind() const { return kind_; }

    [[nodiscard]] std::uint32_t size() const { return size_; }

    [[nodiscard]] std::uint32_t capacity() const { return capacity_; }

    [[nodiscard]] std::uint32_t room() const { return capacity_ - size_; }

    /// What it takes of the heap: itself, its bytes, and its list of marks with the spare places.
    [[nodiscard]] std::uint64_t memory_bytes() const {
        return sizeof(Chunk) + capacity_ + marks_.capacity() * sizeof(Mark);
    }

    [[nodiscard]] std::uint32_t references() const { return references_; }

    [[nodiscard]] const std::vector<Mark>& marks() const { return marks_; }

    [[nodiscard]] const LabelRef& label() const { return label_; }

    [[nodiscard]] std::vector<Lost>& lost() { return lost_; }

    /// Bytes [from, to). Valid as long as a ChunkRef holds the chunk.
    [[nodiscard]] std::string_view view(std::uint32_t from, std::uint32_t to) const {
        assert(from <= to && to <= size_);
        return {bytes() + from, to - from};
    }

    /// Appends; there must be room.
    void append(std::string_view text);

    /// Empties it for another use; only while nobody else holds it.
    void restart() {
        assert(references_ == 1);
        marks_.clear();
        size_ = 0;
    }

    /// Ends a unit at size().
    void mark(std::uint32_t source, std::uint64_t number);
    /// The border at or behind `offset`: 0, or the end of a unit. O(log marks).
    [[nodiscard]] std::uint32_t border_at_or_after(std::uint32_t offset) const;
    /// Index of the first mark that ends behind `offset`. O(log marks).
    [[nodiscard]] std::size_t mark_behind(std::uint32_t offset) const;

private:
    friend class Arena;
    friend class ChunkRef;
    friend class OutQueue;

    Chunk(Arena& arena, std::uint32_t capacity) : arena_(&arena), capacity_(capacity) {}

    [[nodiscard]] char* bytes() { return reinterpret_cast<char*>(this + 1); } // NOLINT

    [[nodiscard]] const char* bytes() const {
        return reinterpret_cast<const char*>(this + 1);
    } // NOLINT

    Arena* arena_;
    std::vector<Mark> marks_;
    std::vector<Lost> lost_;
    LabelRef label_;
    std::uint32_t capacity_;
    std::uint32_t size_ = 0;
    std::uint32_t references_ = 0;
    ChunkKind kind_ = ChunkKind::own;
};

/// One count of a chunk; the last one gives it back to the arena.
class ChunkRef {
public:
    ChunkRef() = default;

    explicit ChunkRef(Chunk* chunk) : chunk_(chunk) { retain(); }

    ChunkRef(const ChunkRef& other) : chunk_(other.chunk_) { retain(); }

    ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}

    ChunkRef& operator=(const ChunkRef& other) {
        ChunkRef copy(other);
        std::swap(chunk_, copy.chunk_);
        return *this;
    }

    ChunkRef& operator=(ChunkRef&& other) noexcept {
        std::swap(chunk_, other.chunk_);
        return *this;
    }

    ~ChunkRef() { release(); }

    [[nodiscard]] Chunk* get() const { return chunk_; }

    Chunk* operator->() const { return chunk_; }

    Chunk& operator*() const { return *chunk_; }

    [[nodiscard]] explicit operator bool() const { return chunk_ != nullptr; }

private:
    void retain() {
        if (chunk_ != nullptr) {
            ++chunk_->references_;
        }
    }

    void release();
    Chunk* chunk_ = nullptr;
};

class Arena {
public:
    static constexpr std::uint32_t chunk_bytes_min = 256;
    static constexpr std::uint32_t chunk_bytes_max = 64 * 1024; // of those that are recycled

    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    Arena(Arena&&) = delete;
    Arena& operator=(Arena&&) = delete;
    /// All ChunkRefs must be gone.
    ~Arena();

    /// An empty chunk with room for at least `capacity` bytes: a power of two from chunk_bytes_min
    /// to chunk_bytes_max, recycled, or one of its own size above. O(1) when recycled.
    [[nodiscard]] ChunkRef make(ChunkKind kind, std::uint32_t capacity, LabelRef label = {});

    /// Memory that living chunks hold: the sum of their memory_bytes().
    [[nodiscard]] std::uint64_t bytes_pinned() const { return bytes_pinned_; }

    [[nodiscard]] std::uint64_t chunks_alive() const { return chunks_alive_; }

    /// Memory of the lists of all queues that chunks wait in (OutQueue::memory_bytes), together.
    [[nodiscard]] std::uint64_t queue_list_bytes() const { return queue_list_bytes_; }

private:
    friend class Chunk;
    friend class ChunkRef;
    friend class OutQueue;
    static constexpr std::size_t classes = 9; // 256 .. 65,536
    void recycle(Chunk* chunk);
    static void destroy(Chunk* chunk);

    std::array<std::vector<Chunk*>, classes> free_;
    std::uint64_t bytes_pinned_ = 0;
    std::uint64_t bytes_free_ = 0; // in free_, marks included
    std::uint64_t chunks_alive_ = 0;
    std::uint64_t queue_list_bytes_ = 0;
};

} // namespace roomd
