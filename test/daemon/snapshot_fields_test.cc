// Every field of a snapshot through its bytes and back.
#include "test/daemon/snapshot_fields.h"

#include "daemon/snapshot_format.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace roomd {

using test::check_fields;
using test::each;
using test::parts;
using test::present;

namespace {

/// Whether the bit of that place is set: so each of several flags is sometimes the only one.
bool flag(std::size_t number, unsigned place) {
    return ((number >> place) & 1U) != 0;
}

/// As much of everything as a state may hold at once.
class Full {
public:
    Full() {
        snapshot.made_by = "1.2.3";
        snapshot.frozen_us = 11;
        snapshot.lockdown = true;
        snapshot.last_epoch = 12;
        snapshot.guests = 13;
        snapshot.labels = {"lobby", "ops"};
        snapshot.chunks = {{ChunkKind::shared, 1, "one|two|three", {{4, 7}, {8, 0}, {13, 9}}, {}},
                           {ChunkKind::own, no_index, "an answer", {}, {}},
                           {ChunkKind::notice, 0, {}, {}, {{1, 3, 6, 2, 4}, {0, 0, 0, 0, 5}}},
                           {ChunkKind::direct, no_index, "a word", {}, {}}};
        const HistoryEntry said{0, 1'700'000'000'000, "ann", "good morning", false, true};
        const HistoryEntry done{0, 1'700'000'000'001, "bob", "waves\x07", true, false};
        snapshot.rooms = {{"Lobby", "k3", "Release at five", 40, {said, done}, 0, 5, 6, 7},
                          {"ops", "k4", {}, 2, {}, 61'000, 0, 0, 0}};
        for (std::size_t number = 0; number < 16; ++number) {
            add_member(number);
            add_silent(number);
            add_ending(number);
        }
        for (std::size_t number = 0; number < 4; ++number) {
            snapshot.listeners.push_back(
                {"tcp://*", "[::1]:1", "web", flag(number, 0), flag(number, 1)});
        }
        snapshot.sources = {
            {{21, 22}, 23, 24, Rates::Saved{{{0.5, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}}},
            {{0, 25}, 0, 0, {}}};
        snapshot.traffic = {31, 32, 33, 34};
        std::uint64_t count = 100;
        Counters& counters = snapshot.counters.emplace();
        for (const CounterField& total : counter_fields()) {
            counters.*total.field = ++count;
        }
        std::ranges::generate(counters.hits, [&] { return ++count; });
        std::ranges::generate(counters.closes, [&] { return ++count; });
    }

    Snapshot snapshot;

private:
    SavedSession& add(std::size_t number) {
        SavedSession& session = snapshot.sessions.emplace_back();
        session.cookie = 1000 + number;
        session.uri = "tcp://127.0.0.1:0?framing=line";
        session.heard = flag(number, 0);
        session.strangers = flag(number, 1);
        session.stream.input_ended = flag(number, 2);
        session.stream.peer_finished = flag(number, 1);
        session.stream.input = "half a li";
        return session;
    }

    void add_member(std::size_t number) {
        SavedSession& session = add(number);
        session.begun = true;
        session.decoder.framing = Framing::line;
        session.decoder.scanned = 3;
        session.decoder.http = static_cast<std::uint8_t>(number % 15);
        session.decoder.first_line = flag(number, 1);
        SavedMember& member = session.member.emplace();
        nicks_.push_back("ann-" + std::to_string(number));
        member.nick = nicks_.back();
        member.format = static_cast<Format>(number % 3);
        member.single_script = flag(number, 0);
        member.echo = flag(number, 1);
        member.ack = flag(number, 2);
        member.traces = flag(number, 3);
        member.owner = number * 3;
        member.ignored = number == 6 ? std::vector<std::string_view>{"mal", "spam"}
                                     : std::vector<std::string_view>{};
        member.list = number == 2 ? "who" : number == 4 ? "rooms" : "";
        member.list_room = number == 2 ? "Ops" : "";
        session.stream.write_failed = number == 3; // nothing waits for it
        if (number % 2 == 0) {
            member.rooms = {1, 0};
            session.parked = number == 0 ? "" : "/say ops later";
            session.stream.blocked = std::chrono::milliseconds(number);
        } else {
            member.rooms = {0};
            member.replay = number == 1 ? SavedReplay{1, 2, UINT64_MAX, 1, true}
                                        : SavedReplay{0, 38, 40, 37, number == 3};
        }
        session.limited = flag(number, 3);
        if (session.limited) {
            session.source = {51 + number, 61 + number};
            session.rates = {{{0.25, 1}, {2e9, 2}, {3.5, 3}, {4, 4}, {5.125, 5 + number}}};
        }
        if (number == 5) {
            session.output = {{0, 2, 4}, {2, 0, 0}, {0, 8, 13}, {1, 3, 9}};
        }
    }

    void add_silent(std::size_t number) {
        SavedSession& session = add(number);
        session.decoder.framing = number < 4 ? Framing::frame : Framing::line;
        session.decoder.skip = number < 4 ? 70'000 : 0;
        session.decoder.skipping_line = flag(number, 2);
        session.decoder.after_flush = flag(number, 3);
        session.decoder.telnet = flag(number, 0);
        session.decoder.subnegotiation = number >= 4 && flag(number, 1);
        session.decoder.answered = static_cast<std::uint8_t>(number);
        const auto ms = static_cast<std::uint32_t>(number);
        session.patience = {71 + ms, 72 + ms, 73 + ms, 74 + ms, 75 + ms, std::nullopt, 76 + ms};
        if (number > 0) {
            session.patience->flush_in_ms = ms - 1;
        }
    }

    void add_ending(std::size_t number) {
        SavedSession& session = add(number);
        session.ending = true;
        session.stream.phase = flag(number, 0) ? StreamPhase::draining : StreamPhase::lingering;
        session.reason = static_cast<CloseReason>(number % close_reason_count);
        session.last_format = static_cast<Format>(number % 3);
        session.decoder.framing = static_cast<Framing>(number % 4);
        session.decoder.dead = flag(number, 1);
    }

    std::deque<std::string> nicks_;
};

void check_sessions(const std::vector<SavedSession>& sent,
                    const std::vector<SavedSession>& received) {
    check_fields("session", sent, received);
    const auto streams = [](const SavedSession& session) { return session.stream; };
    check_fields("stream", each<StreamSaved>(sent, streams), each<StreamSaved>(received, streams));
    const auto decoders = [](const SavedSession& session) { return session.decoder; };
    check_fields("decoder", each<DecoderSaved>(sent, decoders),
                 each<DecoderSaved>(received, decoders));
    const auto windows = [](const SavedSession& session) { return session.output; };
    check_fields("window", parts<SavedWindow>(sent, windows),
                 parts<SavedWindow>(received, windows));
    const auto rates = [](const SavedSession& session) { return session.rates; };
    check_fields("bucket", parts<BucketSaved>(sent, rates), parts<BucketSaved>(received, rates));
    const auto patience = [](const SavedSession& session) { return session.patience; };
    check_fields("patience", present<SavedPatience>(sent, patience),
                 present<SavedPatience>(received, patience));
    const auto members = [](const SavedSession& session) { return session.member; };
    const std::vector<SavedMember> before = present<SavedMember>(sent, members);
    const std::vector<SavedMember> after = present<SavedMember>(received, members);
    check_fields("member", before, after);
    const auto replays = [](const SavedMember& member) { return member.replay; };
    check_fields("replay", present<SavedReplay>(before, replays),
                 present<SavedReplay>(after, replays));
}

} // namespace

TEST_CASE("snapshot: each single field comes back from its bytes") {
    const Full full;
    const Snapshot& sent = full.snapshot;
    const std::string bytes = encode_snapshot(sent);
    std::string error;
    const std::optional<Snapshot> received = decode_snapshot(bytes, error);
    REQUIRE_MESSAGE(received, error);
    check_fields<Snapshot>("snapshot", {sent}, {*received});
    check_fields("chunk", sent.chunks, received->chunks);
    const auto marks = [](const SavedChunk& chunk) { return chunk.marks; };
    check_fields("mark", parts<SavedMark>(sent.chunks, marks),
                 parts<SavedMark>(received->chunks, marks));
    const auto lost = [](const SavedChunk& chunk) { return chunk.lost; };
    check_fields("lost", parts<SavedLost>(sent.chunks, lost),
                 parts<SavedLost>(received->chunks, lost));
    check_fields("room", sent.rooms, received->rooms);
    const auto history = [](const SavedRoom& room) { return room.history; };
    check_fields("history", parts<HistoryEntry>(sent.rooms, history),
                 parts<HistoryEntry>(received->rooms, history));
    check_sessions(sent.sessions, received->sessions);
    check_fields("listener", sent.listeners, received->listeners);
    check_fields("source", sent.sources, received->sources);
    check_fields<Counters>("counters", {*sent.counters}, {*received->counters});
    check_fields<SavedTraffic>("traffic", {*sent.traffic}, {*received->traffic});
}

TEST_CASE("snapshot: one of nothing comes back as one of nothing") {
    const Snapshot sent;
    std::string error;
    const std::string bytes = encode_snapshot(sent);
    const std::optional<Snapshot> received = decode_snapshot(bytes, error);
    REQUIRE_MESSAGE(received, error);
    CHECK(test::same(sent, *received));
}

} // namespace roomd
