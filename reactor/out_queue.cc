#include "reactor/out_queue.h"

#include <algorithm>
#include <cassert>

namespace roomd {

namespace {
constexpr std::uint32_t own_chunk_bytes_max = 16 * 1024;
} // namespace

OutQueue::OutQueue(OutQueue&& other) noexcept {
    *this = std::move(other);
}

OutQueue& OutQueue::operator=(OutQueue&& other) noexcept {
    clear();
    std::swap(first_, other.first_);
    std::swap(rest_, other.rest_);
    std::swap(count_, other.count_);
    std::swap(bytes_, other.bytes_);
    std::swap(own_bytes_, other.own_bytes_);
    return *this;
}

OutQueue::Entry& OutQueue::last() {
    return count_ == 1 ? first_ : rest_->entries.back();
}

const OutQueue::Entry& OutQueue::at(std::size_t index) const {
    return index == 0 ? first_ : rest_->entries[rest_->head + index - 1];
}

void OutQueue::push_entry(Entry entry) {
    if (count_ == 0) {
        first_ = std::move(entry);
    } else {
        std::uint64_t& counted = entry.chunk->arena_->queue_list_bytes_;
        const std::uint64_t before = bytes_of(rest_.get());
        if (rest_ == nullptr) {
            rest_ = std::make_unique<Rest>();
        }
        rest_->entries.push_back(std::move(entry));
        counted += bytes_of(rest_.get()) - before;
    }
    ++count_;
}

void OutQueue::free_rest(Arena& arena) {
    arena.queue_list_bytes_ -= bytes_of(rest_.get());
    rest_.reset();
}

void OutQueue::pop_entry() {
    assert(count_ > 0);
    if (--count_ == 0) {
        first_ = {{}, 0, 0};
        return;
    }
    first_ = std::move(rest_->entries[rest_->head++]);
    if (rest_->head == rest_->entries.size()) {
        free_rest(*first_.chunk->arena_);
    } else if (rest_->head > 64 && rest_->head * 2 > rest_->entries.size()) {
        rest_->entries.erase(rest_->entries.begin(),
                             rest_->entries.begin() + static_cast<std::ptrdiff_t>(rest_->head));
        rest_->head = 0;
    }
}

void OutQueue::append_as(ChunkKind kind, Arena& arena, std::string_view bytes) {
    const auto total = static_cast<std::uint32_t>(bytes.size());
    std::uint32_t grown = 0; // the next own chunk is twice the last
    if (count_ > 0 && last().chunk->kind() == kind) {
        Entry& tail = last();
        const std::size_t fits = std::min<std::size_t>(bytes.size(), tail.chunk->room());
        tail.chunk->append(bytes.substr(0, fits));
        tail.to += static_cast<std::uint32_t>(fits);
        bytes.remove_prefix(fits);
        grown = std::min(tail.chunk->capacity() * 2, own_chunk_bytes_max);
    }
    bytes_ += total;
    own_bytes_ += kind == ChunkKind::own ? total : 0;
    if (bytes.empty()) {
        return;
    }
    const auto left = static_cast<std::uint32_t>(bytes.size());
    ChunkRef chunk = arena.make(kind, std::max(left, grown));
    chunk->append(bytes);
    push_entry({std::move(chunk), 0, left});
}

void OutQueue::push(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to) {
    assert(chunk->kind() == ChunkKind::shared);
    assert(from < to && to <= chunk->size());
    bytes_ += to - from;
    if (count_ > 0 && last().chunk.get() == chunk.get() && last().to == from) {
        last().to = to;
        return;
    }
    push_entry({chunk, from, to});
}

std::size_t OutQueue::gather(std::span<iovec> pieces, std::size_t bytes_max) const {
    std::size_t used = 0;
    for (std::size_t index = 0; index < count_ && used < pieces.size() && bytes_max > 0; ++index) {
        const Entry& entry = at(index);
        if (entry.chunk->kind() == ChunkKind::notice) {
            break;
        }
        const std::string_view view = entry.chunk->view(entry.from, entry.to).substr(0, bytes_max);
        pieces[used++] = {const_cast<char*>(view.data()), view.size()}; // NOLINT: written from only
        bytes_max -= view.size();
    }
    return used;
}

void OutQueue::consume(std::size_t bytes) {
    assert(bytes <= bytes_);
    auto left = static_cast<std::uint32_t>(bytes);
    bytes_ -= left;
    while (left > 0) {
        assert(count_ > 0 && first_.chunk->kind() != ChunkKind::notice);
        const std::uint32_t step = std::min(left, first_.size());
        if (first_.chunk->kind() == ChunkKind::own) {
            own_bytes_ -= step;
        }
        first_.from += step;
        left -= step;
        if (first_.from == first_.to) {
            pop_entry();
        }
    }
}

// Walks the old entries, oldest first, and builds the new ones: what stays, and notices where
// units went.
class OutQueue::Rebuild {
public:
    Rebuild(Arena& arena, std::uint32_t bytes, std::uint32_t bytes_left)
        : arena_(&arena), bytes_(bytes), bytes_left_(bytes_left) {}

