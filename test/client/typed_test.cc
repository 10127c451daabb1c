#include "client/typed.h"

#include <doctest/doctest.h>

using namespace roomd;

TEST_CASE("typed: what is no command is said as it is") {
    CHECK(understand_typed("hello").kind == TypedKind::payload);
    CHECK(understand_typed("hello").payload == "hello");
    CHECK(understand_typed("quit it").payload == "quit it");
    CHECK(understand_typed("//x").payload == "//x");
    CHECK(understand_typed("").kind == TypedKind::nothing);
}

TEST_CASE("typed: commands go to roomd with their arguments untouched") {
    CHECK(understand_typed("/join ops last=5").payload == "/join ops last=5");
    CHECK(understand_typed("/msg bob  two  spaces ").payload == "/msg bob  two  spaces ");
    CHECK(understand_typed("/unheard of").payload == "/unheard of");
}

TEST_CASE("typed: the names of other chats are understood") {
    CHECK(understand_typed("/j ops").payload == "/join ops");
    CHECK(understand_typed("/w bob psst").payload == "/msg bob psst");
    CHECK(understand_typed("/names").payload == "/who");
    CHECK(understand_typed("/list").payload == "/rooms");
    CHECK(understand_typed("/part").payload == "/leave");
    CHECK(understand_typed("/jx").payload == "/jx");
}

TEST_CASE("typed: quit leaves, with or without a slash and last words") {
    CHECK(understand_typed("quit").kind == TypedKind::leave);
    CHECK(understand_typed("quit").payload == "/quit");
    CHECK(understand_typed("/quit so long").kind == TypedKind::leave);
    CHECK(understand_typed("/quit so long").payload == "/quit so long");
    CHECK(understand_typed("/exit").kind == TypedKind::leave);
    CHECK(understand_typed("/quitter").kind == TypedKind::payload);
}

TEST_CASE("typed: what would change the language is refused, help is given at home") {
    CHECK(understand_typed("/format human").kind == TypedKind::refused);
    CHECK(understand_typed("/hello 1 echo=on").kind == TypedKind::refused);
    CHECK(understand_typed("/help").kind == TypedKind::help);
    CHECK(understand_typed("/help join").kind == TypedKind::payload);
}

TEST_CASE("typed: a line of a pipe is text, whatever it begins with") {
    CHECK(payload_saying("hello") == "hello");
    CHECK(payload_saying("/etc/passwd") == "//etc/passwd");
    CHECK(payload_saying("//x") == "///x");
    CHECK(payload_saying("quit") == "quit");
}
