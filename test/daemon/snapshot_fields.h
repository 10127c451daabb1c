// fields — the fields of a Snapshot's parts, one by one.
//
// For tests. No field is spared: a struct that gets a new one does not compile here until it is
// listed.
#pragma once

#include "daemon/snapshot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace roomd::test {

inline auto fields(const SavedLost& of) {
    const auto& [label, first, last, count, state] = of;
    return std::tie(label, first, last, count, state);
}

inline auto fields(const SavedMark& of) {
    const auto& [end, number] = of;
    return std::tie(end, number);
}

inline auto fields(const SavedChunk& of) {
    const auto& [kind, label, bytes, marks, lost] = of;
    return std::tie(kind, label, bytes, marks, lost);
}

inline auto fields(const SavedWindow& of) {
    const auto& [chunk, from, to] = of;
    return std::tie(chunk, from, to);
}

inline auto fields(const HistoryEntry& of) {
    const auto& [id, time_ms, nick, text, action, harmless] = of;
    static_cast<void>(id); // its place says it
    return std::tie(time_ms, nick, text, action, harmless);
}

inline auto fields(const SavedRoom& of) {
    const auto& [name, epoch, topic, next_id, history, empty_ms, joined, left, owner] = of;
    return std::tie(name, epoch, topic, next_id, history, empty_ms, joined, left, owner);
}

inline auto fields(const SavedReplay& of) {
    const auto& [room, next, end, first, join] = of;
    return std::tie(room, next, end, first, join);
}

inline auto fields(const SavedMember& of) {
    const auto& [nick, format, single_script, echo, ack, traces, rooms, replay, owner, ignored,
                 list, list_room] = of;
    return std::tie(nick, format, single_script, echo, ack, traces, rooms, replay, owner, ignored,
                    list, list_room);
}

inline auto fields(const SavedPatience& of) {
    const auto& [partial, soft, silent, leaving, lingering, flush_in, quiet] = of;
    return std::tie(partial, soft, silent, leaving, lingering, flush_in, quiet);
}

inline auto fields(const StreamSaved& of) {
    const auto& [phase, input_ended, write_failed, peer_finished, input, blocked] = of;
    return std::tie(phase, input_ended, write_failed, peer_finished, input, blocked);
}

inline auto fields(const DecoderSaved& of) {
    const auto& [framing, scanned, skip, http, first, skipping, flushed, dead, telnet,
                 subnegotiation, answered] = of;
    return std::tie(framing, scanned, skip, http, first, skipping, flushed, dead, telnet,
                    subnegotiation, answered);
}

inline auto fields(const BucketSaved& of) {
    const auto& [spent, age_ms] = of;
    return std::tie(spent, age_ms);
}

inline auto fields(const SavedSession& of) {
    const auto& [cookie, uri, stream, output, decoder, reason, last_format, strangers, limited,
                 begun, heard, ending, patience, member, source, rates, parked] = of;
    return std::tie(cookie, uri, stream, output, decoder, reason, last_format, strangers, limited,
                    begun, heard, ending, patience, member, source, rates, parked);
}

inline auto fields(const SavedListener& of) {
    const auto& [uri, address, name, datagram, locked] = of;
    return std::tie(uri, address, name, datagram, locked);
}

inline auto fields(const Sources::Saved& of) {
    const auto& [source, recent, age_ms, rates] = of;
    return std::tie(source, recent, age_ms, rates);
}

inline auto fields(const SavedTraffic& of) {
    const auto& [bytes_read, bytes_written, read_calls, write_calls] = of;
    return std::tie(bytes_read, bytes_written, read_calls, write_calls);
}

inline auto fields(const Counters& of) {
    const auto& [accepted, refused, closed, payloads, commands_refused, said, datagrams,
                 datagrams_dropped, limited, invalid, delivered, dropped, state_dropped, gaps,
                 accept_errors, hits, closes] = of;
    return std::tie(accepted, refused, closed, payloads, commands_refused, said, datagrams,
                    datagrams_dropped, limited, invalid, delivered, dropped, state_dropped, gaps,
                    accept_errors, hits, closes);
}

