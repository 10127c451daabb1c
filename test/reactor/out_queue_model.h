// QueueAndModel — an OutQueue and a plain list of what it should hold, led through
// the same steps.
//
// The model knows nothing of chunks, windows and merging: it is a list of units, own bytes and
// notices, each with its bytes spelt out. Every step compares what can be seen of both; the first
// difference makes sound() false for good.
#pragma once

#include "reactor/out_queue.h"
#include "test/sim/random.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

class QueueAndModel {
public:
    explicit QueueAndModel(std::uint64_t seed)
        : random_(seed), rooms_{Room{LabelRef("lobby"), {}, 1}, Room{LabelRef("ops"), {}, 1}} {}

    ~QueueAndModel() { queue_.clear(); }

    QueueAndModel(const QueueAndModel&) = delete;
    QueueAndModel& operator=(const QueueAndModel&) = delete;
    QueueAndModel(QueueAndModel&&) = delete;
    QueueAndModel& operator=(QueueAndModel&&) = delete;

    /// Kind 0: own bytes; 1 and 2: a unit of the first or second room; 3: one that nobody counts.
    void add(std::uint32_t kind, std::uint64_t bytes) {
        const std::string text = noise(bytes);
        if (kind == 0) {
            queue_.append(arena_, text);
            model_.push_back({Kind::own, text, 0, 0, 0, {}});
        } else {
            add_unit(kind, text);
        }
        compare();
    }

    /// Sends up to `bytes`, as a kernel would that takes so much; notices become words on the way.
    void take(std::uint64_t bytes) {
        while (bytes > 0 && !queue_.empty() && sound_) {
            if (queue_.notice() != nullptr) {
                resolve();
                continue;
            }
            const std::string text = gather(bytes);
            expect(!text.empty());
            queue_.consume(text.size());
            forget_sent(text);
            bytes -= std::min<std::uint64_t>(bytes, text.size());
            compare();
        }
    }

    void drop(std::uint32_t bytes_left) {
        const Dropped units = queue_.drop_oldest(arena_, bytes_left);
        const std::uint64_t dropped = units.messages + units.state;
        expect(dropped == drop_from_model(bytes_left));
        dropped_ += dropped;
        compare();
    }

    void drain_by(std::uint64_t step) {
        while (!queue_.empty() && sound_) {
            take(step);
        }
        expect(model_.empty());
    }

    void clear() {
        queue_.clear();
        model_.clear();
        compare();
    }

    /// All of it goes into another queue, as if in another process: chunks are copied, and what is
    /// said from now on is in chunks and under labels of its own.
    void hand_over() {
        std::map<const Chunk*, ChunkRef> copies;
        OutQueue next;
        for (Room& room : rooms_) {
            room = {LabelRef(room.label.get()->text()), {}, room.next};
        }
        queue_.for_each([&](const ChunkRef& chunk, std::uint32_t from, std::uint32_t to) {
            ChunkRef& copied = copies[chunk.get()];
            if (!copied) {
                copied = copy_of(*chunk);
            }
            next.restore(copied, from, to);
        });
        queue_.clear();
        queue_ = std::move(next);
        for (Item& item : model_) {
            relabel(item.lost);
        }
        compare();
    }

    [[nodiscard]] bool sound() const { return sound_; }

    [[nodiscard]] std::uint32_t bytes() const { return queue_.bytes(); }

    [[nodiscard]] std::size_t entries_most() const { return entries_most_; }

    [[nodiscard]] std::size_t notices() const { return notices_; }

    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

private:
    enum class Kind : std::uint8_t { own, unit, notice };

    struct Item {
        Kind kind;
        std::string unsent;
        std::size_t sent;
        std::size_t room;
        std::uint64_t number;
        std::vector<Lost> lost;
    };

    struct Room {
        LabelRef label;
        ChunkRef chunk;
        std::uint64_t next;
    };

    void expect(bool truth) { sound_ = sound_ && truth; }

    std::string noise(std::uint64_t bytes) {
        std::string text(bytes, '\0');
        for (char& byte : text) {
            byte = static_cast<char>(random_.next());
        }
        return text;
    }

    /// What a sequence is called now.
    LabelRef label_of(const LabelRef& old) {
        const auto same = [&](const Room& room) {
            return old.get() != nullptr && old.get()->text() == room.label.get()->text();
        };
        const auto found = std::ranges::find_if(rooms_, same);
        return found == rooms_.end() ? LabelRef() : found->label;
    }

    void relabel(std::vector<Lost>& all) {
        for (Lost& lost : all) {
            lost.label = label_of(lost.label);
        }
    }

    ChunkRef copy_of(Chunk& chunk) {
        ChunkRef copied = arena_.make(chunk.kind(), chunk.size(), label_of(chunk.label()));
        std::uint32_t begin = 0;
        for (const Mark& mark : chunk.marks()) {
            copied->append(chunk.view(begin, mark.end));
            copied->mark(mark.source, mark.number);
            begin = mark.end;
        }
        copied->append(chunk.view(begin, chunk.size()));
        copied->lost() = chunk.lost();
        relabel(copied->lost());
        return copied;
    }

