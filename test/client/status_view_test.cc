#include "client/status_view.h"

#include <doctest/doctest.h>

#include <string>

namespace roomd {

namespace {

StatusView sample() {
    StatusView view;
    for (const char* const line : {"version 0.1.0",
                                   "pid 42",
                                   "uptime_s 3661",
                                   "started_ms 1795374957160",
                                   "state serving",
                                   "lockdown off",
                                   "listener 127.0.0.1:8888 tcp://127.0.0.1:8888",
                                   "listener /run/x unix:/run/x?mode=0660",
                                   "connections 5",
                                   "connections_max 100",
                                   "framing.auto 0",
                                   "framing.frame 3",
                                   "framing.line 2",
                                   "format.human 0",
                                   "format.event 5",
                                   "members 5",
                                   "rooms 2",
                                   "accepted 7",
                                   "refused 1",
                                   "messages_said 9",
                                   "messages_dropped 0",
                                   "queue_bytes 10",
                                   "pinned_bytes 20",
                                   "history_bytes 30",
                                   "hits.rooms_max 4",
                                   "brand_new \"x\" y"}) {
        view.add(line);
    }
    return view;
}

} // namespace

TEST_CASE("StatusView: for people, what there is and not what there is not") {
    CHECK(sample().as_text() == "roomd        0.1.0, pid 42, up 1 h 1 min, serving\n"
                                "listening on 127.0.0.1:8888 tcp://127.0.0.1:8888\n"
                                "             /run/x unix:/run/x?mode=0660\n"
                                "connections  5 of 100: 3 frame, 2 line; 5 event\n"
                                "so far       7 accepted, 1 refused\n"
                                "rooms        2 with 5 members\n"
                                "messages     9 said, 0 lost by slow readers\n"
                                "bytes held   10 in queues, 20 pinned, 30 of history\n"
                                "limits met   4 rooms_max\n"
                                "brand_new    \"x\" y\n");
}

TEST_CASE("StatusView: for programs, all of it") {
    CHECK(sample().as_json() ==
          R"({"version":"0.1.0","pid":42,"uptime_s":3661,"started_ms":1795374957160,)"
          R"("state":"serving","lockdown":"off","listeners":[)"
          R"({"address":"127.0.0.1:8888","uri":"tcp://127.0.0.1:8888"},)"
          R"({"address":"/run/x","uri":"unix:/run/x?mode=0660"}],)"
          R"("connections":5,"connections_max":100,"framing":{"auto":0,"frame":3,"line":2},)"
          R"("format":{"human":0,"event":5},"members":5,"rooms":2,"accepted":7,"refused":1,)"
          R"("messages_said":9,"messages_dropped":0,"queue_bytes":10,"pinned_bytes":20,)"
          R"("history_bytes":30,"hits":{"rooms_max":4},"brand_new":"\"x\" y"})"
          "\n");
}

TEST_CASE("StatusView: JSON stays JSON whatever is in it") {
    StatusView view;
    view.add("a \\\"\x01\x1f");
    view.add("b 007");
    view.add("c 99999999999999999999999");
    view.add("d");
    view.add("");
    CHECK(view.as_json() == "{\"a\":\"\\\\\\\"\\u0001\\u001f\",\"b\":\"007\","
                            "\"c\":\"99999999999999999999999\",\"d\":\"\",\"\":\"\"}\n");
    CHECK(view.value_of("b") == "007");
    CHECK(view.value_of("nothing").empty());
}

TEST_CASE("StatusView: how long it has been up, in words") {
    const auto up = [](const std::string& seconds) {
        StatusView view;
        view.add("uptime_s " + seconds);
        const std::string text = view.as_text();
        const std::size_t begin = text.find(", up ") + 5;
        return text.substr(begin, text.find(',', begin) - begin);
    };
    CHECK(up("0") == "0 s");
    CHECK(up("59") == "59 s");
    CHECK(up("60") == "1 min 0 s");
    CHECK(up("3599") == "59 min 59 s");
    CHECK(up("86399") == "23 h 59 min");
    CHECK(up("200000") == "2 days 7 h");
}

} // namespace roomd
