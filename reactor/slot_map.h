// SlotMap — values under keys that are never mistaken for one another.
//
// The only identity mechanism of the program: a Key is a slot and the generation that lived in it,
// so a key kept too long finds nothing instead of a stranger. Owned by whoever owns the values;
// never gives memory back before it is destroyed; iteration order is slot order. A pointer from
// find() is valid until the next insert().
//
// Invariants (check() asserts them): free slots form one list without a cycle; size() live slots;
// the generation of a slot changes with every erase.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace roomd {

/// 64 bits, fits epoll_data.u64 and kevent.udata. Generation 0 is nobody's: a default Key finds
/// nothing.
struct Key {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;

    [[nodiscard]] explicit operator bool() const { return generation != 0; }

    [[nodiscard]] std::uint64_t packed() const {
        return (static_cast<std::uint64_t>(generation) << 32U) | slot;
    }

    [[nodiscard]] static Key unpacked(std::uint64_t bits) {
        return {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32U)};
    }

    friend bool operator==(const Key&, const Key&) = default;
};

static_assert(sizeof(Key) == 8);

template <typename T>
class SlotMap {
public:
    /// O(1) amortised. Invalidates pointers, never keys.
    Key insert(T value) {
        std::uint32_t slot = free_head_;
        if (slot == none) {
            slot = static_cast<std::uint32_t>(slots_.size());
            slots_.emplace_back();
        } else {
            free_head_ = slots_[slot].link();
        }
        slots_[slot].fill(std::move(value));
        ++size_;
        return {slot, slots_[slot].generation};
    }

    /// The value, or nullptr when it has been erased. O(1).
    [[nodiscard]] T* find(Key key) {
        if (key.slot >= slots_.size() || slots_[key.slot].generation != key.generation) {
            return nullptr;
        }
        return slots_[key.slot].value();
    }

    [[nodiscard]] const T* find(Key key) const { return const_cast<SlotMap*>(this)->find(key); }

    /// The value; the key must be alive (asserted).
    [[nodiscard]] T& at(Key key) {
        T* const found = find(key);
        assert(found != nullptr);
        return *found;
    }

    [[nodiscard]] const T& at(Key key) const { return const_cast<SlotMap*>(this)->at(key); }

    /// The living value in `slot` whatever its generation, or nullptr.
    [[nodiscard]] T* at_slot(std::uint32_t slot) {
        return slot < slots_.size() ? slots_[slot].value() : nullptr;
    }

    /// Erasing an unknown key is a no-op. O(1).
    void erase(Key key) {
        if (find(key) == nullptr) {
            return;
        }
        Slot& slot = slots_[key.slot];
        slot.clear(free_head_);
        slot.generation = slot.generation == UINT32_MAX ? 1 : slot.generation + 1;
        free_head_ = key.slot;
        --size_;
    }

    /// Takes the value out of the map.
    [[nodiscard]] std::optional<T> take(Key key) {
        T* found = find(key);
        if (found == nullptr) {
            return std::nullopt;
        }
        std::optional<T> value(std::move(*found));
        erase(key);
        return value;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

    /// Number of slots ever used: the bound for walking with at_slot() and key_at().
    [[nodiscard]] std::uint32_t slot_count() const {
        return static_cast<std::uint32_t>(slots_.size());
    }

    [[nodiscard]] Key key_at(std::uint32_t slot) const { return {slot, slots_[slot].generation}; }

    /// Calls visit(Key, T&) for each value; visit may erase, but not insert.
    template <typename Visit>
    void for_each(Visit&& visit) {
        for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
            if (T* const value = slots_[slot].value(); value != nullptr) {
                visit(key_at(slot), *value);
            }
        }
    }

    template <typename Visit>
    void for_each(Visit&& visit) const {
        for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
            if (const T* const value = slots_[slot].value(); value != nullptr) {
                visit(key_at(slot), *value);
            }
        }
    }

    void check() const {
        std::size_t free_slots = 0;
        for (std::uint32_t slot = free_head_; slot != none; slot = slots_[slot].link()) {
            assert(slot < slots_.size());
            assert(!slots_[slot].full());
            ++free_slots;
            assert(free_slots <= slots_.size());
        }
        assert(free_slots + size_ == slots_.size());
    }

private:
    static constexpr std::uint32_t none = UINT32_MAX;

    /// Room for a value, and eight bytes: who lived here last and, in a free slot, which is free
    /// next.
    class Slot {
    public:
        Slot() = default;

        ~Slot() {
            if (full()) {
                at()->~T();
            }
        }

        Slot(Slot&& other) noexcept : generation(other.generation), link_(other.link_) {
            if (other.full()) {
                ::new (static_cast<void*>(bytes_)) T(std::move(*other.value()));
            }
        }

        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;
        Slot& operator=(Slot&&) = delete;

        void fill(T&& new_value) {
            ::new (static_cast<void*>(bytes_)) T(std::move(new_value));
            link_ = filled;
        }

        void clear(std::uint32_t next_free) {
            at()->~T();
            link_ = next_free;
        }

        [[nodiscard]] bool full() const { return link_ == filled; }

        [[nodiscard]] T* value() { return full() ? at() : nullptr; }

        [[nodiscard]] const T* value() const { return full() ? at() : nullptr; }

        /// The next free slot; only while this one is free.
        [[nodiscard]] std::uint32_t link() const { return link_; }

        std::uint32_t generation = 1;

    private:
        static constexpr std::uint32_t filled = UINT32_MAX - 1;

        [[nodiscard]] T* at() { return std::launder(reinterpret_cast<T*>(bytes_)); } // NOLINT

        [[nodiscard]] const T* at() const {
            return std::launder(reinterpret_cast<const T*>(bytes_)); // NOLINT: as above
        }

        std::uint32_t link_ = none;
        alignas(T) std::byte bytes_[sizeof(T)]; // NOLINT: filled by fill()
    };

    std::vector<Slot> slots_;
    std::uint32_t free_head_ = none;
    std::size_t size_ = 0;
};

} // namespace roomd
