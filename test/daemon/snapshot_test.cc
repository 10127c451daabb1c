// A server in every state that a connection can be in, as bytes and back; and what becomes of bytes
// that were cut, damaged, or written by another version.
#include "daemon/sip_hash.h"
#include "daemon/snapshot_format.h"
#include "daemon/snapshot_records.h"
#include "test/daemon/second_life.h"
#include "test/daemon/server_world.h"
#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace roomd {

namespace {

/// Connections of every framing and format, in every state that outlives a tick.
struct RichWorld : ServerWorld {
    RichWorld() {
        config.limits.queue_soft_bytes = 8 * 1024;
        config.limits.queue_bytes_max = 24 * 1024;
        config.limits.reply_bytes_max = 4 * 1024;
        config.limits.history_messages_max = 60;
        config.limits.messages_burst_max = 10'000;
        RoomSpec jam;
        jam.name = "jam";
        jam.slow = SlowPolicy::wait;
        config.rooms = {jam};
        listen("tcp://127.0.0.1:0?room=lobby");
        listen("tcp://127.0.0.1:0?framing=echo");
        listen("tcp://127.0.0.1:0?framing=line&flush=60000&limits=on");
        listen_unix("room=");
        start();
        fill();
    }

    void fill() {
        clients.push_back(program("ann", "lobby"));
        Client& ann = clients.back();
        ann.send("/join ops");
        ann.send("/topic ops Release at five");
        settle(ann);
        clients.push_back(connect(Framing::line)); // a person
        clients.back().send("good morning");
        clients.push_back(connect(Framing::frame)); // a program without events
        clients.back().send("plain words");
        clients.push_back(connect(Framing::frame)); // says nothing: nobody knows what it is
        clients.push_back(connect(Framing::frame));
        clients.back().peer.say(std::string_view("\0\0\0\5ha", 6)); // half a frame
        clients.push_back(connect(Framing::line, 1));
        clients.back().peer.say("echo this");
        clients.push_back(connect(Framing::line, 2)); // of a limited source, with half a line
        clients.back().send("once");
        clients.back().peer.say("half a li");
        gaps();
        replay();
        park();
        settle(clients.front());
    }

    // Two that read nothing. One loses the middle of what it was to hear; the other, who cannot be
    // told, has had its goodbye, and does not take that either.
    void gaps() {
        clients.push_back(connect(Framing::frame, 3));
        clients.back().send("/join noise");
        clients.push_back(program("lossy", "noise", 3));
        Client speaker = program("noisy", "noise", 3);
        const std::string text(900, 'n');
        for (int count = 0; count < 400; ++count) {
            speaker.send(text);
            settle(speaker);
        }
        clients.push_back(std::move(speaker));
    }

    // Wants more of the past than it reads.
    void replay() {
        clients.push_back(connect(Framing::frame, 3));
        clients.back().send("/hello 1 nick=late");
        for (int count = 0; count < 12; ++count) {
            clients.back().send("/join noise last=60");
            clients.back().send("/leave noise");
        }
        clients.back().send("/join noise last=60");
        const auto stuck = [](const SavedSession& session) {
            return session.member && session.member->replay && session.stream.blocked;
        };
        REQUIRE(until([&] { // the kernel holds no more of it, and the replay waits
            const Snapshot now = server->save();
            return std::any_of(now.sessions.begin(), now.sessions.end(), stuck);
        }));
        settle(clients.front());
    }

    // A reader of a room that waits for it, and somebody who waits to speak there.
    void park() {
        clients.push_back(program("stuck", "jam", 3));
        clients.push_back(program("eager", "jam", 3));
        const std::size_t eager = clients.size() - 1;
        const auto held = [](const SavedSession& session) {
            return session.stream.input.size() >= 900; // whole, and not consumed
        };
        for (bool waits = false; !waits;) {
            clients[eager].send("/say jam " + std::string(900, 'j'));
            settle(clients.front());
            const Snapshot now = server->save();
            waits = std::any_of(now.sessions.begin(), now.sessions.end(), held);
        }
    }

