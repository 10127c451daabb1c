// What deciding where bytes go costs: histories, rooms, the hub; members are fakes that count.
#include "bench/micro/trial.h"
#include "daemon/hub.h"
#include "daemon/room.h"
#include "daemon/room_history.h"

#include <deque>
#include <string>
#include <string_view>

namespace roomd::bench::micro {

namespace {

constexpr Dialect dialect{Framing::frame, Format::event};
constexpr std::uint64_t noon_ms = 1'700'000'000'000;
constexpr std::uint32_t speaker_slot = 1U << 20U; // nobody's who is seated

class Listener final : public Recipient {
public:
    void deliver(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to,
                 SlowPolicy /*policy*/) override {
        keep(chunk);
        bytes_ += to - from;
    }

    void deliver(std::string_view bytes) override { bytes_ += bytes.size(); }

    [[nodiscard]] bool congested() const override { return false; }

    void resume() override {}

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    std::uint64_t bytes_ = 0;
};

Room make_room() {
    return Room(std::get<Name>(Name::parse("lobby", NameKind::room, ScriptPolicy::any)), "e1",
                {1'000, 1U << 20U}, SlowPolicy::by_format);
}

void add_to_history(Trial& trial, std::size_t size) {
    const std::string text(size, 'x');
    RoomHistory history({1'000, 1U << 20U});
    trial.run([&] { history.add({0, noon_ms, "ann", text, false, true}); });
    if (history.at(history.next() - 1).text != text) {
        trial.fail("the history does not hold what was added");
    }
}

/// A tick with one message: written once, handed to each of so many. Per member.
void hand_out(Trial& trial, std::uint32_t members) {
    Arena arena;
    Room room = make_room();
    std::deque<Listener> listeners(members);
    std::uint32_t slot = 0;
    for (Listener& listener : listeners) {
        static_cast<void>(room.seat(dialect, listener, slot++));
    }
    const std::string unit(100, 'x');
    std::uint64_t id = 0;
    trial.run(members, [&] {
        room.append(arena, dialect, unit, speaker_slot, ++id);
        room.hand_out();
        static_cast<void>(room.release_runs());
    });
    for (const Listener& listener : listeners) {
        if (listener.bytes() != id * unit.size()) {
            trial.fail("a member did not hear everything");
            return;
        }
    }
}

/// Ticks in which everybody of ten speaks once, and nobody hears itself. Per message and member.
void hand_out_pieces(Trial& trial) {
    constexpr std::uint32_t members = 10;
    Arena arena;
    Room room = make_room();
    std::deque<Listener> listeners(members);
    std::uint32_t slots = 0;
    for (Listener& listener : listeners) {
        static_cast<void>(room.seat(dialect, listener, slots++));
    }
    const std::string unit(100, 'x');
    std::uint64_t id = 0;
    trial.run(std::size_t{members} * (members - 1), [&] {
        for (std::uint32_t slot = 0; slot < members; ++slot) {
            room.append(arena, dialect, unit, slot, ++id);
            room.mark_spoke(dialect, slot);
        }
        room.hand_out();
        static_cast<void>(room.release_runs());
    });
    if (listeners.front().bytes() != id / members * (members - 1) * unit.size()) {
        trial.fail("a member did not hear all but itself");
    }
}

/// A message from the command to the acknowledgement, in a room where nobody else is; 512 a tick.
void say(Trial& trial) {
    constexpr std::size_t messages = 512;
    const Limits limits;
    Counters counters;
    Arena arena;
    Hub hub(limits, counters, arena, {1, 2});
    hub.set_time({}, noon_ms);
    Listener speaker;
    const Key key = hub.enter(speaker, dialect, ScriptPolicy::any);
    hub.join_default(key, "lobby");
    const std::string text(64, 'x');
    trial.run(messages, [&] {
        for (std::size_t count = 0; count < messages; ++count) {
            hub.apply(key, Text{text}, true);
        }
        hub.hand_out();
        hub.after_flush();
    });
    if (speaker.bytes() == 0) {
        trial.fail("nothing was acknowledged");
    }
    hub.leave(key, "quit");
}

} // namespace

void add_daemon(Trials& trials) {
    trials.add("history/add, 64 B", [](Trial& trial) { add_to_history(trial, 64); });
    trials.add("history/add, 4 KiB", [](Trial& trial) { add_to_history(trial, 4'096); });
    trials.add("room/hand out to 10", [](Trial& trial) { hand_out(trial, 10); });
    trials.add("room/hand out to 1,000", [](Trial& trial) { hand_out(trial, 1'000); });
    trials.add("room/hand out to 10,000", [](Trial& trial) { hand_out(trial, 10'000); });
    trials.add("room/hand out when all of 10 spoke", hand_out_pieces);
    trials.add("hub/say and acknowledge", say);
}

} // namespace roomd::bench::micro
