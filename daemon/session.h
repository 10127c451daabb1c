// Session — one connection: a stream, a decoder, and the member it speaks for.
//
// Owned by the Server, erased by it at a tick's end. The glue, and the page to read first: bytes
// become payloads, payloads commands, commands go to the hub; what the hub delivers goes into the
// stream's queue. All policy about one connection is here: when its commands wait, what happens
// when it does not read, how long it may take.
//
//            first payload, or at
//            once where the listener
//            fixes the framing         end(reason)               stream closed
//   silent ───────────────────▶ member ───────────▶ leaving ───────────────────▶ buried
//
// Invariants: in a room only as a member; exactly one CloseReason; after end() nothing the client
// sends has an effect. One timer, armed only while something waits (unsent bytes, half a payload,
// a goodbye): an idle session costs the loop nothing.
#pragma once

#include "daemon/close_reason.h"
#include "daemon/config.h"
#include "daemon/hub.h"
#include "daemon/meter.h"
#include "daemon/outbox.h"
#include "daemon/scheduler.h"
#include "protocol/decoder.h"
#include "reactor/socket_address.h"
#include "reactor/stream.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

class ChunkCollector;
class Server;
struct SavedPatience;
struct SavedSession;

/// Why the next payload is not looked at yet. What is held is not consumed from the input: the
/// decoder shows it again.
enum class Hold : std::uint8_t {
    none,
    own_replies, // it has to read its answers first (reply_bytes_max): until on_flushed()
    replay,      // an answer that comes in portions is not through: until on_flushed()
    turn,        // its share of the tick is used up: until the scheduler's turn
    meter,       // over its rates, or its source is: until the meter lets it in
    throttle,    // what others have said is to be sent first: until the scheduler's turn
    room         // slow policy `wait`: until resume()
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

    /// The descriptor, open; what is left is to be erased without a word to anybody.
    [[nodiscard]] Fd release() { return stream_.release(); }

    /// Says goodbye (with `text` for the person) and closes once that is on its way. Idempotent.
    void end(CloseReason reason, std::string_view text);
    /// Closes at once.
    void abort(CloseReason reason);
    /// Memory is short and its queue was chosen: loses what can be dropped, or the connection.
    /// Not while the hub is handing out.
    void shed();

    /// Out of its rooms, without a goodbye. Idempotent.
    void leave();

    [[nodiscard]] Key member() const { return member_; }

    [[nodiscard]] Key key() const { return key_; }

    [[nodiscard]] Stream& stream() { return stream_; }

    [[nodiscard]] const Stream& stream() const { return stream_; }

    /// While memory is scarce: so much may wait for a client that does not read at once.
    static constexpr std::uint32_t scarce_reply_bytes = 4096;

    [[nodiscard]] Framing framing() const { return decoder_.framing(); }

    [[nodiscard]] CloseReason reason() const { return reason_; }

    [[nodiscard]] SourceKey source() const;

    [[nodiscard]] const ListenerSpec& spec() const { return *spec_; }

    [[nodiscard]] bool ending() const { return ending_; }

    /// Rates and limits per source hold for it.
    [[nodiscard]] bool limited() const { return limited_; }

    /// Over its rates or its source's: its input is left unread until a timer of its own.
    [[nodiscard]] bool held_by_meter() const;

    /// For the scheduler.
    [[nodiscard]] Share& share() { return share_; }

    /// Its turn has come: looks at its input, and reads on.
    void run_turn();

    /// Behind the flush: tells the hub whether the queue is over the soft limit, and does what the
    /// slow policy says if it is over the hard one. True: to be asked again after the next flush.
    [[nodiscard]] bool enforce_limits();

    /// Since when half a payload waits; nothing: none does.
    [[nodiscard]] std::optional<TimePoint> partial_since();

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
    void deliver_direct(std::string_view bytes) override;
    [[nodiscard]] std::size_t unsent_bytes() const override;
    [[nodiscard]] bool congested() const override;
    void resume() override;

private:
    enum class Next : std::uint8_t { go_on, held, done };

    /// Until the meter lets the next unit of input in.
    struct HoldTimer final : Timed {
        explicit HoldTimer(Session& session) : owner(&session) {}

        void on_timer(TimerKey /*key*/) override {
            key = {};
            owner->go_on_after_hold();
        }

        Session* owner;
        TimerKey key;
    };

