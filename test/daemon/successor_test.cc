#include "daemon/successor.h"

#include "daemon/config.h"
#include "daemon/name_lookup.h"

#include <doctest/doctest.h>

#include <string>

namespace roomd {

TEST_CASE("Successor: a proof is a whole line with the word of the question, among others") {
    const std::string word = new_proof_word();
    CHECK(word.size() == 32);
    CHECK(word != new_proof_word());
    const std::string line = proof_of(word);
    REQUIRE(find_proof(line, word));
    CHECK(find_proof(line, word)->version == version());
    CHECK(find_proof("warning: something\n" + line + "more\n", word));
    CHECK_FALSE(find_proof("", word));
    CHECK_FALSE(find_proof(line.substr(0, line.size() - 1), word));
    CHECK_FALSE(find_proof("--probe-word=" + word + "\n", word));
    CHECK_FALSE(find_proof("x " + line, word));
    CHECK_FALSE(find_proof(line, new_proof_word()));
    CHECK_FALSE(find_proof("roomd-goes-on  1 2\n", "")); // nobody was asked
}

TEST_CASE("NameLookup: what the child says is numbers, a reason or nothing, by name") {
    const ResolvedNames names =
        parse_names("a 127.0.0.1\nab 10.0.0.1\na ::1\nb ! no such host\n", {"a", "b", "c"}, "late");
    REQUIRE(names.size() == 3);
    CHECK(names.at("a").addresses == std::vector<std::string>{"127.0.0.1", "::1"});
    CHECK(names.at("a").error.empty());
    CHECK(names.at("b").error == "no such host");
    CHECK(names.at("c").error == "cannot resolve \"c\": late");
}

TEST_CASE("NameLookup: the child's words are understood by who asks") {
    const ResolvedNames names = parse_names(resolve_names({"127.0.0.1"}), {"127.0.0.1"}, "late");
    CHECK(names.at("127.0.0.1").addresses == std::vector<std::string>{"127.0.0.1"});
}

} // namespace roomd
