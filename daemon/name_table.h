// NameTable — from the folded form of a name to the key of who bears it.
//
// Owned by the Hub, one for nicks and one for rooms. Holds keys only, eight bytes each in an open
// addressing table, and asks whoever uses it for the name behind a key: an idle member pays some
// twelve bytes for being found. Names are chosen by clients, so places come from SipHash under a
// secret key. Never holds two keys of one name; never owns a name.
//
// Invariants: at most three quarters are full; between a key's home and its place nothing is empty
// (linear probing, so erasing moves back what follows).
#pragma once

#include "daemon/sip_hash.h"
#include "reactor/slot_map.h"

#include <cassert>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <vector>

namespace roomd {

template <typename NameOf>
concept NamesKeys = requires(const NameOf& name_of, Key key) {
    { name_of(key) } -> std::convertible_to<std::string_view>;
};

class NameTable {
public:
    explicit NameTable(HashKey hash_key) : hash_key_(hash_key) {}

    /// The key of `name`, or an empty one. `name_of(Key)` gives the folded name of a key that is
    /// held. O(1) expected.
    template <NamesKeys NameOf>
    [[nodiscard]] Key find(std::string_view name, const NameOf& name_of) const {
        return places_.empty() ? Key{} : places_[place_of(name, name_of)];
    }

    /// `name` must not be held yet, and name_of(key) must be `name` from now on. O(1) amortised.
    template <NamesKeys NameOf>
    void insert(std::string_view name, Key key, const NameOf& name_of) {
        if ((size_ + 1) * 4 > places_.size() * 3) {
            grow(name_of);
        }
        Key& place = places_[place_of(name, name_of)];
        assert(!place);
        place = key;
        ++size_;
    }

    /// `name` must be held, and name_of() of its key still be `name`. O(1) expected.
    template <NamesKeys NameOf>
    void erase(std::string_view name, const NameOf& name_of) {
        std::size_t hole = place_of(name, name_of);
        assert(places_[hole]);
        places_[hole] = {};
        --size_;
        for (std::size_t next = after(hole); places_[next]; next = after(next)) {
            // Whoever has its home at or before the hole may not be cut off from it.
            const std::size_t home = home_of(name_of(places_[next]));
            if (distance(home, next) >= distance(hole, next)) {
                places_[hole] = places_[next];
                places_[next] = {};
                hole = next;
            }
        }
    }

    [[nodiscard]] std::size_t size() const { return size_; }

private:
    static constexpr std::size_t places_min = 16;

    [[nodiscard]] std::size_t home_of(std::string_view name) const {
        return static_cast<std::size_t>(sip_hash(hash_key_, name)) & (places_.size() - 1);
    }

    [[nodiscard]] std::size_t after(std::size_t place) const {
        return (place + 1) & (places_.size() - 1);
    }

    [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const {
        return (to - from) & (places_.size() - 1);
    }

    /// Where `name` is, or the empty place where it would be.
    template <NamesKeys NameOf>
    [[nodiscard]] std::size_t place_of(std::string_view name, const NameOf& name_of) const {
        std::size_t place = home_of(name);
        while (places_[place] && name_of(places_[place]) != name) {
            place = after(place);
        }
        return place;
    }

    template <NamesKeys NameOf>
    void grow(const NameOf& name_of) {
        std::vector<Key> old(places_.empty() ? places_min : places_.size() * 2);
        old.swap(places_);
        for (const Key key : old) {
            if (key) {
                places_[place_of(name_of(key), name_of)] = key;
            }
        }
    }

    HashKey hash_key_;
    std::vector<Key> places_; // an empty key: nobody
    std::size_t size_ = 0;
};

} // namespace roomd
