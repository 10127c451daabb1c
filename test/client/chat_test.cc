#include "client/chat.h"

#include "reactor/sys.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

using namespace roomd;

namespace {

using Texts = std::vector<std::string>;

// Far more than any of these tests takes; a test that waits in vain fails instead of hanging.
constexpr Duration patience = std::chrono::seconds(60);

std::pair<Fd, Fd> shell_pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    return {Fd(ends[0]), Fd(ends[1])};
}

SocketAddress loopback(std::uint16_t port) {
    auto addresses = sys::resolve("127.0.0.1", port, false);
    REQUIRE_FALSE(addresses.empty());
    return addresses.front();
}

std::string frame(std::string_view payload) {
    std::string bytes;
    encode_payload(bytes, Framing::frame, payload);
    return bytes;
}

/// One chat beside a server played by the test; both on one loop.
class Stage final : public Watcher {
public:
    explicit Stage(bool interactive = false) {
        listener_ = sys::listen_stream(loopback(0), {});
        listener_key_ = loop.watch(listener_.get(), Interest::read, *this);
        std::tie(input_, typing) = shell_pipe();
        std::tie(showing_, output_) = shell_pipe();
        options_.addresses = {sys::local_address(listener_.get())};
        options_.conversation.address = "tcp://test";
        options_.conversation.room = "lobby";
        options_.conversation.interactive = interactive;
        options_.input_fd = input_.get();
        options_.output_fd = output_.get();
    }

    ~Stage() {
        chat_.reset();
        loop.forget(listener_key_, listener_.get());
        hang_up();
    }

    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    Stage(Stage&&) = delete;
    Stage& operator=(Stage&&) = delete;

    ChatOptions& options() { return options_; }

    Chat& begin() {
        chat_ = std::make_unique<Chat>(loop, options_, errors);
        chat_->begin();
        return *chat_;
    }

    /// The server has no socket any more, and what the chat sends is refused.
    void stop_listening() {
        loop.forget(listener_key_, listener_.get());
        listener_.reset();
    }

    void on_ready(Ready /*ready*/) override {
        if (!server_ && listener_) {
            server_ = sys::accept_one(listener_.get()).fd;
            server_key_ = server_ ? loop.watch(server_.get(), Interest::read_write, *this) : Key{};
        }
    }

    void type(std::string_view bytes) const {
        REQUIRE(::write(typing.get(), bytes.data(), bytes.size()) ==
                static_cast<ssize_t>(bytes.size()));
    }

    void say_raw(std::string_view bytes) {
        while (!bytes.empty()) {
            const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
            const IoResult result = sys::write_some(server_.get(), std::span(&piece, 1));
            REQUIRE(result.status != IoStatus::failed);
            bytes.remove_prefix(result.bytes);
            if (result.status == IoStatus::would_block) {
                tick();
            }
        }
    }

    void say(std::string_view payload) { say_raw(frame(payload)); }

    void hang_up() {
        if (server_) {
            loop.forget(server_key_, server_.get());
            server_.reset();
        }
    }

    void tick() {
        loop.tick(std::chrono::milliseconds(20));
        hear();
    }

    void until(const std::function<bool()>& condition) {
        const TimePoint deadline = sys::monotonic_now() + patience;
        while (!condition()) {
            REQUIRE(sys::monotonic_now() < deadline);
            tick();
        }
    }

    void until_heard(std::string_view payload) {
        until([&] { return !heard.empty() && heard.back() == payload; });
    }

    void until_finished() {
        until([&] { return chat_->finished(); });
    }

    /// Through the greeting; `heard` is empty afterwards.
    void arrive() {
        until_heard("/hello 1");
        say("welcome 1 roomd/0 guest-1");
        until_heard("/join lobby");
        say("ok join lobby e 1 1 1");
        heard.clear();
    }

    /// Everything the chat has written to its stdout so far.
    std::string shown() {
        static_cast<void>(::fcntl(showing_.get(), F_SETFL, O_NONBLOCK));
        std::array<char, 65'536> bytes{};
        for (ssize_t count = 1; count > 0;) {
            count = ::read(showing_.get(), bytes.data(), bytes.size());
            shown_.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        }
        return shown_;
    }

    [[nodiscard]] int server() const { return server_.get(); }

    void close_shown() { showing_.reset(); }

    EventLoop loop;
    Fd typing;
    Texts heard; // payloads that the server got
    std::ostringstream errors;

private:
    void hear() {
        std::array<char, 4096> bytes{};
        while (server_) {
            const iovec piece{bytes.data(), bytes.size()};
            const IoResult result = sys::read_some(server_.get(), std::span(&piece, 1));
            if (result.status != IoStatus::ok) {
                break;
            }
            unparsed_.append(bytes.data(), result.bytes);
        }
        while (true) {
            const Step step = decoder_.next(unparsed_);
            const auto* const payload = std::get_if<Payload>(&step);
            if (payload == nullptr) {
                return;
            }
            heard.emplace_back(payload->text);
            unparsed_.erase(0, payload->consumed);
        }
    }