    std::deque<Client> clients; // those that are there stay where they are
};

/// The bytes, with a header that fits whatever became of the body.
void seal(std::string& bytes) {
    const std::string_view body = std::string_view(bytes).substr(snapshot_header_bytes);
    BodyReader versions(std::string_view(bytes).substr(snapshot_magic.size()));
    const std::uint32_t version = versions.u32();
    const std::uint32_t readable_from = versions.u32();
    std::string header(snapshot_magic);
    RecordWriter out(header);
    out.u32(version);
    out.u32(readable_from);
    out.u64(body.size());
    out.u64(sip_hash({version, readable_from}, body));
    bytes.replace(0, snapshot_header_bytes, header);
}

std::string with_versions(std::string bytes, std::uint32_t version, std::uint32_t readable_from) {
    std::string numbers;
    RecordWriter out(numbers);
    out.u32(version);
    out.u32(readable_from);
    bytes.replace(snapshot_magic.size(), numbers.size(), numbers);
    seal(bytes);
    return bytes;
}

std::string refusal(std::string_view bytes) {
    std::string error;
    const std::optional<Snapshot> snapshot = decode_snapshot(bytes, error);
    CHECK(snapshot.has_value() == error.empty());
    return error;
}

/// A record that no version has, in front of `body`.
std::string stranger() {
    std::string bytes;
    RecordWriter out(bytes);
    out.begin(static_cast<Tag>(60'000));
    out.bytes("what a later version knows");
    out.end();
    return bytes;
}

template <typename Items, typename Test>
std::size_t count_of(const Items& items, Test&& test) {
    return static_cast<std::size_t>(std::count_if(items.begin(), items.end(), test));
}

} // namespace

TEST_CASE("snapshot: a whole server comes back from its bytes as it was") {
    RichWorld world;
    const Snapshot before = world.server->save();
    const auto& sessions = before.sessions;
    // All of it is there to be lost.
    CHECK(count_of(before.chunks, [](const auto& c) { return c.kind == ChunkKind::notice; }) > 0);
    CHECK(count_of(before.chunks, [](const auto& c) { return c.kind == ChunkKind::shared; }) > 0);
    CHECK(count_of(sessions, [](const auto& s) { return s.member && s.member->replay; }) > 0);
    CHECK(count_of(sessions, [](const auto& s) { return s.stream.input.size() >= 900; }) > 0);
    CHECK(count_of(sessions, [](const auto& s) { return s.limited; }) > 0);
    CHECK(count_of(sessions, [](const auto& s) { return !s.begun; }) > 0);
    CHECK(count_of(sessions, [](const auto& s) { return !s.stream.input.empty(); }) > 1);
    CHECK(count_of(sessions, [](const auto& s) { return s.stream.blocked.has_value(); }) > 0);
    CHECK(count_of(sessions, [](const auto& s) { return s.ending; }) > 0);
    for (const Format format : {Format::human, Format::plain, Format::event}) {
        CHECK(count_of(sessions,
                       [&](const auto& s) { return s.member && s.member->format == format; }) > 0);
    }
    for (const Framing framing : {Framing::frame, Framing::line, Framing::echo}) {
        CHECK(count_of(sessions, [&](const auto& s) { return s.decoder.framing == framing; }) > 0);
    }
    CHECK(count_of(before.rooms, [](const auto& r) { return !r.history.empty(); }) > 2);

    const std::string bytes = encode_snapshot(before);
    std::string error;
    std::optional<Snapshot> after = decode_snapshot(bytes, error);
    REQUIRE_MESSAGE(after, error);
    CHECK(encode_snapshot(*after) == bytes);
    CHECK(after->sessions.size() == sessions.size());
    CHECK(test::live_on(*after, world.config, world.log) == 0);
}

TEST_CASE("snapshot: what is cut or flipped is refused, wherever") {
    RichWorld world;
    const std::string bytes = encode_snapshot(world.server->save());
    for (std::size_t cut = 0; cut < bytes.size();
         cut += cut < snapshot_header_bytes + 64 ? 1 : 64) {
        CHECK_FALSE(refusal(std::string_view(bytes).substr(0, cut)).empty());
    }
    CHECK_FALSE(refusal(bytes + '\0').empty());
    sim::Random random(20);
    std::string damaged = bytes;
    const auto flip = [&](std::size_t at, unsigned bit) {
        const char kept = damaged[at];
        damaged[at] = static_cast<char>(static_cast<unsigned char>(kept) ^ (1U << bit));
        CHECK_FALSE(refusal(damaged).empty());
        damaged[at] = kept;
    };
    // Each flip costs a checksum: the beginning bit by bit, the rest by samples.
    for (std::size_t at = 0; at < 1024; ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            flip(at, bit);
        }
    }
    for (int sample = 0; sample < 500; ++sample) {
        flip(random.below(bytes.size()), static_cast<unsigned>(random.below(8)));
    }
    CHECK(refusal(bytes).empty());
}

TEST_CASE(
    "snapshot: what was damaged under a right checksum is refused, or a server can live with it") {
    RichWorld world;
    const std::string bytes = encode_snapshot(world.server->save());
    sim::Random random(21);
    int lived = 0;
    for (int round = 0; round < 2000; ++round) {
        std::string damaged = bytes;
        for (std::uint64_t left = random.between(1, 4); left > 0; --left) {
            // Mostly where the structure is, not in the middle of long texts.
            const std::size_t span = random.one_in(2) ? 4096 : bytes.size() - snapshot_header_bytes;
            const std::size_t at =
                snapshot_header_bytes +
                random.below(std::min(span, bytes.size() - snapshot_header_bytes));
            damaged[at] = static_cast<char>(random.below(256));
        }
        seal(damaged);
        std::string error;
        std::optional<Snapshot> snapshot = decode_snapshot(damaged, error);
        if (snapshot) {
            static_cast<void>(test::live_on(*snapshot, world.config, world.log));
            ++lived;
        }
    }
    CHECK(lived > 0); // in a text it does no harm
}

TEST_CASE("snapshot: a record that this version does not know is skipped, at every depth") {
    RichWorld world;
    const std::string bytes = encode_snapshot(world.server->save());
    std::string body = stranger();
    RecordReader in(std::string_view(bytes).substr(snapshot_header_bytes));
    RecordWriter out(body);
    while (in.next()) {
        out.begin(in.tag());
        if (in.tag() != Tag::made_by && in.tag() != Tag::label && in.tag() != Tag::traffic &&
            in.tag() != Tag::counters && in.body().size() != 8) { // it holds records
            out.bytes(stranger());
        }
        out.bytes(in.body());
        out.end();
    }
    REQUIRE_FALSE(in.failed());
    std::string strange = bytes.substr(0, snapshot_header_bytes) + body + stranger();
    seal(strange);
    std::string error;
    const std::optional<Snapshot> snapshot = decode_snapshot(strange, error);
    REQUIRE_MESSAGE(snapshot, error);
    CHECK(encode_snapshot(*snapshot) == bytes);
}

TEST_CASE(
    "snapshot: who waited to speak and is on its way out says no more, and the state is whole") {
    RichWorld world;
    world.server->stop(); // everybody has had a goodbye, and some do not take it
    const Snapshot before = world.server->save();
    REQUIRE(count_of(before.sessions, [](const auto& s) { return s.ending; }) > 1);
    const std::string bytes = encode_snapshot(before);
    CHECK(refusal(bytes) == "");
}

TEST_CASE("snapshot: only versions that say so are read") {
    const std::string bytes = encode_snapshot(Snapshot{});
    CHECK(refusal(bytes).empty());
    const std::uint32_t now = snapshot_version();
    CHECK(refusal(with_versions(bytes, now + 7, now)).empty());
    CHECK(refusal(with_versions(bytes, now + 7, now + 1)) ==
          "the state is of version " + std::to_string(now + 7) + "; this roomd reads up to " +
              std::to_string(now));
    CHECK(refusal(with_versions(bytes, snapshot_oldest() - 1, 0)) ==
          "the state is of version " + std::to_string(snapshot_oldest() - 1) +
              "; this roomd reads from " + std::to_string(snapshot_oldest()) + " on");
    CHECK(refusal("") == "this is no state of a roomd, or it was cut");
    CHECK(refusal("GET / HTTP/1.1\r\n and so on, for long enough") ==
          "this is no state of a roomd, or it was cut");
}

} // namespace roomd
