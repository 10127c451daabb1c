#include "daemon/room.h"

#include <algorithm>
#include <cassert>

namespace roomd {

namespace {
constexpr std::size_t spare_seats_max = 16;
} // namespace

Room::Room(Name room_name, std::string room_epoch, HistoryLimits history_limits,
           SlowPolicy slow_policy)
    : name(std::move(room_name)), epoch(std::move(room_epoch)), history(history_limits),
      slow(slow_policy), label_(name.folded()) {}

void Room::append(Arena& arena, Dialect dialect, std::string_view bytes, std::uint32_t source,
                  std::uint64_t number) {
    const std::size_t index = dialect.index();
    Run& run = runs_[index];
    if (run.chunk && run.begin == run.chunk->size() && run.chunk->references() == 1) {
        run.chunk->restart();
        run.begin = 0;
    }
    if (!run.chunk || run.chunk->room() < bytes.size()) {
        hand_out(index);
        if (run.chunk) { // it was too small for what this room says in a tick
            run.capacity_next = std::min(run.chunk->capacity() * 2, Arena::chunk_bytes_max);
        }
        const auto needed = static_cast<std::uint32_t>(bytes.size());
        run.chunk = arena.make(ChunkKind::shared, std::max(run.capacity_next, needed), label_);
        run.begin = 0;
    }
    run.chunk->append(bytes);
    run.chunk->mark(source, number);
    run.said += static_cast<std::uint32_t>(bytes.size());
}

void Room::hand_out() {
    for (std::size_t index = 0; index < Dialect::count; ++index) {
        hand_out(index);
    }
}

void Room::hand_out(std::size_t index) {
    Run& run = runs_[index];
    if (!run.chunk || run.begin == run.chunk->size()) {
        return;
    }
    const std::uint32_t end = run.chunk->size();
    for (Seat& seat : seats[index]) {
        if (seat.skip == 0) {
            seat.recipient->deliver(run.chunk, run.begin, end, slow);
        } else if ((seat.skip & Seat::held) != 0) {
            seat.skip = Seat::held;
            delivered_ -= messages_in(run);
        } else {
            serve(run, seat);
            seat.skip = 0;
        }
    }
    run.begin = end;
    delivered_ += messages_in(run) * static_cast<std::int64_t>(seats[index].size());
    run.next = static_cast<std::uint32_t>(history.next());
}

bool Room::catch_up(Dialect dialect, std::uint32_t seat) {
    const Run& run = runs_[dialect.index()];
    if (run.chunk && run.begin != run.chunk->size()) {
        Seat& served = seats[dialect.index()][seat];
        if ((served.skip & Seat::held) != 0) {
            return false;
        }
        serve(run, served);
        served.skip = run.chunk->size();
        return true;
    }
    return false;
}

void Room::serve(const Run& run, Seat& seat) const {
    const std::uint32_t end = run.chunk->size();
    std::uint32_t from = std::max(run.begin, seat.skip & ~(Seat::spoke | Seat::held));
    if ((seat.skip & Seat::spoke) == 0) {
        if (from < end) {
            seat.recipient->deliver(run.chunk, from, end, slow);
        }
        return;
    }
    const std::vector<Mark>& marks = run.chunk->marks();
    std::uint32_t unit_begin = from;
    for (std::size_t index = run.chunk->mark_behind(from); index < marks.size(); ++index) {
        if (marks[index].source == seat.member_slot) {
            if (from < unit_begin) {
                seat.recipient->deliver(run.chunk, from, unit_begin, slow);
            }
            from = marks[index].end;
        }
        unit_begin = marks[index].end;
    }
    if (from < end) {
        seat.recipient->deliver(run.chunk, from, end, slow);
    }
}

void Room::hold(Dialect dialect, std::uint32_t seat) {
    const Run& run = runs_[dialect.index()];
    if (run.chunk && run.begin != run.chunk->size()) {
        delivered_ += messages_in(run); // it has caught up; hand_out() will count it out
    }
    seats[dialect.index()][seat].skip = Seat::held;
}

void Room::release(Dialect dialect, std::uint32_t seat) {
    const Run& run = runs_[dialect.index()];
    const bool open = run.chunk && run.begin != run.chunk->size();
    seats[dialect.index()][seat].skip = open ? run.chunk->size() : 0;
    if (open) {
        delivered_ -= messages_in(run); // replayed, or before it was held
    }
}

void Room::pass_over(Dialect dialect, std::uint32_t seat) {
    const Run& run = runs_[dialect.index()];
    Seat& passed = seats[dialect.index()][seat];
    if (run.chunk && run.begin != run.chunk->size() && (passed.skip & Seat::held) == 0) {
        passed.skip = run.chunk->size();
    }
}

void Room::check() const {
    std::size_t seated = 0;
    for (std::size_t index = 0; index < Dialect::count; ++index) {
        const Run& run = runs_[index];
        const bool open = run.chunk && run.begin != run.chunk->size();
        assert(!run.chunk || run.begin <= run.chunk->size());
        for (const Seat& seat : seats[index]) {
            const std::uint32_t from = seat.skip & ~(Seat::spoke | Seat::held);
            assert(open ? from <= run.chunk->size()
                        : seat.skip == 0 || (seat.skip & Seat::held) != 0);
            static_cast<void>(from);
        }
        static_cast<void>(open);
        seated += seats[index].size();
    }
    assert(seated == members_);
    static_cast<void>(seated);
}

bool Room::release_runs() {
    bool released = true;
    for (Run& run : runs_) {
        if (run.chunk && run.begin == run.chunk->size() && run.chunk->references() == 1) {
            if (run.said < run.capacity_next / 8) {
                run.capacity_next = std::max(run.capacity_next / 2, Arena::chunk_bytes_min);
            }
            run.chunk = {};
            run.begin = 0;
            run.said = 0;
        }
        released = released && !run.chunk;
    }
    return released;
}

std::uint32_t Room::seat(Dialect dialect, Recipient& recipient, std::uint32_t member_slot) {
    std::vector<Seat>& row = seats[dialect.index()];
    Run& run = runs_[dialect.index()];
    const bool open = run.chunk && run.begin != run.chunk->size();
    row.push_back({&recipient, member_slot, open ? run.chunk->size() : 0});
    if (open) {
        delivered_ -= messages_in(run); // said before it came
    } else {
        run.next = static_cast<std::uint32_t>(history.next()); // nobody was here to hear others
    }
    ++members_;
    return static_cast<std::uint32_t>(row.size() - 1);
}

std::uint32_t Room::unseat(Dialect dialect, std::uint32_t seat) {
    std::vector<Seat>& row = seats[dialect.index()];
    assert(seat < row.size());
    --members_;
    const Run& run = runs_[dialect.index()];
    if (run.chunk && run.begin != run.chunk->size() && (row[seat].skip & Seat::held) == 0) {
        delivered_ += messages_in(run); // it has caught up before it goes
    }
    const bool is_last = seat + 1 == row.size();
    row[seat] = row.back();
    row.pop_back();
    if (row.capacity() > spare_seats_max && row.size() < row.capacity() / 4) {
        row.shrink_to_fit(); // a room that was full once must not stay as large for ever
    }
    return is_last ? UINT32_MAX : row[seat].member_slot;
}

} // namespace roomd
