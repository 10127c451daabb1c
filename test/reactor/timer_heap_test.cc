#include "reactor/timer_heap.h"

#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

namespace roomd {

namespace {

TimePoint at(std::int64_t nanoseconds) {
    return TimePoint(std::chrono::nanoseconds(nanoseconds));
}

struct Recorder final : Timed {
    void on_timer(TimerKey key) override { fired.push_back(key); }

    std::vector<TimerKey> fired;
};

/// Adds a timer that is due already, each time it is called.
struct Restless final : Timed {
    explicit Restless(TimerHeap& timers) : heap(&timers) {}

    void on_timer(TimerKey /*key*/) override {
        ++calls;
        static_cast<void>(heap->add(at(0), *this));
    }

    TimerHeap* heap;
    std::size_t calls = 0;
};

/// Cancels all the others when its own time has come.
struct Canceller final : Timed {
    explicit Canceller(TimerHeap& timers) : heap(&timers) {}

    void on_timer(TimerKey /*key*/) override {
        for (const TimerKey key : victims) {
            heap->cancel(key);
        }
    }

    TimerHeap* heap;
    std::vector<TimerKey> victims;
};

/// A heap and what it should hold, side by side.
class Pair {
public:
    explicit Pair(std::uint64_t seed) : random_(seed) {}

