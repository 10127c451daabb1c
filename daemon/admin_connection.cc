#include "daemon/admin_connection.h"

#include "reactor/sys.h"

#include <algorithm>
#include <cassert>
#include <variant>

namespace roomd {

namespace {

using Verb = AdminCommand::Verb;

constexpr std::size_t answer_bytes_max = 65'536;

Verdict help() {
    Verdict verdict{true, {}};
    std::string_view rest = admin_help();
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        verdict.lines.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    return verdict;
}

/// One line of an answer: what it quotes may hold anything.
void add_line(std::string& out, std::string_view line) {
    out += "- ";
    const std::size_t begin = out.size();
    out += line;
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
        [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; }, ' ');
    out += "\n";
}

} // namespace

AdminConnection::AdminConnection(Admin& admin, Fd fd, std::uint32_t user)
    : admin_(&admin), stream_(admin.host().streams, std::move(fd), *this), user_(user),
      heard_at_(admin.host().loop.now()) {}

bool AdminConnection::may_go_on() const {
    return stream_.open() && !waiting_ && !awaited_ && stream_.output().bytes() < answer_bytes_max;
}

void AdminConnection::on_input(Stream& stream) {
    while (may_go_on()) {
        const std::string_view held = stream.input().readable();
        const std::size_t line_end = held.find('\n');
        if (std::min(line_end, held.size()) > admin_line_bytes_max) {
            end("error usage: no command is longer than " + std::to_string(admin_line_bytes_max) +
                " bytes");
            return;
        }
        if (line_end == std::string_view::npos) {
            return;
        }
        const std::string line(held.substr(0, line_end));
        stream.input().consume(line_end + 1);
        take(line);
    }
    if (awaited_) { // what else was sent is run behind the answer
        if (stream.open()) {
            stream.pause_reading();
        }
    } else if (waiting_) { // nothing is run any more, but it is read on: an end is seen by reading
                           // only
        stream.input().consume(stream.input().size());
    } else if (stream.open()) {
        stream.pause_reading();
    }
}

// Half a line is not run: `drain 10` may have been meant as `drain 10m`.
void AdminConnection::on_end_of_input(Stream& stream) {
    if (awaited_) {
        return; // the answer ends it
    }
    if (stream.input().size() > 0 && may_go_on()) {
        end("error usage: the last line has no end, so it was not run");
    } else if (waiting_) {
        tell_left();
    } else {
        stream.close_after_flush();
    }
}

void AdminConnection::take(std::string_view line) {
    heard_at_ = admin_->host().loop.now();
    const std::variant<AdminCommand, std::string> parsed = parse_admin_command(line);
    if (const std::string* const why = std::get_if<std::string>(&parsed); why != nullptr) {
        std::string out;
        add_line(out, *why);
        stream_.send(out + "error usage\n");
        return;
    }
    const auto& command = std::get<AdminCommand>(parsed);
    const std::string_view word = word_of(command.verb);
    const Verdict verdict = run(command);
    const bool asks = command.verb == Verb::status || command.verb == Verb::help;
    admin_->host().log.line(
        asks ? LogLevel::debug : LogLevel::info, "admin",
        {{"command", line}, {"user", std::uint64_t{user_}}, {"ok", verdict.ok}});
    if (verdict.pending) {
        awaited_ = command.verb == Verb::reload ? Request::reload : Request::upgrade;
        return;
    }
    answer(verdict, command.verb == Verb::drain ? std::string_view() : word);
    if (command.verb == Verb::drain && verdict.ok) {
        waiting_ = true;
        tell_left();
    }
}

Verdict AdminConnection::run(const AdminCommand& command) {
    Operator& orders = admin_->host().orders;
    switch (command.verb) {
    case Verb::help:
        return help();
    case Verb::status:
        return orders.status();
    case Verb::reload:
        return orders.reload();
    case Verb::upgrade:
        return orders.upgrade();
    case Verb::drain:
        return orders.drain(command.over);
    case Verb::lockdown:
        return orders.lockdown(command.on);
    }
    return {};
}

// The lines of the verdict, and unless there is more to come (no `word`) the last one.
void AdminConnection::answer(const Verdict& verdict, std::string_view word) {
    std::string out;
    std::size_t told = 0;
    for (const std::string& line : verdict.lines) {
        if (out.size() + line.size() > answer_bytes_max) {
            add_line(out, "and " + std::to_string(verdict.lines.size() - told) + " lines more");
            break;
        }
        add_line(out, line);
        ++told;
    }
    if (!verdict.ok) {
        out += "error refused\n";
    } else if (!word.empty()) {
        out.append("ok ").append(word).append("\n");
    }
    stream_.send(out);
}

void AdminConnection::on_verdict(Request request, const Verdict& verdict) {
    if (awaited_ != request || !stream_.open()) {
        return;
    }
    awaited_.reset();
    heard_at_ = admin_->host().loop.now();
    answer(verdict, request == Request::reload ? "reload" : "upgrade");
    static_cast<void>(stream_.flush());
    if (stream_.open() && stream_.reading_paused()) {
        stream_.resume_reading(); // and what was sent meanwhile is run
    }
    if (stream_.open() && stream_.input_ended() && stream_.input().size() == 0) {
        stream_.close_after_flush();
    }
}

// Who has finished sending may listen still, or be gone: only writing tells.
void AdminConnection::tell_left() {
    const std::size_t left = admin_->host().orders.connections_left();
    const bool gone_perhaps = stream_.input_ended() && stream_.output().empty();
    if (left != told_left_ || gone_perhaps) {
        told_left_ = left;
        stream_.send("- left " + std::to_string(left) + "\n");
    }
}

void AdminConnection::end(std::string_view last) {
    stream_.send(std::string(last) + "\n");
    stream_.close_after_flush();
}

void AdminConnection::on_second(Duration idle_max) {
    if (waiting_ && stream_.open()) {
        tell_left();
        return;
    }
    if (awaited_ || admin_->host().loop.now() - heard_at_ < idle_max) {
        return;
    }
    if (stream_.open()) {
        heard_at_ = admin_->host().loop.now(); // as long again to take the goodbye
        end("error idle: nothing was asked for too long");
    } else {
        stream_.close_now();
    }
}

bool AdminConnection::peer_has_gone() const {
    return !stream_.closed() && sys::hung_up(stream_.fd());
}

void AdminConnection::leave() {
    stream_.on_ready(Ready::readable);
    if (!stream_.closed()) {
        stream_.close_now();
    }
}

void AdminConnection::finish() {
    if (waiting_ && stream_.open()) {
        stream_.send("- left 0\nok drain\n");
        static_cast<void>(stream_.flush());
    }
}

void AdminConnection::write_notice(Stream& /*stream*/, const std::vector<Lost>& /*lost*/,
                                   std::string& /*out*/) {
    assert(false); // only what rooms say can be lost
}

void AdminConnection::on_flushed(Stream& stream) {
    if (stream.reading_paused() && may_go_on()) {
        stream.resume_reading();
    }
}

void AdminConnection::on_closed(Stream& /*stream*/, StreamEnd /*end*/) {
    admin_->on_connection_closed();
}

} // namespace roomd
