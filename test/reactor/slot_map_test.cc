#include "reactor/slot_map.h"

#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace roomd {

TEST_CASE("SlotMap: a key finds what was put under it, until it is erased") {
    SlotMap<std::string> map;
    const Key ann = map.insert("ann");
    const Key bob = map.insert("bob");
    REQUIRE(map.find(ann) != nullptr);
    CHECK(*map.find(ann) == "ann");
    map.erase(ann);
    CHECK(map.find(ann) == nullptr);
    CHECK(*map.find(bob) == "bob");
    CHECK(map.size() == 1);
    map.check();
}

TEST_CASE("SlotMap: the next tenant of a slot is a stranger to the old key") {
    SlotMap<int> map;
    const Key old_key = map.insert(1);
    map.erase(old_key);
    const Key new_key = map.insert(2);
    CHECK(new_key.slot == old_key.slot);
    CHECK(new_key != old_key);
    CHECK(map.find(old_key) == nullptr);
    map.erase(old_key); // a no-op: not its value any more
    REQUIRE(map.find(new_key) != nullptr);
    CHECK(*map.find(new_key) == 2);
}

TEST_CASE("SlotMap: a default key, and one of a slot never used, find nothing") {
    SlotMap<int> map;
    CHECK(map.find({}) == nullptr);
    static_cast<void>(map.insert(1));
    CHECK(map.find({}) == nullptr);
    CHECK(map.find({7, 1}) == nullptr);
    CHECK_FALSE(Key{});
    map.erase({});
    map.erase({7, 1});
    CHECK(map.size() == 1);
}

TEST_CASE("SlotMap: a key survives being packed into 64 bits") {
    for (const Key key : {Key{0, 1}, Key{1, 0}, Key{UINT32_MAX, 1}, Key{5, UINT32_MAX}}) {
        CHECK(Key::unpacked(key.packed()) == key);
    }
}

TEST_CASE("SlotMap: what is taken out is gone from the map, also if it can only be moved") {
    SlotMap<std::unique_ptr<int>> map;
    const Key key = map.insert(std::make_unique<int>(42));
    const auto taken = map.take(key);
    REQUIRE(taken.has_value());
    CHECK(**taken == 42);
    CHECK_FALSE(map.take(key).has_value());
    CHECK(map.size() == 0);
    map.check();
}

TEST_CASE("SlotMap: a walk sees each living value once, and may erase as it goes") {
    SlotMap<int> map;
    for (int value = 0; value < 100; ++value) {
        static_cast<void>(map.insert(value));
    }
    std::set<int> seen;
    map.for_each([&](Key key, int& value) {
        CHECK(seen.insert(value).second);
        if (value % 3 == 0) {
            map.erase(key);
        }
    });
    CHECK(seen.size() == 100);
    CHECK(map.size() == 66);
    for (std::uint32_t slot = 0; slot < map.slot_count(); ++slot) {
        CHECK((map.at_slot(slot) != nullptr) == (map.find(map.key_at(slot)) != nullptr));
    }
    CHECK(map.at_slot(map.slot_count()) == nullptr);
    map.check();
}

TEST_CASE("SlotMap: 200,000 random steps agree with a list of pairs") {
    sim::Random random(1);
    SlotMap<std::uint64_t> map;
    std::vector<std::pair<Key, std::uint64_t>> living;
    std::vector<Key> dead;
    bool sound = true;
    std::size_t most = 0;
    for (std::uint64_t step = 0; step < 200'000; ++step) {
        if (living.empty() || random.below(100) < (step / 1000 % 2 == 0 ? 60U : 40U)) {
            living.emplace_back(map.insert(step), step);
        } else {
            std::swap(living[random.below(living.size())], living.back());
            map.erase(living.back().first);
            dead.push_back(living.back().first);
            living.pop_back();
        }
        most = std::max(most, living.size());
        sound = sound && map.size() == living.size();
        if (!living.empty()) {
            const auto& [key, value] = living[random.below(living.size())];
            sound = sound && map.find(key) != nullptr && *map.find(key) == value;
        }
        if (!dead.empty()) {
            sound = sound && map.find(dead[random.below(dead.size())]) == nullptr;
        }
        if (step % 4096 == 0) {
            map.check();
        }
    }
    CHECK(sound);
    CHECK(map.slot_count() == most); // slots are reused before new ones are made
}

} // namespace roomd
