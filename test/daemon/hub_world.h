// HubWorld — a hub with members that are only ears, for tests.
//
// An HubEar is the fake Recipient: it writes down what it hears, and can keep the chunks as a slow
// reader does. The world owns the ears and everything the hub borrows; it tells the hub the time,
// and checks the hub's invariants with every tick. Knows nothing of what should be heard.
#pragma once

#include "daemon/hub.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

/// The payloads of a piece of stream, without their framing; all must be whole.
inline std::vector<std::string> payloads_of(Framing framing, std::string_view stream) {
    std::vector<std::string> payloads;
    while (!stream.empty()) {
        std::size_t size = stream.find('\n');
        std::size_t header = 0;
        if (framing == Framing::frame) {
            header = frame_header_bytes;
            REQUIRE(stream.size() >= header);
            size = 0;
            for (const char byte : stream.substr(0, header)) {
                size = size * 256 + static_cast<unsigned char>(byte);
            }
        }
        REQUIRE(size <= stream.size() - header);
        payloads.emplace_back(stream.substr(header, size));
        stream.remove_prefix(header + size + (framing == Framing::line ? 1 : 0));
    }
    return payloads;
}

class HubEar final : public Recipient {
public:
    void deliver(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to,
                 SlowPolicy policy) override {
        REQUIRE(from < to);
        heard += chunk->view(from, to);
        std::uint64_t& messages = tally == nullptr ? uncounted_ : *tally;
        const std::vector<Mark>& marks = chunk->marks();
        for (std::size_t index = chunk->mark_behind(from);
             index < marks.size() && marks[index].end <= to; ++index) {
            messages += marks[index].number != 0 ? 1U : 0U;
        }
        last_policy = policy;
        ++windows;
        if (slow) {
            kept_.push_back({chunk, from, to, std::string(chunk->view(from, to))});
        }
    }

    void deliver(std::string_view bytes) override {
        REQUIRE(!bytes.empty());
        heard += bytes;
    }

    [[nodiscard]] bool congested() const override { return is_congested; }

    [[nodiscard]] std::size_t unsent_bytes() const override { return unsent; }

    void deliver_direct(std::string_view bytes) override {
        ++private_pieces;
        deliver(bytes);
    }

    void resume() override { ++resumed; }

    /// A slow reader has caught up: what it kept is still what it was given.
    void let_go() {
        for (const Kept& kept : kept_) {
            REQUIRE(kept.chunk->view(kept.from, kept.to) == kept.bytes);
        }
        kept_.clear();
    }

    std::string heard;
    std::uint64_t* tally = nullptr; // messages heard by all ears of a world
    SlowPolicy last_policy = SlowPolicy::by_format;
    int windows = 0;
    int resumed = 0;
    int private_pieces = 0;
    std::size_t unsent = 0;
    bool slow = false;
    bool is_congested = false;

private:
    struct Kept {
        ChunkRef chunk;
        std::uint32_t from;
        std::uint32_t to;
        std::string bytes;
    };

    std::vector<Kept> kept_;
    std::uint64_t uncounted_ = 0;
};

/// A member as a test sees it.
struct Person {
    Key key;
    std::unique_ptr<HubEar> ear;
    Framing framing;

    /// What was heard since the last call.
    [[nodiscard]] std::vector<std::string> take() const {
        return payloads_of(framing, std::exchange(ear->heard, {}));
    }
};

class HubWorld {
public:
    HubWorld() {
        hub.set_time(now, wall);
        reconfigure({});
    }

    void reconfigure(const std::vector<RoomSpec>& rooms) { hub.configure("roomd", "1.0", rooms); }

    /// In no room yet.
    Person enter(Framing framing, Format format, ScriptPolicy scripts = ScriptPolicy::any) {
        Person person{{}, std::make_unique<HubEar>(), framing};
        person.ear->tally = &messages_heard;
        person.key = hub.enter(*person.ear, {framing, format}, scripts);
        return person;
    }

    /// A program that speaks events over frames, under this name, in these rooms.
    Person program(std::string_view nick, const std::vector<std::string>& rooms = {}) {
        Person person = enter(Framing::frame, Format::event);
        hub.apply(person.key, SetNick{nick});
        for (const std::string& room : rooms) {
            hub.apply(person.key, Join{room, {}});
        }
        tick();
        static_cast<void>(person.take());
        return person;
    }

    void say(const Person& person, std::string_view text) {
        hub.apply(person.key, Text{text}, true);
    }

    void say(const Person& person, std::string_view room, std::string_view text) {
        hub.apply(person.key, Say{room, text}, true);
    }

    /// The tick's end, and the next one's beginning.
    void tick(Duration later = std::chrono::milliseconds(1)) {
        hub.hand_out();
        REQUIRE((counters.messages_delivered == messages_heard || !all_are_ears));
        hub.after_flush();
        hub.check();
        now += later;
        wall += static_cast<WallTime>(
            std::chrono::duration_cast<std::chrono::milliseconds>(later).count());
        hub.set_time(now, wall);
    }

    /// Ticks until something about once a second is due, and does it.
    void second(Duration later = std::chrono::seconds(1)) {
        tick(later);
        hub.on_second();
        tick();
    }

    Limits limits;
    Counters counters;
    std::uint64_t messages_heard = 0;
    bool all_are_ears = true; // false: a test has members of its own
    Arena arena; // outlives the chunks that ears keep: persons are to die before the world
    Hub hub{limits, counters, arena, {1, 2}};
    TimePoint now{std::chrono::hours(1)};
    WallTime wall = 1'700'000'000'000;
};

using Payloads = std::vector<std::string>;

} // namespace roomd
