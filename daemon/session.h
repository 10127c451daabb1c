// Session — one connection: a stream, a decoder, and the member it speaks for.
//
// Owned by the Server, buried by it at a tick's end. The glue, and the page to read first: bytes
// become payloads, payloads commands, commands go to the hub; what the hub delivers goes into the
// stream's queue. All policy about one connection is here: when its commands wait, what happens
// when it does not read, how long it may take.
//
//            first byte known          end(reason)               stream closed
//   silent ───────────────────▶ member ───────────▶ leaving ───────────────────▶ buried
//
// Invariants: in a room only as a member; exactly one CloseReason; after end() nothing the client
// sends has an effect. One timer, armed only while something waits (unsent bytes, half a payload,
// a goodbye): an idle session costs the loop nothing.
#pragma once

#include "daemon/close_reason.h"
#include "daemon/config.h"
#include "daemon/hub.h"
#include "daemon/rates.h"
#include "protocol/decoder.h"
#include "reactor/socket_address.h"
#include "reactor/stream.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

class ChunkCollector;
class Server;
struct SavedSession;

/// When a session may speak while there is more to be said than one tick takes: see
/// Server::may_speak().
struct Turn {
    std::uint32_t tick = 0;  // the one in which it has begun to speak
    std::uint32_t round = 0; // 0: it has not been told to wait
};

/// Who has come: not from this machine, or from it; and for the limits per source.
struct Guest {
    bool strangers;
    SourceKey source;
};

class Session final : public StreamOwner, public Recipient {
public:
    /// `spec` must outlive the session. Throws
    /// std::system_error.
    Session(Server& server, StreamHost& host, Fd fd, const ListenerSpec& spec, const Guest& guest);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    Session(Session&&) = delete;
    Session& operator=(Session&&) = delete;

    /// Once, by the server, when it has the session's key.
    void start(Key key);

    /// What a session is, for another process. The views are valid until it changes.
    [[nodiscard]] SavedSession save(ChunkCollector& chunks,
                                    const std::vector<std::uint32_t>& rooms);
    /// Instead of start(): goes on where another process has stopped. `chunks` and `rooms` as the
    /// snapshot numbers them.
    void restore(Key key, const SavedSession& saved, const std::vector<ChunkRef>& chunks,
                 const std::vector<Key>& rooms);

    /// The descriptor, open; what is left is to be buried without a word to anybody.
    [[nodiscard]] Fd release() { return stream_.release(); }

    /// Says goodbye (with `text` for the person) and closes once that is on its way. Idempotent.
    void end(CloseReason reason, std::string_view text);
    /// Closes at once.
    void abort(CloseReason reason);
    /// Loses the oldest of what waits, or the connection, as the slow policy says. Called at a
    /// tick's end by the server for the largest queue when all of them together are too large.
    void relieve();

    [[nodiscard]] Key member() const { return member_; }

    [[nodiscard]] Key key() const { return key_; }

    [[nodiscard]] Stream& stream() { return stream_; }

    [[nodiscard]] const Stream& stream() const { return stream_; }

    [[nodiscard]] Framing framing() const { return decoder_.framing(); }

    [[nodiscard]] CloseReason reason() const { return reason_; }

    [[nodiscard]] SourceKey source() const;

    [[nodiscard]] const ListenerSpec& spec() const { return *spec_; }

    [[nodiscard]] bool ending() const { return ending_; }

    /// Rates and limits per source hold for it.
    [[nodiscard]] bool limited() const { return limited_; }

    /// It was told to wait with what it has to say, and may try again: next tick.
    void speak_again();

    /// Tells the hub whether the queue is over the soft limit. Not while the hub is handing out.
    void tell_blocked();

    // StreamOwner
    void on_input(Stream& stream) override;
    void on_end_of_input(Stream& stream) override;
    void write_notice(Stream& stream, const std::vector<Lost>& lost, std::string& out) override;
    void on_flushed(Stream& stream) override;
    void on_closed(Stream& stream, StreamEnd end) override;
    // Recipient
    void deliver(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to,
                 SlowPolicy policy) override;
    void deliver(std::string_view bytes) override;
    [[nodiscard]] bool congested() const override;
    void resume() override;

private:
    enum class Next : std::uint8_t { go_on, wait, later, done };

    struct Extra { // only for the few that need it
        Rates rates;
        SourceKey source;
        std::string parked; // a payload that waits for a room of slow policy `wait`
        bool has_parked = false;
    };

    struct Patience final : Timed { // only while something waits

        explicit Patience(Session& session) : owner(&session) {}

        void on_timer(TimerKey /*key*/) override { owner->on_patience(); }

        Session* owner;
        TimerKey timer;
        TimePoint watched{};            // counted up to here
        TimePoint flush_at{};           // half a line counts as one from then on; zero: none waits
        std::uint32_t partial_ms = 0;   // how long the same payload has been unfinished
        std::uint32_t soft_ms = 0;      // how long over the soft limit
        std::uint32_t silent_ms = 0;    // strangers: since the connect without a payload
        std::uint32_t leaving_ms = 0;   // since the goodbye, until it was sent
        std::uint32_t lingering_ms = 0; // since it was sent
    };

    // session_input.cc
    void echo();
    [[nodiscard]] Next take_all();
    void speak_later();
    [[nodiscard]] Next take_step(const Step& step);
    [[nodiscard]] bool may_take(std::string_view payload);
    [[nodiscard]] Next take_payload(std::string_view payload);
    [[nodiscard]] Next run(const Command& command, bool harmless);
    void run_now(const Command& command, bool harmless);
    void on_violation(const Violation& violation);
    [[nodiscard]] bool allowed(const Command& command);
    [[nodiscard]] bool may_go_on();
    void begin(bool first_payload_moves);
    void park(std::string_view payload);
    [[nodiscard]] bool take_parked();
    void run_own(const Quit& command);
    void run_own(const Help& command);
    void run_own(const Stats& command);
    void run_own(const Trace& command);
    void run_own(const Conns& command);

    void go_on();

    // session.cc
    void note_blocked();
    void overflow(SlowPolicy policy);
    void leave();

    // session_patience.cc
    void on_patience();
    void arm();
    void arm_for_partial();
    void set_timer();
    [[nodiscard]] bool flush_due() const;
    void flush_line();
    [[nodiscard]] std::uint32_t step_ms() const;
    [[nodiscard]] bool watch(std::uint32_t step_ms);
    [[nodiscard]] bool watch_goodbye(std::uint32_t step_ms);
    [[nodiscard]] bool has_stalled(std::uint32_t ms_max) const;
    [[nodiscard]] bool over_soft_limit(std::uint32_t step_ms);

    Server* server_;
    const ListenerSpec* spec_;
    Stream stream_;
    Decoder decoder_;
    Key key_;
    Key member_;
    std::unique_ptr<Patience> patience_;
    std::unique_ptr<Extra> extra_;
    std::uint32_t unparsed_ = 0; // bytes that the last look at the input left; for traces
    Turn turn_;
    CloseReason reason_ = CloseReason::reset;
    Format last_format_ = Format::event; // when it left the hub
    bool strangers_ : 1;
    bool limited_ : 1;
    bool begun_ : 1 = false; // greeted, and in the listener's room if it has one
    bool heard_ : 1 = false; // has sent a payload
    bool ending_ : 1 = false;
    bool blocked_ : 1 = false; // the hub was told
    bool waits_ : 1 = false;   // the server calls speak_again()
};

} // namespace roomd
