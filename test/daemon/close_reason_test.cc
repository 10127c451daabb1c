#include "daemon/close_reason.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace roomd {

TEST_CASE("CloseReason: each has a word of its own, fit for a log, a metric and a wire") {
    std::set<std::string_view> words;
    for (unsigned index = 0; index <= static_cast<unsigned>(CloseReason::shutting_down); ++index) {
        const std::string_view text = word(static_cast<CloseReason>(index));
        CHECK(!text.empty());
        CHECK(std::all_of(text.begin(), text.end(),
                          [](char byte) { return (byte >= 'a' && byte <= 'z') || byte == '_'; }));
        CHECK(text != "internal");
        CHECK(words.insert(text).second);
    }
    CHECK(words.size() == 11);
}

TEST_CASE("CloseReason: what is an error too has the error's word") {
    CHECK(word(CloseReason::bad_frame) == word(ErrorCode::bad_frame));
    CHECK(word(CloseReason::slow) == word(ErrorCode::slow));
    CHECK(word(CloseReason::idle) == word(ErrorCode::idle));
    CHECK(word(CloseReason::full) == word(ErrorCode::full));
    CHECK(word(CloseReason::shutting_down) == word(ErrorCode::shutting_down));
}

} // namespace roomd
