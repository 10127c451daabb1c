#include "daemon/room_history.h"

#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <string>

namespace roomd {

namespace {

constexpr std::uint32_t header_bytes = 16; // what a message costs beside its nick and text

struct Kept {
    std::uint64_t id;
    std::uint64_t time_ms;
    std::string nick;
    std::string text;
    bool action;
    bool harmless;

    [[nodiscard]] std::size_t bytes() const { return header_bytes + nick.size() + text.size(); }
};

void add(RoomHistory& history, const std::string& nick, const std::string& text) {
    history.add({0, 1000, nick, text, false, false});
    history.check();
}

/// A history that keeps whole messages in a list and nothing else.
class Model {
public:
    explicit Model(HistoryLimits limits) : limits_(limits) {}

    void add(Kept kept) {
        kept.id = next++;
        if (limits_.messages_max == 0 || kept.bytes() > limits_.bytes_max) {
            held.clear();
            return;
        }
        held.push_back(std::move(kept));
        trim();
    }

    void set_limits(HistoryLimits limits) {
        limits_ = limits;
        trim();
    }

    [[nodiscard]] std::uint64_t first() const { return held.empty() ? next : held.front().id; }

    std::deque<Kept> held;
    std::uint64_t next = 1;

private:
    void trim() {
        std::size_t bytes = 0;
        for (const Kept& kept : held) {
            bytes += kept.bytes();
        }
        while (held.size() > limits_.messages_max || bytes > limits_.bytes_max) {
            bytes -= held.front().bytes();
            held.pop_front();
        }
    }

