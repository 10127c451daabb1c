#include "reactor/ring_buffer.h"

#include "test/sim/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

namespace {

/// Fills the free space with the front of `text`; returns how much went in.
std::size_t fill(RingBuffer& ring, std::string_view text) {
    std::size_t filled = 0;
    for (const iovec& piece : ring.writable()) {
        const std::size_t step = std::min(piece.iov_len, text.size() - filled);
        if (step > 0) {
            std::memcpy(piece.iov_base, text.data() + filled, step);
        }
        filled += step;
    }
    ring.commit(filled);
    return filled;
}

std::size_t free_space(RingBuffer& ring) {
    const auto pieces = ring.writable();
    return pieces[0].iov_len + pieces[1].iov_len;
}

/// One ring, and a deque of what it should hold; each step is checked.
class Pair {
public:
    explicit Pair(std::uint64_t seed) : random_(seed), noise_(std::size_t{256} * 1024, '\0') {
        for (char& byte : noise_) {
            byte = static_cast<char>(random_.next());
        }
    }

    ~Pair() {
        ring_.clear(pool_);
        other_.clear(pool_);
    }

    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    Pair(Pair&&) = delete;
    Pair& operator=(Pair&&) = delete;

    /// Bytes come or go, so that about `level` are held.
    bool step(std::size_t level) {
        const bool sound = act(level);
        ring_.check();
        if (random_.one_in(50)) {
            other_.capacity() == 0 ? other_.make_room(pool_) : other_.clear(pool_);
        }
        const bool counted = pool_.ring_bytes() == ring_.capacity() + other_.capacity();
        return sound && counted && ring_.size() == model_.size();
    }

    /// Every byte, not only the ends that step() looks at.
    bool same() {
        const std::string_view bytes = ring_.readable();
        return std::ranges::equal(bytes, model_);
    }

    std::size_t seams = 0;

private:
    bool act(std::size_t level) {
        const std::uint64_t draw = random_.below(100);
        if (draw < 40) {
            return model_.size() > level || write(random_.skewed(1, level));
        }
        if (draw < 80) {
            // All of it now and then, mostly so little that a seam can come before it is empty.
            const std::size_t held = model_.size();
            return consume(random_.one_in(20) ? held : random_.skewed(0, held / 2));
        }
        if (draw < 95) {
            return settle();
        }
        if (draw == 99 && random_.one_in(100)) {
            ring_.clear(pool_);
            model_.clear();
            return ring_.capacity() == 0;
        }
        return ends_agree();
    }

    bool write(std::size_t wanted) {
        ring_.make_room(pool_);
        const std::size_t space = free_space(ring_);
        const std::size_t from = random_.below(noise_.size() - wanted);
        seams += ring_.writable()[1].iov_len > 0 && ring_.writable()[0].iov_len < wanted ? 1U : 0U;
        const std::size_t filled = fill(ring_, std::string_view(noise_).substr(from, wanted));
        for (std::size_t index = 0; index < filled; ++index) {
            model_.push_back(noise_[from + index]);
        }
        return space > 0 && filled == std::min(space, wanted);
    }

    bool consume(std::size_t bytes) {
        const bool sound = ends_agree();
        // From the front, or, as commands between characters are, from behind it.
        const std::size_t at = random_.one_in(4) ? random_.below(model_.size() - bytes + 1) : 0;
        ring_.cut(at, bytes);
        const auto from = model_.begin() + static_cast<std::ptrdiff_t>(at);
        model_.erase(from, from + static_cast<std::ptrdiff_t>(bytes));
        return sound && ends_agree();
    }

    bool settle() {
        ring_.settle(pool_);
        const std::size_t most = std::max<std::size_t>(4 * model_.size(), RingBuffer::capacity_min);
        return ring_.capacity() <= (model_.empty() ? 0 : most);
    }

