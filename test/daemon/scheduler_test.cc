#include "daemon/scheduler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

using namespace roomd;

namespace {

// Sessions that want to run commands of a fixed cost, without sockets.
class Crowd final : public Turns {
public:
    explicit Crowd(std::uint64_t units_per_tick) : units_per_tick_(units_per_tick) {
        budget_.begin_tick(units_per_tick);
    }

    Key add(std::uint64_t commands, std::uint64_t cost, bool speaks = false) {
        const Key key{static_cast<std::uint32_t>(sessions_.size()), 1};
        sessions_[key.slot] = {commands, cost, speaks, {}, 0};
        return key;
    }

    // What a session does when its bytes arrive, or when its turn has come.
    void look(Key key) {
        Session& session = sessions_.at(key.slot);
        while (session.left > 0) {
            if (!scheduler.admits(session.share, tick_)) {
                scheduler.wait_turn(key, session.share);
                return;
            }
            if (session.speaks && !scheduler.may_say(session.share, *this)) {
                scheduler.wait_to_speak(key, session.share);
                return;
            }
            --session.left;
            ++session.done;
            order.push_back(key.slot);
            said += session.speaks ? 1U : 0U;
            spent += session.cost;
            scheduler.spend(session.share, session.cost);
        }
    }

    // Returns what was spent on commands.
    std::uint64_t end_tick() {
        scheduler.run(*this);
        budget_.begin_tick(units_per_tick_);
        ++tick_;
        return std::exchange(spent, 0);
    }

    Share* share_of(Key key) override {
        const auto found = sessions_.find(key.slot);
        return found == sessions_.end() ? nullptr : &found->second.share;
    }

    void run_turn(Key key) override { look(key); }

    [[nodiscard]] bool may_speak() const override { return said < say_max; }

    // For what was done for it before: a read, its last command.
    void pay(Key key, std::uint64_t units) {
        Share& share = sessions_.at(key.slot).share;
        share.asked = tick_;
        scheduler.spend(share, units);
    }

    void forget(Key key) { sessions_.erase(key.slot); }

    [[nodiscard]] std::uint64_t done(Key key) const { return sessions_.at(key.slot).done; }

    std::uint64_t spent = 0;
    std::uint64_t said = 0;
    std::uint64_t say_max = UINT64_MAX;
    std::vector<std::uint32_t> order;

private:
    struct Session {
        std::uint64_t left;
        std::uint64_t cost;
        bool speaks;
        Share share;
        std::uint64_t done;
    };

    std::uint64_t units_per_tick_;
    std::uint32_t tick_ = 1;
    Budget budget_;
    std::map<std::uint32_t, Session> sessions_;

public:
    Scheduler scheduler{budget_};
};

/// 3,000, all of whom have had their first turn.
void thousands_who_want_more(Crowd& crowd) {
    for (int number = 0; number < 3'000; ++number) {
        crowd.look(crowd.add(1'000'000, 100));
    }
    for (int tick = 0; tick < 100; ++tick) {
        crowd.end_tick();
    }
}

} // namespace

