// Chat — stdin, stdout and the socket on one loop: the body of `room`.
//
// Owns the connection, the reader of lines and the output; the Conversation decides what they
// carry. Nothing blocks: lines are taken while the conversation and the socket have room for them,
// and while stdout takes nothing, nothing is heard either, so memory stays bounded whoever is slow.
//
// Ends (finished()) when the conversation is over and everything it showed was written; a person in
// a hurry (second signal) or a goodbye that is not answered in time ends it earlier.
#pragma once

#include "client/connector.h"
#include "client/conversation.h"
#include "client/line_reader.h"
#include "client/output.h"
#include "protocol/decoder.h"
#include "protocol/limits.h"
#include "reactor/signals.h"
#include "reactor/stream.h"

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace roomd {

struct ChatOptions {
    std::vector<SocketAddress> addresses; // in the order of trial
    std::string start_hint;               // for the person whom nobody answered
    ConversationOptions conversation;
    int input_fd = 0;
    int output_fd = 1;
};

class Chat final : public StreamOwner,
                   public ConnectorOwner,
                   public ConversationPartner,
                   public SignalOwner,
                   public TickEnd,
                   public Timed {
public:
    /// Becomes the loop's tick-end hook. `errors` is where warnings go.
    Chat(EventLoop& loop, ChatOptions options, std::ostream& errors);
    ~Chat();
    Chat(const Chat&) = delete;
    Chat& operator=(const Chat&) = delete;
    Chat(Chat&&) = delete;
    Chat& operator=(Chat&&) = delete;

    /// Starts to connect. Then run the loop: it is stopped when the chat has finished.
    void begin();

    [[nodiscard]] bool finished() const { return finished_; }

    /// What to tell the shell; once finished().
    [[nodiscard]] int status() const;
    /// stdout's reader has gone: end as SIGPIPE would have.
    [[nodiscard]] bool output_refused() const;

    void on_input(Stream& stream) override;
    void on_end_of_input(Stream& stream) override;
    void write_notice(Stream& stream, const std::vector<Lost>& lost, std::string& out) override;
    void on_flushed(Stream& stream) override;
    void on_closed(Stream& stream, StreamEnd end) override;
    void on_connected(Fd fd) override;
    void on_not_connected(const std::vector<FailedAddress>& failures) override;
    void send(std::string_view payload) override;
    void show(std::string_view line) override;
    void warn(std::string_view line) override;
    void pause(Duration length) override;
    void on_signal(int signal) override;
    Activity on_tick_end() override;
    void on_timer(TimerKey key) override;

private:
    [[nodiscard]] bool takes_lines() const;
    [[nodiscard]] Activity take_lines();
    [[nodiscard]] bool step(Stream& stream);
    [[nodiscard]] bool hear_first(Stream& stream, bool complete);
    void watch_output();
    void watch_clock();
    void finish();

    EventLoop* loop_;
    std::ostream* errors_;
    std::vector<SocketAddress> addresses_;
    std::string start_hint_;
    std::string address_;
    bool interactive_;
    Conversation conversation_;
    LineReader lines_;
    Output output_;
    Arena arena_;
    FlushList flush_list_;
    StreamHost host_;
    DecoderLimits limits_{frame_bytes_ceiling, frame_bytes_ceiling};
    Decoder decoder_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<Stream> stream_; // set once connected
    std::string scratch_;
    TimerKey timer_; // patience with roomd: its welcome, or its goodbye
    TimerKey pause_; // before the conversation asks again
    int signal_ = 0;
    bool waits_for_bye_ = false;
    bool frames_seen_ = false;
    bool output_lost_ = false;
    bool hurried_ = false;
    bool finished_ = false;
};

} // namespace roomd