    bool ends_agree() {
        const std::string_view bytes = ring_.readable();
        if (bytes.size() != model_.size()) {
            return false;
        }
        const std::size_t some = std::min<std::size_t>(bytes.size(), 16);
        const auto count = static_cast<std::ptrdiff_t>(some);
        return std::equal(bytes.begin(), bytes.begin() + count, model_.begin()) &&
               std::equal(bytes.end() - count, bytes.end(), model_.end() - count);
    }

    sim::Random random_;
    std::string noise_;
    BlockPool pool_;
    RingBuffer ring_;
    RingBuffer other_; // comes and goes; the pool counts it too
    std::deque<char> model_;
};

/// A ring of 16 KiB that holds the last `held` of a stream, the last of them at its very end.
void bring_to_the_seam(RingBuffer& ring, BlockPool& pool, std::string_view text) {
    REQUIRE(text.size() == 16384);
    ring.make_room(pool);
    REQUIRE(fill(ring, text) == text.size());
    ring.settle(pool);
    REQUIRE(ring.capacity() == 16384);
    ring.consume(7200);
}

} // namespace

TEST_CASE("RingBuffer: bytes that straddle the seam read back contiguous") {
    BlockPool pool;
    RingBuffer ring;
    std::string text;
    for (int index = 0; index < 16384; ++index) {
        text += static_cast<char>('a' + index % 26);
    }
    bring_to_the_seam(ring, pool, text);
    ring.make_room(pool); // more is held than is carried into a block
    REQUIRE(ring.capacity() == 16384);
    CHECK(free_space(ring) == 7200);
    CHECK(fill(ring, "straddling") == 10);
    CHECK(ring.readable() == text.substr(7200) + "straddling");
    ring.check();
    CHECK(fill(ring, std::string(16000, 'x')) == 7190);
    CHECK(ring.size() == 16384);
    CHECK(ring.readable() == text.substr(7200) + "straddling" + std::string(7190, 'x'));
}

TEST_CASE(
    "RingBuffer: a full ring grows to a block, and its bytes keep their order across the seam") {
    BlockPool pool;
    RingBuffer ring;
    const std::string text(16384, 'o');
    bring_to_the_seam(ring, pool, text);
    CHECK(fill(ring, std::string(7200, 'n')) == 7200);
    CHECK(free_space(ring) == 0);
    ring.make_room(pool);
    CHECK(ring.capacity() == BlockPool::block_bytes);
    CHECK(ring.readable() == std::string(9184, 'o') + std::string(7200, 'n'));
    ring.check();
}

TEST_CASE("RingBuffer: an empty ring owns nothing, before, between and after bytes") {
    BlockPool pool;
    RingBuffer ring;
    CHECK(ring.capacity() == 0);
    CHECK(ring.readable().empty());
    ring.settle(pool);
    for (int round = 0; round < 3; ++round) {
        ring.make_room(pool);
        fill(ring, "hello");
        ring.consume(5);
        ring.settle(pool);
        CHECK(ring.capacity() == 0);
        ring.check();
    }
}

TEST_CASE("RingBuffer: a peer that sent a few bytes owns 64, whatever it sent before") {
    BlockPool pool;
    RingBuffer ring;
    for (const std::size_t before : {0U, 10U, 100U, 1000U, 10'000U, 60'000U}) {
        ring.make_room(pool);
        REQUIRE(fill(ring, std::string(before + 5, 'x')) == before + 5);
        ring.settle(pool);
        ring.consume(before);
        ring.settle(pool);
        CHECK(ring.capacity() == 64);
        CHECK(ring.readable() == "xxxxx");
        ring.clear(pool);
    }
}