    void take(Entry entry) {
        if (entry.chunk->kind() != ChunkKind::shared || bytes_ <= bytes_left_) {
            kept.push_back(std::move(entry));
            return;
        }
        const std::uint32_t begin = entry.chunk->border_at_or_after(entry.from);
        if (begin > entry.from) { // its first unit is on its way already
            kept.push_back({entry.chunk, entry.from, begin});
        }
        const std::uint32_t end = drop_units(entry, begin);
        if (end < entry.to) {
            kept.push_back({std::move(entry.chunk), end, entry.to});
        }
    }

    std::vector<Entry> kept;
    Dropped dropped;

private:
    std::uint32_t drop_units(const Entry& entry, std::uint32_t begin) {
        std::uint32_t end = begin;
        const std::vector<Mark>& marks = entry.chunk->marks();
        for (std::size_t index = entry.chunk->mark_behind(begin);
             index < marks.size() && marks[index].end <= entry.to && bytes_ > bytes_left_;
             ++index) {
            bytes_ -= marks[index].end - end;
            end = marks[index].end;
            (marks[index].number != 0 ? dropped.messages : dropped.state) += 1;
            tell(entry.chunk->label(), marks[index].number);
        }
        return end;
    }

    void tell(const LabelRef& label, std::uint64_t number) {
        if (kept.empty() || kept.back().chunk->kind() != ChunkKind::notice) {
            kept.push_back({arena_->make(ChunkKind::notice, 0), 0, 0});
        }
        std::vector<Lost>& lost = kept.back().chunk->lost();
        const auto found = std::find_if(lost.begin(), lost.end(),
                                        [&](const Lost& entry) { return entry.label == label; });
        Lost& range = found == lost.end() ? lost.emplace_back(Lost{label, 0, 0, 0, 0}) : *found;
        if (number == 0) {
            ++range.state;
            return;
        }
        range.first = range.count == 0 ? number : range.first;
        range.last = number;
        ++range.count;
    }

    Arena* arena_;
    std::uint32_t bytes_;
    std::uint32_t bytes_left_;
};

Dropped OutQueue::drop_oldest(Arena& arena, std::uint32_t bytes_left) {
    if (bytes_ <= bytes_left) {
        return {}; // short enough: spare it the walk
    }
    Rebuild rebuild(arena, bytes_, bytes_left);
    while (count_ > 0) {
        rebuild.take(std::move(first_));
        first_ = {{}, 0, 0};
        pop_entry();
    }
    bytes_ = 0;
    own_bytes_ = 0;
    for (Entry& entry : rebuild.kept) {
        bytes_ += entry.size();
        own_bytes_ += entry.chunk->kind() == ChunkKind::own ? entry.size() : 0;
        push_entry(std::move(entry));
    }
    return rebuild.dropped;
}

const std::vector<Lost>* OutQueue::notice() const {
    const bool at_head = count_ > 0 && first_.chunk->kind() == ChunkKind::notice;
    return at_head ? &first_.chunk->lost() : nullptr;
}

void OutQueue::resolve_notice(Arena& arena, std::string_view bytes) {
    assert(notice() != nullptr);
    if (bytes.empty()) {
        pop_entry();
        return;
    }
    const auto size = static_cast<std::uint32_t>(bytes.size());
    ChunkRef chunk = arena.make(ChunkKind::own, size);
    chunk->append(bytes);
    first_ = {std::move(chunk), 0, size};
    bytes_ += size;
    own_bytes_ += size;
}

void OutQueue::restore(ChunkRef chunk, std::uint32_t from, std::uint32_t to) {
    bytes_ += to - from;
    own_bytes_ += chunk->kind() == ChunkKind::own ? to - from : 0;
    push_entry({std::move(chunk), from, to});
}

void OutQueue::clear() {
    if (rest_ != nullptr) {
        free_rest(*rest_->entries.back().chunk->arena_);
    }
    first_ = {{}, 0, 0};
    count_ = 0;
    bytes_ = 0;
    own_bytes_ = 0;
}

void OutQueue::check() const {
    std::uint64_t bytes = 0;
    std::uint64_t own = 0;
    for (std::size_t index = 0; index < count_; ++index) {
        const Entry& entry = at(index);
        assert(entry.chunk);
        assert(entry.from <= entry.to);
        assert((entry.from == entry.to) == (entry.chunk->kind() == ChunkKind::notice));
        bytes += entry.size();
        own += entry.chunk->kind() == ChunkKind::own ? entry.size() : 0;
    }
    assert(bytes == bytes_);
    assert(own == own_bytes_);
    assert(count_ > 0 || !first_.chunk);
    assert(count_ > 1 || rest_ == nullptr);
}

} // namespace roomd