    struct Extra { // only for the few that need it

        explicit Extra(Session& session) : hold(session) {}

        Meter meter;
        HoldTimer hold;
        SourceKey source;
        std::optional<std::string> parked; // a payload that a version before this one set aside
    };

    struct Patience final : Timed { // only while something waits

        explicit Patience(Session& session) : owner(&session) {}

        void on_timer(TimerKey /*key*/) override { owner->on_patience(); }

        Session* owner;
        TimerKey timer;
        TimePoint watched{};            // counted up to here
        TimePoint flush_at{};           // half a line counts as one from then on; zero: none waits
        TimePoint partial_since{};      // zero: nothing is unfinished
        std::uint32_t partial_ms = 0;   // how long the same payload has been unfinished
        std::uint32_t quiet_ms = 0;     // and how long no byte of it has come
        bool fed = false;               // bytes have come since the last look
        std::uint32_t soft_ms = 0;      // how long over the soft limit
        std::uint32_t silent_ms = 0;    // strangers: since the connect without a payload
        std::uint32_t leaving_ms = 0;   // since the goodbye, until it was sent
        std::uint32_t lingering_ms = 0; // since it was sent
        std::uint32_t looks = 0;        // at taken, one after the other while something waits
        std::uint32_t taken = 0;        // what the peer had taken at the last of them
        std::uint32_t leap = 0;         // what it took when it was last seen to take something
        std::uint64_t behind_bytes = 0; // of the least rate, while others wait for it
    };

    // session_input.cc
    void echo();
    [[nodiscard]] Next take_all();
    [[nodiscard]] Hold next_hold();
    void hold_for(Hold hold);
    [[nodiscard]] Next take_step(const Step& step);
    [[nodiscard]] Next take_payload(const Payload& payload);
    void take_parked();
    void continue_answer();
    void count_payload(const Payload& payload);
    void charge(std::uint64_t units);
    [[nodiscard]] Next run(const Command& command, bool harmless);
    void run_now(const Command& command, bool harmless);
    void answer_telnet(const Cut& cut);
    void on_violation(const Violation& violation);
    [[nodiscard]] bool permitted(const Command& command);
    void refuse(std::string_view verb, ErrorCode code, std::string_view text);
    // session_meter.cc
    [[nodiscard]] Meter::Verdict meter(const Command* command);
    void charge_for_gone();
    void hold_input(Duration wait);
    void go_on_after_hold();
    void begin(bool first_payload_moves);
    void run_own(const Quit& command);
    void run_own(const Help& command);
    void run_own(const Stats& command);
    void run_own(const Trace& command);
    void run_own(const Conns& command);
    void list_again();

    void go_on();

    // session.cc
    [[nodiscard]] Outbox outbox();
    [[nodiscard]] Reader reader() const;
    void suspect(SlowPolicy policy);
    void tell_blocked();

    // session_patience.cc
    void on_patience();
    void arm();
    void arm_for_partial();
    void set_timer();
    [[nodiscard]] bool flush_due() const;
    void flush_line();
    [[nodiscard]] std::uint32_t step_ms() const;
    [[nodiscard]] bool watch(std::uint32_t step_ms);
    bool watch_input(bool partial, bool silent, std::uint32_t step_ms);
    void restore_patience(const SavedPatience& saved, TimePoint now);
    [[nodiscard]] bool watch_goodbye(std::uint32_t step_ms);
    [[nodiscard]] std::uint32_t look_at_progress();
    [[nodiscard]] bool has_stalled(std::uint32_t ms_max) const;
    [[nodiscard]] bool keeps_waiting(std::uint32_t taken, std::uint32_t step_ms);
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
    Share share_;
    Hold hold_ = Hold::none;
    SlowPolicy filled_by_ = SlowPolicy::by_format; // the room that took its queue over a limit
    CloseReason reason_ = CloseReason::reset;
    Format last_format_ = Format::event; // when it left the hub
    bool strangers_ : 1;
    bool limited_ : 1;
    bool begun_ : 1 = false; // greeted, and in the listener's room if it has one
    bool heard_ : 1 = false; // has sent a payload
    bool ending_ : 1 = false;
    bool blocked_ : 1 = false;   // the hub was told
    bool suspected_ : 1 = false; // the server looks at its queue at the tick's end
};

} // namespace roomd
