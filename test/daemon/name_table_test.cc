#include "daemon/name_table.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace roomd {

namespace {

constexpr HashKey hash_key{1, 2};

/// Names by slot, as a hub holds them.
struct Names {
    [[nodiscard]] auto name_of() const {
        return [this](Key key) { return std::string_view(by_slot.at(key.slot)); };
    }

    Key add(const std::string& name) {
        by_slot.push_back(name);
        const Key key{static_cast<std::uint32_t>(by_slot.size() - 1), 7};
        table.insert(name, key, name_of());
        return key;
    }

    [[nodiscard]] Key find(const std::string& name) const { return table.find(name, name_of()); }

    std::vector<std::string> by_slot;
    NameTable table{hash_key};
};

} // namespace

TEST_CASE("NameTable: an empty one finds nobody") {
    const Names names;
    CHECK_FALSE(names.find("ann"));
    CHECK(names.table.size() == 0);
}

TEST_CASE("NameTable: who was inserted is found, who was erased is not, others are untouched") {
    Names names;
    const Key ann = names.add("ann");
    const Key bob = names.add("bob");
    CHECK(names.find("ann") == ann);
    CHECK(names.find("bob") == bob);
    CHECK_FALSE(names.find("an"));
    names.table.erase("ann", names.name_of());
    CHECK_FALSE(names.find("ann"));
    CHECK(names.find("bob") == bob);
    CHECK(names.table.size() == 1);
    names.table.insert("ann", ann, names.name_of());
    CHECK(names.find("ann") == ann);
}

TEST_CASE("NameTable: through 100,000 random changes it agrees with a map") {
    Names names;
    std::map<std::string, Key> model;
    std::mt19937 random(17); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    for (int step = 0; step < 100'000; ++step) {
        // Around one size for a while, so that probes run into each other and erasures mend them.
        const std::string name = "n" + std::to_string(random() % (step < 50'000 ? 200 : 2'000));
        const auto found = model.find(name);
        REQUIRE(names.find(name) == (found == model.end() ? Key{} : found->second));
        if (found == model.end()) {
            model[name] = names.add(name);
        } else if (random() % 2 == 0) {
            names.table.erase(name, names.name_of());
            model.erase(found);
        }
        REQUIRE(names.table.size() == model.size());
    }
    for (const auto& [name, key] : model) {
        REQUIRE(names.find(name) == key);
    }
}

} // namespace roomd
