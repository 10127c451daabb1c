#include "protocol/telnet.h"

#include "protocol/line_scan.h"

#include <cassert>

namespace roomd {

namespace {

// RFC 854, and RFC 885 and 1184 for those below 240.
constexpr char command_first = '\xEC'; // 236, EOF
constexpr char end_subnegotiation = '\xF0';
constexpr char are_you_there = '\xF6';
constexpr char subnegotiation = '\xFA';
constexpr char will = '\xFB';
constexpr char do_it = '\xFD';
constexpr char dont = '\xFE';
constexpr char timing_mark = '\x06'; // an option

constexpr unsigned as_number(char byte) {
    return static_cast<unsigned char>(byte);
}

/// WILL, WONT, DO, DONT: an option follows.
bool is_about_option(char command) {
    return as_number(command) >= as_number(will) && as_number(command) <= as_number(dont);
}

TelnetAsk ask_of(char command, char option) {
    if (command == do_it) {
        return option == timing_mark ? TelnetAsk::timing_mark : TelnetAsk::do_it;
    }
    return command == will ? TelnetAsk::will : TelnetAsk::nothing;
}

TelnetAsk ask_of(char command) {
    switch (command) {
    case subnegotiation:
        return TelnetAsk::subnegotiation;
    case end_subnegotiation:
        return TelnetAsk::end;
    case are_you_there:
        return TelnetAsk::are_you_there;
    default:
        return TelnetAsk::nothing;
    }
}

} // namespace

bool is_telnet_command(char byte) {
    return as_number(byte) >= as_number(command_first) && byte != telnet_iac;
}

TelnetCommand read_telnet_command(std::string_view bytes) {
    assert(bytes.starts_with(telnet_iac));
    using Kind = TelnetCommand::Kind;
    if (bytes.size() < 2) {
        return {Kind::unfinished};
    }
    const char command = bytes[1];
    if (!is_telnet_command(command)) {
        return {Kind::data, command == telnet_iac ? std::size_t{2} : std::size_t{1}};
    }
    if (is_about_option(command)) {
        return bytes.size() < 3
                   ? TelnetCommand{Kind::unfinished}
                   : TelnetCommand{Kind::command, 3, ask_of(command, bytes[2]), bytes[2]};
    }
    return {Kind::command, 2, ask_of(command)};
}

} // namespace roomd
