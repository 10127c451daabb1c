// ChatClient — one person or program in the simulated world: connects, talks at random, reads, and
// leaves in many ways.
//
// What it does comes from its own random stream; what it hears goes to an Ear, one for each
// connection. Judges by itself only how a connection ends: everybody who reads is owed a goodbye,
// and who half-closed all the answers. Lives as long as the run.
#pragma once

#include "test/sim/caller.h"
#include "test/sim/ear.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace roomd::sim {

enum class Manner : std::uint8_t { plain, human, event };

struct Role {
    Manner manner = Manner::event;
    bool frames = true;
    bool echo = false;
    std::string address;
    std::string default_room; // entered by connecting
    SocketAddress from;
    std::size_t payload_bytes_max = 65'536; // what the daemon takes in this framing
    std::size_t text_bytes_max = 200;
    std::size_t rooms = 3;
    std::size_t people = 10; // clients are numbered 0 .. people - 1
    std::size_t turns = 20;  // of one connection
    std::size_t connections = 1;
    std::size_t burst_max = 4; // commands in one turn
    Instant turn_pause_max = 300 * millisecond;
    Pace pace;
    unsigned stalls = 0;            // per mille of turns
    Instant patience = 30 * second; // how long the daemon tries to get rid of the last answers
    bool may_be_refused = false;    // descriptors or connections are scarce in this world
    bool restless = false;          // comes and goes all the time
    bool pastes = false;            // says a great deal at once now and then
    bool may_be_limited = false;    // a stranger: rates apply
    Instant steady = 0; // takes a little all the time, a third of the kernel's buffer in so long
};

class ChatClient final : public Caller {
public:
    ChatClient(World& world, Ledger& ledger, Random random, Role role, std::uint32_t number);

    void begin(Instant delay) { next_turn(delay); }

    /// Says nothing more, wakes up if it is ever going to.
    void settle();

    /// From here on the daemon may say goodbye at any time.
    void expect_stop();

    /// Whatever becomes of it from here on is no surprise.
    void excuse() { suspect_ = true; }

    /// The world has come to rest: whoever is connected and reads has heard everything.
    void check_settled();
    /// The daemon has ended.
    void check_over();

private:
    void on_turn() override;
    void on_bytes(std::string_view bytes) override;
    void on_hangup(Hangup how) override;

    void connect();
    void keep_steady();
    void talk();
    void finish();
    void lose_ear();
    [[nodiscard]] bool suspect() const;
    [[nodiscard]] bool cut_payload(std::string_view& payload);

    // chat_script.cc
    void do_something();
    void say_something();
    void say_much();
    void join_something();
    void ask_something();
    void misbehave();
    void message_somebody();
    void change_name();
    void submit(const std::string& payload, Expectation expectation);
    [[nodiscard]] std::string some_text();
    [[nodiscard]] std::string some_room();
    void greet();
    void send_payload(std::string_view payload);

    Ledger* ledger_;
    Random random_;
    Role role_;
    std::uint32_t number_;
    std::string name_;
    std::unique_ptr<Ear> ear_;
    EventEar* event_ear_ = nullptr;          // ear_, if it is one
    std::vector<std::unique_ptr<Ear>> ears_; // of connections that are over
    std::map<std::string, std::pair<std::string, std::uint64_t>> resume_; // room: epoch, last id
    std::string buffer_;
    std::size_t buffer_head_ = 0;
    std::size_t turns_left_ = 0;
    std::size_t connections_left_;
    std::uint64_t pings_ = 0;
    std::uint64_t names_ = 0;
    LinkId last_link_ = nothing;
    bool quit_ = false;
    bool last_line_ = false; // goes without its line end
    Instant done_at_ = 0;    // when it asked for no more
    bool suspect_ = false;   // does not always read: what becomes of it is no surprise
    bool steady_ = false;    // on this connection
    bool settling_ = false;
    bool stopping_ = false;
    bool resting_ = false; // stays, but says nothing more
};

} // namespace roomd::sim
