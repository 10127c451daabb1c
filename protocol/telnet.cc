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
    if (as_number(command) >= as_number(will) && as_number(command) <= as_number(dont)) {
        if (bytes.size() < 3) {
            return {Kind::unfinished};
        }
        const char option = bytes[2];
        const TelnetAsk ask = command == will         ? TelnetAsk::will
                              : command != do_it      ? TelnetAsk::nothing
                              : option == timing_mark ? TelnetAsk::timing_mark
                                                      : TelnetAsk::do_it;
        return {Kind::command, 3, ask, option};
    }
    const TelnetAsk ask = command == subnegotiation       ? TelnetAsk::subnegotiation
                          : command == end_subnegotiation ? TelnetAsk::end
                          : command == are_you_there      ? TelnetAsk::are_you_there
                                                          : TelnetAsk::nothing;
    return {Kind::command, 2, ask};
}

} // namespace roomd