    void add_unit(std::uint32_t kind, const std::string& text) {
        const std::size_t index = kind == 3 ? random_.below(2) : kind - 1;
        Room& room = rooms_[index];
        if (!room.chunk || room.chunk->room() < 2 * text.size()) {
            room.chunk = arena_.make(ChunkKind::shared, 4096, room.label);
        }
        if (random_.one_in(4)) { // one for others: a hole in this reader's windows
            room.chunk->append(text);
            room.chunk->mark(1, room.next++);
        }
        const std::uint64_t number = kind == 3 ? 0 : room.next++;
        const std::uint32_t from = room.chunk->size();
        room.chunk->append(text);
        room.chunk->mark(0, number);
        queue_.push(room.chunk, from, room.chunk->size());
        model_.push_back({Kind::unit, text, 0, index, number, {}});
    }

    std::string gather(std::uint64_t bytes_max) {
        std::array<iovec, 64> pieces{};
        const std::size_t count =
            queue_.gather(std::span(pieces).first(random_.between(1, pieces.size())), bytes_max);
        std::string text;
        for (std::size_t index = 0; index < count; ++index) {
            text.append(static_cast<const char*>(pieces[index].iov_base), pieces[index].iov_len);
        }
        expect(text.size() <= bytes_max);
        return text;
    }

    void forget_sent(std::string_view text) {
        while (!text.empty() && sound_) {
            expect(!model_.empty() && model_.front().kind != Kind::notice);
            if (!sound_) {
                return;
            }
            Item& head = model_.front();
            const std::size_t step = std::min(text.size(), head.unsent.size());
            expect(head.unsent.substr(0, step) == text.substr(0, step));
            head.unsent.erase(0, step);
            head.sent += step;
            text.remove_prefix(step);
            if (head.unsent.empty()) {
                model_.pop_front();
            }
        }
    }

    void resolve() {
        expect(!model_.empty() && model_.front().kind == Kind::notice);
        if (!sound_) {
            return;
        }
        expect(equal(*queue_.notice(), model_.front().lost));
        ++notices_;
        const std::string words = random_.one_in(5) ? "" : noise(random_.between(1, 30));
        queue_.resolve_notice(arena_, words);
        model_.pop_front();
        if (!words.empty()) {
            model_.push_front({Kind::own, words, 0, 0, 0, {}});
        }
        compare();
    }

    static bool equal(const std::vector<Lost>& left, const std::vector<Lost>& right) {
        return std::ranges::equal(left, right, [](const Lost& one, const Lost& other) {
            return one.label == other.label && one.first == other.first && one.last == other.last &&
                   one.count == other.count && one.state == other.state;
        });
    }

    std::uint64_t drop_from_model(std::uint32_t bytes_left) {
        std::uint64_t dropped = 0;
        std::size_t total = model_bytes();
        std::deque<Item> kept;
        for (Item& item : model_) {
            const bool whole = item.kind == Kind::unit && item.sent == 0;
            if (!whole || total <= bytes_left) {
                kept.push_back(std::move(item));
                continue;
            }
            total -= item.unsent.size();
            ++dropped;
            tell(kept, item);
        }
        model_ = std::move(kept);
        return dropped;
    }

    void tell(std::deque<Item>& kept, const Item& item) {
        if (kept.empty() || kept.back().kind != Kind::notice) {
            kept.push_back({Kind::notice, "", 0, 0, 0, {}});
        }
        const LabelRef& label = rooms_[item.room].label;
        std::vector<Lost>& lost = kept.back().lost;
        auto found =
            std::ranges::find_if(lost, [&](const Lost& one) { return one.label == label; });
        if (found == lost.end()) {
            found = lost.insert(lost.end(), Lost{label, 0, 0, 0, 0});
        }
        if (item.number == 0) {
            ++found->state;
            return;
        }
        found->first = found->count == 0 ? item.number : found->first;
        found->last = item.number;
        ++found->count;
    }

    [[nodiscard]] std::size_t model_bytes() const {
        std::size_t total = 0;
        for (const Item& item : model_) {
            total += item.unsent.size();
        }
        return total;
    }

    void compare() {
        queue_.check();
        std::size_t own = 0;
        for (const Item& item : model_) {
            own += item.kind == Kind::own ? item.unsent.size() : 0;
        }
        expect(queue_.bytes() == model_bytes());
        expect(queue_.own_bytes() == own);
        expect(queue_.empty() == model_.empty());
        expect(arena_.queue_list_bytes() == queue_.memory_bytes());
        expect(queue_.entries() <=
               2 * model_.size()); // own bytes may end one chunk and begin another
        entries_most_ = std::max<std::size_t>(entries_most_, queue_.entries());
    }

    sim::Random random_;
    Arena arena_;
    OutQueue queue_;
    std::deque<Item> model_;
    std::array<Room, 2> rooms_;
    std::size_t entries_most_ = 0;
    std::size_t notices_ = 0;
    std::uint64_t dropped_ = 0;
    bool sound_ = true;
};

} // namespace roomd
