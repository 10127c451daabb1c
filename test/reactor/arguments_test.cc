#include "reactor/arguments.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace roomd;

namespace {

std::string refusal_of(const std::vector<const char*>& given) {
    std::vector<const char*> arguments(given.size() + 1, "program");
    std::copy(given.begin(), given.end(), arguments.begin() + 1);
    return empty_value(static_cast<int>(arguments.size()), arguments.data());
}

} // namespace

TEST_CASE("empty_value: names the option that has nothing behind its '='") {
    CHECK(refusal_of({"--switch="}).starts_with("--switch has nothing behind its '='"));
    CHECK(refusal_of({"--listen", "tcp://[::1]:1", "--name="}).starts_with("--name has nothing"));
    CHECK(refusal_of({"-n="}).starts_with("-n has nothing"));
    CHECK(refusal_of({"status", "--json="}).starts_with("--json has nothing"));
}

TEST_CASE("empty_value: an empty argument behind an option is the same") {
    CHECK(refusal_of({"--config", ""}).starts_with("--config is followed by an empty argument"));
    CHECK(refusal_of({"-c", ""}).starts_with("-c is followed by an empty argument"));
}

TEST_CASE("empty_value: leaves everything else to the parser") {
    CHECK(refusal_of({}).empty());
    CHECK(refusal_of({"--name=a=", "--name==", "-nann", "-", ""}).empty());
    CHECK(refusal_of({"--name=x", ""}).empty()); // an argument of its own, not a value
    CHECK(refusal_of({"--", "--name="}).empty());
    CHECK(refusal_of({"unix:/run/x="}).empty());
    CHECK(empty_value(0, nullptr).empty());
}