TEST_CASE("RingBuffer: a block is borrowed for one tick and lent to the next ring") {
    BlockPool pool;
    RingBuffer first;
    first.make_room(pool);
    CHECK(first.capacity() == BlockPool::block_bytes);
    const void* const block = first.writable()[0].iov_base;
    fill(first, "partial");
    first.settle(pool);
    CHECK(first.capacity() == 64);

    // Takes the address of a block that was freed instead of kept.
    const auto elsewhere = std::make_unique<std::byte[]>(BlockPool::block_bytes);
    CHECK(elsewhere.get() != block);
    RingBuffer second;
    second.make_room(pool);
    CHECK(second.writable()[0].iov_base == block);
    second.settle(pool);
    first.make_room(pool); // what it held is carried along
    CHECK(first.writable()[0].iov_base == static_cast<const char*>(block) + 7);
    CHECK(first.readable() == "partial");
}

TEST_CASE("BlockPool: what nobody has needed for a second goes back, what is needed stays") {
    constexpr std::uint64_t block = BlockPool::block_bytes;
    BlockPool pool;
    const auto lend = [&pool](std::size_t count) { // all at once, and back
        std::vector<RingMemory> lent(count);
        for (RingMemory& each : lent) {
            each = pool.take();
            std::memset(each.data(), 'x', each.size());
        }
        for (RingMemory& each : lent) {
            pool.give(std::move(each));
        }
    };
    lend(100);
    CHECK(pool.spare_bytes() == 100 * block);
    pool.trim(); // none was spare for a whole second
    CHECK(pool.spare_bytes() == 100 * block);
    lend(30);
    pool.trim();
    CHECK(pool.spare_bytes() == 30 * block);
    pool.trim();
    CHECK(pool.spare_bytes() == 8 * block);
    pool.trim();
    CHECK(pool.spare_bytes() == 8 * block);
    lend(400);
    pool.trim();
    pool.trim();
    CHECK(pool.spare_bytes() == 144 * block); // not all at once
    pool.give_back(block + 1);
    CHECK(pool.spare_bytes() == 142 * block);
    pool.give_back(1000 * block);
    CHECK(pool.spare_bytes() == 8 * block);
}

TEST_CASE("BlockPool: what is a little larger than a block is lent again, more of it is not kept") {
    constexpr std::uint32_t larger = 2 * BlockPool::block_bytes;
    BlockPool pool;
    RingMemory first = pool.take(larger);
    const std::byte* const where = first.data();
    pool.give(std::move(first));
    RingMemory small = pool.take(4096);
    CHECK(small.size() == 4096);
    pool.give(std::move(small));
    RingMemory again = pool.take(larger);
    CHECK(again.data() == where);
    CHECK(pool.spare_bytes() == 0);
    RingMemory largest = pool.take(2 * larger);
    CHECK(largest.size() == 2 * larger);
    pool.give(std::move(largest)); // goes back to the system
    CHECK(pool.take(larger).data() != where);
}

TEST_CASE("RingBuffer: a large message grows it by doubling, not by steps") {
    BlockPool pool;
    RingBuffer ring;
    std::size_t changes = 0;
    std::size_t held = 0;
    while (held < 1'000'000) {
        const std::size_t before = ring.capacity();
        ring.make_room(pool);
        held += fill(ring, std::string(1000, 'm'));
        ring.settle(pool);
        changes += held > 2048 && ring.capacity() != before ? 1U : 0U;
    }
    CHECK(changes <= 10); // from 2048 to 2^20
    CHECK(ring.readable() == std::string(held, 'm'));
}

TEST_CASE("RingBuffer: a million random steps agree with a deque") {
    Pair pair(6);
    bool sound = true;
    sim::Random random(7);
    for (int phase = 0; phase < 1000; ++phase) {
        const bool large = phase % 50 == 0;
        // Up to 4 KiB all is carried into a block; the seam is met above.
        const std::size_t level = large            ? random.between(60'000, 150'000)
                                  : phase % 3 == 0 ? random.skewed(1, 32'768)
                                                   : random.between(4'097, 16'384);
        const int steps = large ? 200 : 1016;
        for (int step = 0; step < steps; ++step) {
            sound = pair.step(level) && sound;
        }
        sound = pair.same() && sound;
        REQUIRE(sound);
    }
    CHECK(pair.seams > 3000);
}

} // namespace roomd