TEST_CASE("Scheduler: whoever is alone gets the whole tick") {
    Crowd crowd(100'000);
    const Key alone = crowd.add(10'000, 100);
    crowd.look(alone);
    const std::uint64_t spent = crowd.end_tick();
    CHECK(spent > 90'000);
    CHECK(spent <= 100'100);
}

TEST_CASE("Scheduler: a tick ends however many want to go on") {
    Crowd crowd(50'000);
    for (int number = 0; number < 500; ++number) {
        crowd.look(crowd.add(1'000, 100));
    }
    for (int tick = 0; tick < 20; ++tick) {
        CHECK(crowd.end_tick() <= 50'100);
    }
}

TEST_CASE("Scheduler: many get equal shares, whatever their commands cost") {
    Crowd crowd(100'000);
    std::vector<Key> keys;
    for (int number = 0; number < 40; ++number) {
        keys.push_back(crowd.add(1'000'000, number % 2 == 0 ? 50 : 500));
        crowd.look(keys.back());
    }
    for (int tick = 0; tick < 200; ++tick) {
        crowd.end_tick();
    }
    std::uint64_t least = UINT64_MAX;
    std::uint64_t most = 0;
    for (std::size_t index = 0; index < keys.size(); ++index) {
        const std::uint64_t units = crowd.done(keys[index]) * (index % 2 == 0 ? 50U : 500U);
        least = std::min(least, units);
        most = std::max(most, units);
    }
    CAPTURE(least);
    CAPTURE(most);
    CHECK(most - least < 3 * static_cast<std::uint64_t>(Scheduler::quantum));
}

TEST_CASE("Scheduler: one command behind a crowd is run in the crowd's next round") {
    Crowd crowd(100'000);
    for (int number = 0; number < 200; ++number) {
        crowd.look(crowd.add(1'000'000, 100));
    }
    crowd.end_tick();
    const Key quiet = crowd.add(1, 100);
    crowd.look(quiet);
    CHECK(crowd.done(quiet) == 0); // it does not overtake those who wait
    int ticks = 0;
    while (crowd.done(quiet) == 0) {
        crowd.end_tick();
        REQUIRE(++ticks < 10); // 200 turns of 2,000 units are four ticks
    }
    CHECK(ticks <= 5);
}

TEST_CASE("Scheduler: who asks little does not wait for a round of thousands who want more") {
    Crowd crowd(100'000);
    thousands_who_want_more(crowd);
    const Key quiet = crowd.add(1, 100);
    crowd.look(quiet);
    crowd.end_tick();
    CHECK(crowd.done(quiet) == 1);
}

TEST_CASE("Scheduler: whoever pays for being read has just begun to ask all the same") {
    Crowd crowd(100'000);
    thousands_who_want_more(crowd);
    const Key quiet = crowd.add(1, 100);
    crowd.pay(quiet, 1'100); // 64 KiB
    crowd.look(quiet);
    crowd.end_tick();
    CHECK(crowd.done(quiet) == 1);
}

TEST_CASE(
    "Scheduler: a debt lapses with the ticks in which nothing is asked, not with those waited") {
    Crowd crowd(100'000);
    thousands_who_want_more(crowd);
    const Key idle = crowd.add(1, 100);
    const Key eager = crowd.add(1, 100);
    for (const Key key : {idle, eager}) {
        crowd.pay(key, 40'000); // twenty turns
    }
    for (int tick = 0; tick < 30; ++tick) {
        crowd.look(eager); // its bytes come one by one
        crowd.end_tick();
    }
    crowd.look(idle);
    crowd.end_tick();
    CHECK(crowd.done(idle) == 1);
    CHECK(crowd.done(eager) == 0);
}

TEST_CASE("Scheduler: those who ask for the first time do not starve those who want more") {
    Crowd crowd(2'000); // one turn a tick
    const Key more = crowd.add(1'000, 100);
    crowd.look(more);
    crowd.end_tick();
    for (int tick = 0; tick < 40; ++tick) {
        crowd.look(crowd.add(1'000, 100));
        crowd.look(crowd.add(1'000, 100));
        crowd.end_tick();
    }
    CHECK(crowd.done(more) > 20);
}

TEST_CASE("Scheduler: a newcomer is not overtaken by those who come each tick") {
    Crowd crowd(2'000);
    const Key first = crowd.add(100, 100);
    crowd.look(first);
    crowd.end_tick();
    for (int tick = 0; tick < 100; ++tick) {
        crowd.look(crowd.add(1, 100)); // somebody new, named first by the kernel
        crowd.end_tick();
    }
    CHECK(crowd.done(first) == 100);
}

TEST_CASE("Scheduler: a command that costs many shares is paid for with as many turns") {
    Crowd crowd(20'000);
    const Key heavy = crowd.add(100, 40'000);
    const Key light = crowd.add(100'000, 100);
    for (int tick = 0; tick < 100; ++tick) {
        crowd.look(heavy);
        crowd.look(light);
        crowd.end_tick();
    }
    CHECK(crowd.done(heavy) * 40'000 <= crowd.done(light) * 100 + 2 * 40'000);
}

TEST_CASE("Scheduler: who may not speak waits in line, and those who only ask pass by") {
    Crowd crowd(100'000);
    crowd.say_max = 1;
    const Key first = crowd.add(2, 100, true);
    const Key second = crowd.add(2, 100, true);
    const Key asks = crowd.add(5, 100);
    crowd.look(first);
    crowd.look(second);
    crowd.look(asks);
    crowd.end_tick();
    CHECK(crowd.done(first) == 1);
    CHECK(crowd.done(second) == 0);
    CHECK(crowd.done(asks) == 5);
    CHECK_FALSE(crowd.scheduler.pending(crowd)); // nobody is looked at until something may be said
    const Key late = crowd.add(1, 100, true);
    for (crowd.say_max = 2; crowd.said < 5; ++crowd.say_max) {
        crowd.look(late);
        crowd.end_tick();
    }
    const std::vector<std::uint32_t> speakers = [&] {
        std::vector<std::uint32_t> out;
        for (const std::uint32_t slot : crowd.order) {
            if (slot != asks.slot) {
                out.push_back(slot);
            }
        }
        return out;
    }();
    CHECK(speakers ==
          std::vector<std::uint32_t>{first.slot, first.slot, second.slot, late.slot, second.slot});
}

TEST_CASE("Scheduler: a session that has gone is passed over") {
    Crowd crowd(10'000);
    const Key gone = crowd.add(1'000, 100);
    const Key stays = crowd.add(1'000, 100);
    crowd.look(gone);
    crowd.look(stays);
    crowd.forget(gone);
    crowd.end_tick();
    crowd.end_tick();
    CHECK(crowd.done(stays) > 100);
}
