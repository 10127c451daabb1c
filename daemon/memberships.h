// Memberships — the rooms of one member, in the order joined; the last is the current one.
//
// Owned by a Member. Most are in one room: that one is kept in place, and only the second
// allocates.
//
// Invariant: with at most one room there is no list.
#pragma once

#include "reactor/slot_map.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace roomd {

/// Where a member is seated.
struct Membership {
    Key room;
    std::uint32_t seat = 0;
};

class Memberships {
public:
    [[nodiscard]] std::size_t size() const {
        return many_ != nullptr ? many_->size() : std::size_t{one_.room ? 1U : 0U};
    }

    [[nodiscard]] bool empty() const { return many_ == nullptr && !one_.room; }

    [[nodiscard]] Membership* begin() { return many_ != nullptr ? many_->data() : &one_; }

    [[nodiscard]] Membership* end() { return begin() + size(); }

    [[nodiscard]] const Membership* begin() const {
        return many_ != nullptr ? many_->data() : &one_;
    }

    [[nodiscard]] const Membership* end() const { return begin() + size(); }

    [[nodiscard]] const Membership& operator[](std::size_t index) const {
        assert(index < size());
        return begin()[index];
    }

    /// Becomes the current room.
    void add(Membership membership) {
        assert(membership.room);
        if (empty()) {
            one_ = membership;
            return;
        }
        if (many_ == nullptr) {
            many_ = std::make_unique<std::vector<Membership>>(1, one_);
        }
        many_->push_back(membership);
    }

    /// The others keep their order. O(rooms).
    void remove(std::size_t index) {
        assert(index < size());
        if (many_ == nullptr) {
            one_ = {};
            return;
        }
        many_->erase(many_->begin() + static_cast<std::ptrdiff_t>(index));
        if (many_->size() == 1) {
            one_ = many_->front();
            many_.reset();
        }
    }

    /// Makes this one the current room. O(rooms).
    void make_last(std::size_t index) {
        assert(index < size());
        std::rotate(begin() + index, begin() + index + 1, end());
    }

private:
    Membership one_;
    std::unique_ptr<std::vector<Membership>> many_;
};

} // namespace roomd