    void add() {
        const TimePoint deadline = at(static_cast<std::int64_t>(now_ + random_.skewed(0, 100'000)));
        const TimerKey key = heap_.add(deadline, recorder_);
        places_.emplace(key.key.packed(), model_.emplace(deadline, key));
        keys_.push_back(key);
    }

    /// A key that may have fired or been cancelled long ago.
    void cancel_one() {
        if (keys_.empty()) {
            return;
        }
        const std::size_t index = random_.below(keys_.size());
        heap_.cancel(keys_[index]);
        forget(keys_[index]);
        keys_[index] = keys_.back();
        keys_.pop_back();
    }

    bool fire(std::size_t count_max) {
        now_ += random_.skewed(0, 2000);
        const TimePoint now = at(static_cast<std::int64_t>(now_));
        recorder_.fired.clear();
        std::size_t due = 0;
        for (auto place = model_.begin();
             place != model_.end() && place->first <= now && due < count_max; ++place) {
            ++due;
        }
        bool sound = heap_.fire(now, count_max) == due;
        sound = sound && recorder_.fired.size() == due;
        for (const TimerKey key : recorder_.fired) {
            const auto place = places_.find(key.key.packed());
            // Equal deadlines may come in any order, an earlier one never after a later.
            sound =
                sound && place != places_.end() && place->second->first == model_.begin()->first;
            forget(key);
        }
        return sound;
    }

    [[nodiscard]] bool agree() {
        const auto next = heap_.next();
        return heap_.size() == model_.size() && next.has_value() == !model_.empty() &&
               (!next || *next == model_.begin()->first);
    }

    void check() const { heap_.check(); }

    [[nodiscard]] std::size_t size() const { return model_.size(); }

    sim::Random& random() { return random_; }

private:
    void forget(TimerKey key) {
        const auto place = places_.find(key.key.packed());
        if (place != places_.end()) {
            model_.erase(place->second);
            places_.erase(place);
        }
    }

    using Model = std::multimap<TimePoint, TimerKey>;
    sim::Random random_;
    TimerHeap heap_;
    Recorder recorder_;
    Model model_;
    std::unordered_map<std::uint64_t, Model::iterator> places_;
    std::vector<TimerKey> keys_;
    std::uint64_t now_ = 0;
};

} // namespace

TEST_CASE("TimerHeap: fires in the order of the deadlines, each once, none early") {
    TimerHeap heap;
    Recorder recorder;
    const TimerKey late = heap.add(at(30), recorder);
    const TimerKey early = heap.add(at(10), recorder);
    const TimerKey middle = heap.add(at(20), recorder);
    CHECK(heap.next() == at(10));
    CHECK(heap.fire(at(9), 100) == 0);
    CHECK(heap.fire(at(20), 100) == 2);
    CHECK(recorder.fired == std::vector{early, middle});
    CHECK(heap.fire(at(1000), 100) == 1);
    CHECK(recorder.fired.back() == late);
    CHECK(heap.size() == 0);
    CHECK_FALSE(heap.next().has_value());
}

TEST_CASE("TimerHeap: a cancelled timer does not fire, nor is its deadline waited for") {
    TimerHeap heap;
    Recorder recorder;
    const TimerKey first = heap.add(at(1), recorder);
    const TimerKey second = heap.add(at(2), recorder);
    heap.cancel(first);
    heap.cancel(first);
    heap.cancel({});
    CHECK(heap.next() == at(2));
    CHECK(heap.fire(at(5), 100) == 1);
    CHECK(recorder.fired == std::vector{second});
    heap.cancel(second); // fired: a no-op, also after its slot has a new tenant
    const TimerKey third = heap.add(at(6), recorder);
    heap.cancel(second);
    CHECK(heap.size() == 1);
    CHECK(heap.fire(at(6), 100) == 1);
    CHECK(recorder.fired.back() == third);
}

TEST_CASE("TimerHeap: a timer may cancel those that are due with it") {
    TimerHeap heap;
    Recorder recorder;
    Canceller canceller(heap);
    static_cast<void>(heap.add(at(1), canceller));
    for (int index = 0; index < 1000; ++index) {
        canceller.victims.push_back(heap.add(at(1 + index % 2), recorder));
    }
    static_cast<void>(heap.add(at(3), recorder));
    // Those that came before the canceller in the heap's own order were its equals in time.
    heap.fire(at(5), 5000);
    CHECK(recorder.fired.size() <= 501);
    CHECK(heap.size() == 0);
    heap.check();
}

TEST_CASE("TimerHeap: equal deadlines fire in bounded portions, and none is forgotten") {
    TimerHeap heap;
    Recorder recorder;
    for (int index = 0; index < 10'000; ++index) {
        static_cast<void>(heap.add(at(7), recorder));
    }
    std::size_t portions = 0;
    while (heap.fire(at(7), 1024) > 0) {
        ++portions;
        CHECK(recorder.fired.size() <= portions * 1024);
    }
    CHECK(portions == 10);
    CHECK(recorder.fired.size() == 10'000);
}

TEST_CASE("TimerHeap: a timer that adds due timers cannot hold the tick") {
    TimerHeap heap;
    Restless restless(heap);
    static_cast<void>(heap.add(at(0), restless));
    CHECK(heap.fire(at(1), 100) == 100);
    CHECK(restless.calls == 100);
    CHECK(heap.size() == 1);
}

TEST_CASE("TimerHeap: after a mass cancel what is left is all that is kept") {
    TimerHeap heap;
    Recorder recorder;
    std::vector<TimerKey> keys;
    keys.reserve(100'000);
    for (int index = 0; index < 100'000; ++index) {
        keys.push_back(heap.add(at(1'000'000 - index), recorder));
    }
    for (std::size_t index = 0; index < keys.size(); ++index) {
        if (index % 1000 != 0) {
            heap.cancel(keys[index]);
        }
        if (index % 10'000 == 0) {
            heap.check(); // also: entries are at most twice the living
        }
    }
    heap.check();
    CHECK(heap.size() == 100);
    CHECK(heap.fire(at(1'000'000), 1000) == 100);
}

TEST_CASE("TimerHeap: 100,000 timers, added, cancelled and fired at random, behave as a multimap") {
    Pair pair(5);
    for (int index = 0; index < 100'000; ++index) {
        pair.add();
    }
    pair.check();
    bool sound = true;
    for (int step = 0; step < 100'000; ++step) {
        const bool shrinking = step / 10'000 % 2 == 1;
        const std::uint64_t draw = pair.random().below(100);
        if (draw < (shrinking ? 20U : 45U)) {
            pair.add();
        } else if (draw < 90) {
            pair.cancel_one();
        } else if (draw < 91) {
            sound = pair.fire(pair.random().skewed(1, 2000)) && sound;
        }
        sound = sound && pair.agree();
        if (step % 5000 == 0) {
            pair.check();
        }
    }
    pair.check();
    CHECK(sound);
    CHECK(pair.size() > 0);
}

} // namespace roomd