    HistoryLimits limits_;
};

void check_equal(const RoomHistory& history, const Model& model) {
    history.check();
    REQUIRE(history.next() == model.next);
    REQUIRE(history.first() == model.first());
    for (const Kept& kept : model.held) {
        const HistoryEntry entry = history.at(kept.id);
        REQUIRE(entry.id == kept.id);
        REQUIRE(entry.time_ms == kept.time_ms);
        REQUIRE(entry.nick == kept.nick);
        REQUIRE(entry.text == kept.text);
        REQUIRE(entry.action == kept.action);
        REQUIRE(entry.harmless == kept.harmless);
    }
}

} // namespace

TEST_CASE("RoomHistory: begins empty, with id 1 to come") {
    const RoomHistory history({10, 1000});
    CHECK(history.first() == 1);
    CHECK(history.next() == 1);
    CHECK(history.bytes_held() == 0);
    history.check();
}

TEST_CASE("RoomHistory: keeps exactly messages_max messages, the newest") {
    RoomHistory history({3, 100'000});
    for (int index = 1; index <= 3; ++index) {
        add(history, "ann", std::to_string(index));
        CHECK(history.first() == 1);
    }
    add(history, "ann", "4");
    CHECK(history.first() == 2);
    CHECK(history.next() == 5);
    CHECK(history.at(2).text == "2");
    CHECK(history.at(4).text == "4");
}

TEST_CASE("RoomHistory: keeps exactly bytes_max bytes of messages") {
    const std::string text(84 - 3, 'x'); // with nick and header: 100
    RoomHistory history({1000, 300});
    add(history, "ann", text);
    add(history, "ann", text);
    add(history, "ann", text);
    CHECK(history.first() == 1); // the limit itself is allowed
    add(history, "ann", "");
    CHECK(history.first() == 2);
    add(history, "ann", text);
    CHECK(history.first() == 3);
}

TEST_CASE("RoomHistory: a message above all limits is not kept, and nothing older is, for ids are "
          "dense") {
    RoomHistory history({10, 100});
    add(history, "ann", "old");
    add(history, "ann", std::string(100 - header_bytes - 3, 'x'));
    CHECK(history.next() - history.first() == 1); // just fits
    add(history, "ann", std::string(100 - header_bytes - 2, 'x'));
    CHECK(history.first() == history.next());
    CHECK(history.next() == 4);
    CHECK(history.bytes_held() == 0);
    add(history, "ann", "new");
    CHECK(history.first() == 4);
    CHECK(history.at(4).text == "new");
}

TEST_CASE("RoomHistory: limits of zero keep nothing but count on") {
    for (const HistoryLimits limits : {HistoryLimits{0, 1000}, HistoryLimits{10, 0}}) {
        RoomHistory history(limits);
        for (std::uint64_t count = 1; count <= 5; ++count) {
            add(history, "ann", "hello");
            CHECK(history.next() == count + 1);
            CHECK(history.first() == count + 1);
            CHECK(history.bytes_held() == 0);
        }
        CHECK_FALSE(history.evict_block());
    }
}

TEST_CASE("RoomHistory: tightened limits evict at once, widened ones bring nothing back") {
    RoomHistory history({100, 100'000});
    for (int index = 1; index <= 50; ++index) {
        add(history, "ann", std::to_string(index));
    }
    history.set_limits({10, 100'000});
    history.check();
    CHECK(history.first() == 41);
    history.set_limits({100, 100'000});
    CHECK(history.first() == 41);
    history.set_limits({0, 0});
    history.check();
    CHECK(history.first() == 51);
    CHECK(history.bytes_held() == 0);
}

TEST_CASE("RoomHistory: evicting block by block gives memory back each time, down to nothing") {
    RoomHistory history({100'000, 10'000'000});
    for (int index = 0; index < 5000; ++index) {
        add(history, "ann", std::string(50, 'x'));
    }
    std::uint64_t held = history.bytes_held();
    std::uint64_t first = history.first();
    int blocks = 0;
    while (history.evict_block()) {
        history.check();
        CHECK(history.bytes_held() < held);
        CHECK(history.first() > first);
        held = history.bytes_held();
        first = history.first();
        ++blocks;
    }
    CHECK(blocks > 5);
    CHECK(held == 0);
    CHECK(first == 5001);
    add(history, "ann", "on it goes");
    CHECK(history.at(5001).text == "on it goes");
}

TEST_CASE("RoomHistory: blocks hold little more than the messages") {
    RoomHistory history({1'000'000, 1024 * 1024});
    for (int index = 0; index < 40'000; ++index) {
        add(history, "ann", std::string(60, 'x'));
    }
    CHECK(history.bytes_held() < 1024 * 1024 + 3 * 32 * 1024);
    RoomHistory quiet({1000, 1024 * 1024});
    add(quiet, "ann", "hello");
    CHECK(quiet.bytes_held() <= 1024); // ten thousand quiet rooms cost ten megabytes, not more
}

TEST_CASE("RoomHistory: one that another has begun goes on counting where that one was") {
    for (const HistoryLimits limits :
         {HistoryLimits{3, 1000}, HistoryLimits{0, 1000}, HistoryLimits{10, 0}}) {
        RoomHistory history(limits);
        history.begin_at(5'000'000'000);
        history.check();
        CHECK(history.first() == 5'000'000'000);
        CHECK(history.next() == 5'000'000'000);
        CHECK(history.bytes_held() == 0);
        CHECK_FALSE(history.evict_block());
        for (int count = 0; count < 5; ++count) {
            add(history, "ann", std::to_string(count));
        }
        CHECK(history.next() == 5'000'000'005);
        const bool keeps = limits.messages_max > 0 && limits.bytes_max > 0;
        REQUIRE(history.first() == (keeps ? 5'000'000'002 : 5'000'000'005));
        if (keeps) {
            CHECK(history.at(5'000'000'002).text == "2");
            CHECK(history.at(5'000'000'004).text == "4");
        }
        history.set_limits({0, 0});
        history.check();
        CHECK(history.first() == 5'000'000'005);
    }
}

TEST_CASE("RoomHistory: it agrees with a plain list over random messages and limits") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        sim::Random random(seed);
        HistoryLimits limits{static_cast<std::uint32_t>(random.skewed(0, 200)),
                             static_cast<std::uint32_t>(random.skewed(0, 200'000))};
        RoomHistory history(limits);
        Model model(limits);
        if (random.one_in(2)) {
            model.next = random.between(1, 1ULL << 40U);
            history.begin_at(model.next);
        }
        for (int step = 0; step < 400; ++step) {
            if (random.one_in(60)) {
                limits = {static_cast<std::uint32_t>(random.skewed(0, 200)),
                          static_cast<std::uint32_t>(random.skewed(0, 200'000))};
                history.set_limits(limits);
                model.set_limits(limits);
            } else if (random.one_in(60)) {
                history.evict_block();
                while (model.first() < history.first()) {
                    model.held.pop_front();
                }
            } else {
                const Kept kept{
                    0,
                    random.next(),
                    std::string(random.below(33), 'n'),
                    std::string(random.skewed(0, 40'000), static_cast<char>('a' + step % 26)),
                    random.one_in(2),
                    random.one_in(2)};
                history.add({0, kept.time_ms, kept.nick, kept.text, kept.action, kept.harmless});
                model.add(kept);
            }
            check_equal(history, model);
        }
    }
}

} // namespace roomd
