// A state that is written in pieces.
#include "daemon/snapshot_format.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

namespace {

struct Piece {
    std::uint64_t at;
    std::string bytes;
};

std::vector<Piece> pieces_of(const Snapshot& snapshot) {
    std::vector<Piece> pieces;
    encode_snapshot(snapshot, [&pieces](std::uint64_t at, std::string_view bytes) {
        pieces.push_back({at, std::string(bytes)});
    });
    return pieces;
}

} // namespace

TEST_CASE("snapshot: a large one comes in pieces, each byte once, and the header last") {
    const std::string said(300, 's');
    const std::string large(200'000, 'l');
    Snapshot snapshot;
    snapshot.labels = {"lobby"};
    for (int count = 0; count < 3000; ++count) {
        snapshot.chunks.push_back({ChunkKind::own, no_index, said, {}, {}});
    }
    snapshot.chunks.push_back({ChunkKind::own, no_index, large, {}, {}});
    std::vector<Piece> pieces = pieces_of(snapshot);
    REQUIRE(pieces.size() > 10);
    CHECK(pieces.back().at == 0);
    std::rotate(pieces.begin(), pieces.end() - 1, pieces.end());
    std::string all;
    for (const Piece& piece : pieces) {
        CHECK(piece.at == all.size());
        // What had come together, and one record that nobody can cut.
        CHECK(piece.bytes.size() <= 64 * 1024 + large.size() + 100);
        all += piece.bytes;
    }
    CHECK(all == encode_snapshot(snapshot));
    std::string error;
    const std::optional<Snapshot> read = decode_snapshot(all, error);
    REQUIRE_MESSAGE(read, error);
    REQUIRE(read->chunks.size() == snapshot.chunks.size());
    CHECK(read->chunks.front().bytes == said);
    CHECK(read->chunks.back().bytes == large);
}

} // namespace roomd