    ChatOptions options_;
    Fd listener_;
    Key listener_key_;
    Fd server_;
    Key server_key_;
    Fd input_;
    Fd showing_;
    Fd output_;
    std::string unparsed_;
    std::string shown_;
    DecoderLimits limits_{frame_bytes_ceiling, frame_bytes_ceiling};
    Decoder decoder_{Framing::frame, limits_};
    std::unique_ptr<Chat> chat_;
};

/// SIGPIPE as the program has it.
class IgnoredPipe {
public:
    IgnoredPipe() : before_(std::signal(SIGPIPE, SIG_IGN)) {}

    ~IgnoredPipe() { static_cast<void>(std::signal(SIGPIPE, before_)); }

    IgnoredPipe(const IgnoredPipe&) = delete;
    IgnoredPipe& operator=(const IgnoredPipe&) = delete;
    IgnoredPipe(IgnoredPipe&&) = delete;
    IgnoredPipe& operator=(IgnoredPipe&&) = delete;

private:
    void (*before_)(int);
};

} // namespace

TEST_CASE("Chat: a pipe is said line by line, and success waits for the last acknowledgement") {
    Stage stage;
    const Chat& chat = stage.begin();
    stage.type("one\ntwo");
    stage.typing.reset();
    stage.arrive();
    stage.until_heard("one");
    stage.say("ok say lobby 1");
    stage.until_heard("two");
    CHECK_FALSE(chat.finished());
    stage.say("msg lobby 2 1 bob hi\x1b[2J");
    stage.say("ok say lobby 3");
    stage.until_heard("/quit");
    stage.say("bye quit");
    stage.until_finished();
    CHECK(chat.status() == 0);
    CHECK(stage.shown() == "[lobby] bob: hi^[[2J\n");
    CHECK(stage.errors.str().empty());
}

TEST_CASE("Chat: no more lines are taken than the window holds, and the rest follows") {
    Stage stage;
    const Chat& chat = stage.begin();
    constexpr std::size_t count = 1000;
    for (std::size_t number = 0; number < count; ++number) {
        stage.type("x\n");
    }
    stage.typing.reset();
    stage.arrive();
    stage.until_heard("x");
    stage.tick();
    CHECK(stage.heard.size() == 1);
    for (std::size_t number = 1; number <= count; ++number) {
        stage.until([&] { return stage.heard.size() >= number; });
        stage.say("ok say lobby " + std::to_string(number));
    }
    stage.until_heard("/quit");
    CHECK(stage.heard.size() == count + 1);
    stage.hang_up();
    stage.until_finished();
    CHECK(chat.status() == 0);
}