inline auto fields(const Snapshot& of) {
    const auto& [made_by, frozen_us, lockdown, last_epoch, guests, labels, chunks, rooms, sessions,
                 listeners, sources, counters, traffic] = of;
    return std::tie(made_by, frozen_us, lockdown, last_epoch, guests, labels, chunks, rooms,
                    sessions, listeners, sources, counters, traffic);
}

template <typename Value>
concept Parted = requires(const Value& value) {
    fields(value);
};

template <typename Value>
bool same(const Value& one, const Value& other);

template <typename Value, std::size_t Size>
bool same(const std::array<Value, Size>& one, const std::array<Value, Size>& other);

template <typename Value>
bool same(const std::optional<Value>& one, const std::optional<Value>& other) {
    return one.has_value() == other.has_value() && (!one || same(*one, *other));
}

template <typename Items>
bool same_items(const Items& one, const Items& other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                      [](const auto& left, const auto& right) { return same(left, right); });
}

template <typename Value>
bool same(const std::vector<Value>& one, const std::vector<Value>& other) {
    return same_items(one, other);
}

template <typename Value, std::size_t Size>
bool same(const std::array<Value, Size>& one, const std::array<Value, Size>& other) {
    return same_items(one, other);
}

template <typename Value>
bool same(const Value& one, const Value& other) {
    if constexpr (Parted<Value>) {
        return std::apply(
            [&](const auto&... left) {
                return std::apply([&](const auto&... right) { return (same(left, right) && ...); },
                                  fields(other));
            },
            fields(one));
    } else {
        return one == other;
    }
}

/// Each field, by its place: that it came back, and that it is something else than what a reader
/// takes for a missing one, in one of `sent` at least.
template <typename Value, std::size_t... Places>
void check_fields(const char* what, const std::vector<Value>& sent,
                  const std::vector<Value>& received, std::index_sequence<Places...> /*places*/) {
    CHECK_MESSAGE(sent.size() == received.size(), what);
    const Value none{};
    const auto check_one = [&]<std::size_t Place>() {
        bool set = false;
        for (std::size_t index = 0; index < std::min(sent.size(), received.size()); ++index) {
            const auto& before = std::get<Place>(fields(sent[index]));
            set = set || !same(before, std::get<Place>(fields(none)));
            CHECK_MESSAGE(same(before, std::get<Place>(fields(received[index]))), what, " ", index,
                          ": field ", Place, " is another");
        }
        CHECK_MESSAGE(set, what, ": field ", Place, " is never set");
    };
    (check_one.template operator()<Places>(), ...);
}

template <typename Value>
void check_fields(const char* what, const std::vector<Value>& sent,
                  const std::vector<Value>& received) {
    constexpr std::size_t count = std::tuple_size_v<decltype(fields(std::declval<Value>()))>;
    check_fields(what, sent, received, std::make_index_sequence<count>());
}

/// The parts of that kind in all of them.
template <typename Part, typename Whole, typename Get>
std::vector<Part> parts(const std::vector<Whole>& wholes, Get&& get) {
    std::vector<Part> all;
    for (const Whole& whole : wholes) {
        const auto& some = get(whole);
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

template <typename Part, typename Whole, typename Get>
std::vector<Part> present(const std::vector<Whole>& wholes, Get&& get) {
    std::vector<Part> all;
    for (const Whole& whole : wholes) {
        if (const auto& part = get(whole)) {
            all.push_back(*part);
        }
    }
    return all;
}

template <typename Part, typename Whole, typename Get>
std::vector<Part> each(const std::vector<Whole>& wholes, Get&& get) {
    std::vector<Part> all;
    all.reserve(wholes.size());
    for (const Whole& whole : wholes) {
        all.push_back(get(whole));
    }
    return all;
}

} // namespace roomd::test
