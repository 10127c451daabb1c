#include "daemon/datagram_queue.h"

#include <doctest/doctest.h>

#include <string>

namespace roomd {

namespace {

SourceKey source(std::uint64_t number) {
    return {0xFFFF, number};
}

} // namespace

TEST_CASE("DatagramQueue: each source's datagrams stay in order, sources go by turns") {
    DatagramQueue queue({1, 2});
    CHECK(queue.empty());
    CHECK_FALSE(queue.pop());
    for (const std::string payload : {"a1", "a2", "a3"}) {
        REQUIRE(queue.push(source(1), {}, payload));
    }
    REQUIRE(queue.push(source(2), {}, "b1"));
    REQUIRE(queue.push(source(3), {}, "c1"));
    REQUIRE(queue.push(source(3), {}, "c2"));
    std::string order;
    while (const auto next = queue.pop()) {
        order += next->payload + " ";
    }
    CHECK(order == "a1 b1 c1 a2 c2 a3 ");
    CHECK(queue.empty());
    CHECK(queue.size() == 0);
}

TEST_CASE("DatagramQueue: a source that floods loses its own datagrams, not another's") {
    DatagramQueue queue({1, 2});
    SUBCASE("many small ones") {
        std::size_t taken = 0;
        while (queue.push(source(1), {}, "flood")) {
            ++taken;
        }
        CHECK(taken == DatagramQueue::source_datagrams_max);
    }
    SUBCASE("few large ones") {
        const std::string large(60'000, 'x');
        std::size_t bytes = 0;
        while (queue.push(source(1), {}, large)) {
            bytes += large.size();
        }
        CHECK(bytes <= DatagramQueue::source_bytes_max);
        CHECK(bytes + large.size() > DatagramQueue::source_bytes_max);
    }
    REQUIRE(queue.push(source(2), {}, "one"));
    static_cast<void>(queue.pop());
    CHECK(queue.pop()->payload == "one"); // behind one of the flood
}

TEST_CASE("DatagramQueue: all sources together have a bound, and room again when it is used") {
    DatagramQueue queue({1, 2});
    std::uint64_t number = 0;
    while (queue.push(source(number), {}, "x")) {
        ++number;
    }
    CHECK(number == DatagramQueue::datagrams_max);
    CHECK_FALSE(queue.push(source(1), {}, "x"));
    REQUIRE(queue.pop());
    CHECK(queue.push(source(0), {}, "x"));
}

} // namespace roomd