TEST_CASE("Chat: while nobody reads stdout nothing is heard, and then nothing is missing") {
    Stage stage;
    const Chat& chat = stage.begin();
    stage.arrive();
    // Its stdout (a pipe), its own memory and the sockets' buffers are full long before this.
    const std::string text(10'000, 'x');
    constexpr int count = 1500;
    const auto shown_bytes = [&] { return stage.shown().size(); };
    const TimePoint deadline = sys::monotonic_now() + patience;
    std::string waiting;
    for (int number = 1; number <= count; ++number) {
        waiting += frame("msg lobby " + std::to_string(number) + " 1 bob " + text);
    }
    std::string_view rest = waiting;
    int refusals = 0;
    const auto push = [&] {
        const std::string_view piece = rest.substr(0, 100'000);
        iovec bytes{const_cast<char*>(piece.data()), piece.size()};
        const IoResult result = sys::write_some(stage.server(), std::span(&bytes, 1));
        REQUIRE(result.status != IoStatus::failed);
        refusals = result.status == IoStatus::would_block ? refusals + 1 : 0;
        rest.remove_prefix(result.bytes);
        stage.tick();
    };
    while (refusals < 20 && !rest.empty()) {
        push();
    }
    REQUIRE_FALSE(rest.empty()); // the chat has stopped reading
    const std::string line = "[lobby] bob: " + text + "\n";
    while (shown_bytes() < line.size() * count) {
        REQUIRE(sys::monotonic_now() < deadline);
        push();
    }
    CHECK(stage.shown().size() == line.size() * count);
    CHECK_FALSE(chat.finished());
}

TEST_CASE("Chat: a line that is refused for now is sent again when the pause is over") {
    Stage stage;
    const Chat& chat = stage.begin();
    stage.type("one\ntwo\n");
    stage.typing.reset();
    stage.arrive();
    stage.until_heard("one");
    stage.say("err say rate_limited not so fast");
    stage.until([&] { return stage.heard.size() == 2; });
    stage.say("ok say lobby 1");
    stage.until_heard("two");
    CHECK(stage.heard == Texts{"one", "one", "two"});
    stage.say("ok say lobby 2");
    stage.until_heard("/quit");
    stage.say("bye quit");
    stage.until_finished();
    CHECK(chat.status() == 0);
    CHECK(stage.errors.str().find("from line 1 on, lines are sent again") != std::string::npos);
}

TEST_CASE("Chat: when nobody answers at any address, each is named with its reason") {
    Stage stage;
    stage.stop_listening();
    const auto nobody = [] {
        const Fd gone = sys::listen_stream(loopback(0), {});
        return sys::local_address(gone.get());
    };
    const std::vector<SocketAddress> both = {nobody(), unix_address("/nowhere/roomd.sock")};
    stage.options().addresses = both;
    stage.begin();
    stage.until_finished();
    CHECK(stage.errors.str() == "room: cannot connect to tcp://test: " + to_string(both[0]) +
                                    ": Connection refused, " + to_string(both[1]) +
                                    ": No such file or directory\n\n");
}

TEST_CASE("Chat: nobody at the address is said with what to do") {
    Stage stage;
    stage.stop_listening();
    stage.options().start_hint = "  Is roomd running?";
    const Chat& chat = stage.begin();
    stage.until_finished();
    CHECK(chat.status() == 69);
    CHECK(stage.errors.str() ==
          "room: cannot connect to tcp://test: " + to_string(stage.options().addresses.front()) +
              ": Connection refused\n  Is roomd running?\n");
}

TEST_CASE("Chat: the next address is tried when one refuses") {
    Stage stage;
    SocketAddress nobody;
    {
        const Fd gone = sys::listen_stream(loopback(0), {});
        nobody = sys::local_address(gone.get());
    }
    stage.options().addresses.insert(stage.options().addresses.begin(), nobody);
    stage.begin();
    stage.arrive();
    CHECK(stage.errors.str().empty());
}

TEST_CASE("Chat: a server that speaks no frames is told by its first line") {
    Stage stage;
    const Chat& chat = stage.begin();
    stage.until_heard("/hello 1");
    SUBCASE("in one piece") {
        stage.say_raw("SSH-2.0-OpenSSH\r\nmore");
    }
    SUBCASE("bit by bit") {
        stage.say_raw("SSH-2.0-");
        stage.tick();
        CHECK_FALSE(chat.finished());
        stage.say_raw("OpenSSH\r\n");
    }
    SUBCASE("without a line end") {
        stage.say_raw("SSH-2.0-OpenSSH");
        stage.tick();
        stage.hang_up();
    }
    stage.until_finished();
    CHECK(chat.status() == 76);
    CHECK(stage.errors.str().find("\"SSH-2.0-OpenSSH\"") != std::string::npos);
}

TEST_CASE("Chat: a refusal in text is repeated, and nobody is let in") {
    Stage stage;
    const Chat& chat = stage.begin();
    stage.until_heard("/hello 1");
    stage.say_raw("! full no descriptor left\n");
    stage.hang_up();
    stage.until_finished();
    CHECK(chat.status() == 69);
    CHECK(stage.errors.str().find("full no descriptor left") != std::string::npos);
}

TEST_CASE("Chat: a server that goes leaves the lines it did not acknowledge named") {
    Stage stage;
    const Chat& chat = stage.begin();
    stage.type("one\ntwo\n");
    stage.arrive();
    stage.until_heard("one");
    stage.say("ok say lobby 1");
    stage.until_heard("two");
    stage.hang_up();
    stage.until_finished();
    CHECK(chat.status() == 75);
    CHECK(stage.errors.str() ==
          "room: the connection to tcp://test was lost; not acknowledged: line 2\n");
}

TEST_CASE("Chat: the first signal says goodbye, the second does not wait") {
    Stage stage;
    Chat& chat = stage.begin();
    stage.arrive();
    chat.on_signal(SIGTERM);
    stage.until_heard("/quit");
    CHECK_FALSE(chat.finished());
    SUBCASE("answered") {
        stage.say("bye quit");
        stage.until_finished();
    }
    SUBCASE("again") {
        chat.on_signal(SIGTERM);
        CHECK(chat.finished());
    }
    CHECK(chat.status() == 128 + SIGTERM);
}

TEST_CASE("Chat: a person's Ctrl-C is a good end") {
    Stage stage(true);
    Chat& chat = stage.begin();
    stage.arrive();
    stage.type("/rooms\n");
    stage.until_heard("/rooms");
    chat.on_signal(SIGINT);
    stage.until_heard("/quit");
    stage.say("ok rooms 1 lobby:1");
    stage.say("bye quit");
    stage.until_finished();
    CHECK(chat.status() == 0);
    CHECK(stage.shown().find("* rooms (1): lobby:1\n") != std::string::npos);
}

TEST_CASE("Chat: a signal before anybody answered ends it at once") {
    Stage stage;
    Chat& chat = stage.begin();
    chat.on_signal(SIGINT);
    CHECK(chat.finished());
    CHECK(chat.status() == 128 + SIGINT);
}

TEST_CASE("Chat: when stdout's reader goes, it leaves and says so to its program") {
    const IgnoredPipe ignored;
    Stage stage;
    const Chat& chat = stage.begin();
    stage.arrive();
    stage.close_shown();
    SUBCASE("with the next line that it would show") {
        stage.say("msg lobby 1 1 bob hi");
    }
    SUBCASE("and nobody says anything") {}
    stage.until_heard("/quit");
    stage.say("bye quit");
    stage.until_finished();
    CHECK(chat.output_refused());
    CHECK(chat.status() == 74);
    CHECK(stage.errors.str().empty());
}
