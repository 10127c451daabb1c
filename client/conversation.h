// Conversation — what `room` says to roomd, what it makes of the answers, and how it ends.
//
// Pure: payloads and lines go in, payloads and texts come out through ConversationPartner; no
// descriptor, no clock. Owned by the chat. From a pipe every line is said as it is, and each is
// acknowledged or named as refused; from a terminal a line is what the person typed, commands
// included.
//
//     begin()        welcome          ok join                leave() | lines ended      bye
//   -> greeting -----------> joining ---------> talking --------------------> leaving ----> over
//          `-------------------- lost | refused | not roomd -------------------------------'
//
// What roomd refuses only for now (`rate_limited`, `busy`, `slow`) is asked again after a pause, in
// its order, and the person is told once. So that nothing overtakes what was refused, one message
// at a time is on its way, until so many were taken that limits are unlikely (trusted_after).
// Meanwhile no further line is wanted: what waits stays in the pipe or the terminal.
//
// Invariants (check()): at most unanswered_max commands wait for their reply, which come in their
// order; what is to be asked again waits in `again_`, in its order; in `over` nothing is sent, and
// status() is final.
#pragma once

#include "client/exit_status.h"
#include "client/line_reader.h"
#include "protocol/event.h"
#include "reactor/time.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace roomd {

class ConversationPartner {
public:
    /// One payload to roomd.
    virtual void send(std::string_view payload) = 0;
    /// One line for stdout, harmless to terminals.
    virtual void show(std::string_view line) = 0;
    /// One line for stderr, harmless to terminals.
    virtual void warn(std::string_view line) = 0;
    /// Conversation::on_pause_over() is to be called after so long. One pause at a time.
    virtual void pause(Duration length) = 0;

protected:
    ~ConversationPartner() = default;
};

struct ConversationOptions {
    std::string address; // as a person reads it
    std::string nick;    // empty: whatever guest name roomd gives
    std::string room;
    bool nick_required = false; // from a pipe: going on as a guest is a failure
    bool interactive = false;
};

class Conversation {
public:
    /// So many commands are on their way at most: enough to fill a round trip, little to lose.
    static constexpr std::size_t unanswered_max = 64;
    /// Their text is kept until they are answered, in case they must be sent again.
    static constexpr std::size_t unanswered_bytes_max = 1024UL * 1024;
    /// So many messages that were taken one by one, none refused, open the window to
    /// unanswered_max. A refusal closes it for good.
    static constexpr std::uint64_t trusted_after = 1024;
    /// The first pause after a refusal. It doubles with each refusal and shrinks with each message
    /// that is taken, which leads to the pace that roomd allows.
    static constexpr Duration pause_min = std::chrono::milliseconds(100);
    static constexpr Duration pause_max = std::chrono::seconds(5);
    /// Refused so often, a message is given up: some 50 seconds.
    static constexpr unsigned attempts_max = 15;

    Conversation(ConversationOptions options, ConversationPartner& partner);

    /// The connection stands.
    void begin();
    /// One frame from roomd.
    void on_payload(std::string_view payload);
    /// The first thing that came is no frame but this line.
    void on_text(std::string_view text);
    /// A frame that none may send.
    void on_bad_frame();
    /// No more will come.
    void on_disconnected();
    /// Nothing came in time.
    void on_timeout();
    /// The pause that the partner was asked for is over.
    void on_pause_over();

    /// Whether there is room for another line.
    [[nodiscard]] bool wants_line() const;
    void on_line(const Line& line);
    void on_lines_ended();
    /// stdin cannot be read any further.
    void on_lines_failed(std::string_view reason);
    /// Says goodbye; what was said before is still answered first. Idempotent.
    void leave();

    /// Something was refused for now and is asked again: roomd is not silent.
    [[nodiscard]] bool is_asking_again() const { return !again_.empty() || pausing_; }

    [[nodiscard]] bool talking() const { return state_ == State::talking; }

    [[nodiscard]] bool leaving() const { return state_ == State::leaving; }

    [[nodiscard]] bool over() const { return state_ == State::over; }

    [[nodiscard]] ExitStatus status() const { return status_; }

    void check() const;

private:
    enum class State : std::uint8_t { unconnected, greeting, joining, talking, leaving, over };
    enum class AskedKind : std::uint8_t { hello, join, line, command, quit };

    struct Asked {
        AskedKind kind;
        std::uint64_t line_number; // of what came by stdin
        std::string payload;       // kept only of what may be asked again
        unsigned attempts = 1;
    };

    void ask(AskedKind kind, std::string_view payload, std::uint64_t line_number = 0);
    void send(Asked asked);
    [[nodiscard]] static bool may_be_asked_again(AskedKind kind, std::string_view payload);
    [[nodiscard]] bool ask_again(Asked& asked, std::string_view code, std::string_view text);
    void begin_pause();
    void on_taken(const Asked& asked);
    Asked take_asked();
    void ask_next_again();
    void tell(const std::string& text);
    void tell_of_pause(const Asked& asked, std::string_view why);
    void tell_overtaken(std::uint64_t refused, std::uint64_t taken);
    void warn_unsaid();
    void greet(bool by_name);
    void on_greeting(std::string_view payload, const ParsedEvent& event);
    void on_greeting_refused(std::string_view code, std::string_view text);
    void on_ok(const ParsedEvent& event);
    void on_error(const ParsedEvent& event);
    void on_joined(const ParsedEvent& event);
    void on_bye(const ParsedEvent& event);
    void on_typed(const Line& line);
    void show_help();
    void show_event(const ParsedEvent& event);
    void refuse_line(std::uint64_t number, std::string_view code, std::string_view text);
    void leave_when_answered();
    void warn_not_roomd(std::string_view what);

    struct Unacknowledged {
        std::size_t count = 0;
        std::uint64_t first = 0; // the number of the first such line
    };

    [[nodiscard]] Unacknowledged unacknowledged() const;
    void warn_lost(std::string_view why);
    void finish(ExitStatus status);

    ConversationOptions options_;
    ConversationPartner* partner_;
    std::deque<Asked> asked_;
    std::deque<Asked> again_;        // refused for now
    std::size_t asked_bytes_ = 0;    // of the payloads kept in asked_
    std::uint64_t taken_in_row_ = 0; // messages, none refused since the beginning
    std::uint64_t last_taken_ = 0;   // the number of the last line that was taken
    Duration pause_{};               // between two messages; 0: none is needed
    bool pausing_ = false;           // on_pause_over() will be called
    bool was_refused_ = false;
    std::string last_words_; // why roomd will close, told before it spoke events
    std::string scratch_;
    State state_ = State::unconnected;
    ExitStatus status_ = ExitStatus::done;
    bool greeted_by_name_ = false;
    bool lines_ended_ = false;
    bool failed_ = false; // something was refused
};

} // namespace roomd
