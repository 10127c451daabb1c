// command_line — how `room` and `roomctl` read their arguments, and what they say of them.
//
// Included by the two programs and by nothing else. Knows the parser only as a template's argument,
// so that CLI11 keeps its doors.
#pragma once

#include "client/exit_status.h"
#include "reactor/arguments.h"
#include "reactor/sys.h"

#include <optional>
#include <sstream>
#include <string>

#include <unistd.h>

namespace roomd {

/// Reads the arguments into what `app` describes. The exit status if there is nothing left to do:
/// help or the version was asked for, or the arguments are wrong.
template <typename ParseError, typename App>
std::optional<int> read_arguments(App& app, int argc, char** argv) {
    const std::string name = app.get_name();
    if (const std::string why = empty_value(argc, argv); !why.empty()) {
        static_cast<void>(
            sys::write_all(STDERR_FILENO, name + ": " + why + "\n  try: " + name + " --help\n"));
        return static_cast<int>(ExitStatus::usage);
    }
    try {
        app.parse(argc, argv);
    } catch (const ParseError& error) {
        std::ostringstream out;
        std::ostringstream errors;
        const bool asked = app.exit(error, out, errors) == 0;
        static_cast<void>(sys::write_all(STDERR_FILENO, errors.str()));
        if (!asked) {
            return static_cast<int>(ExitStatus::usage);
        }
        return static_cast<int>(sys::print(name, out.str()) ? ExitStatus::done
                                                            : ExitStatus::input_output);
    }
    return std::nullopt;
}

} // namespace roomd
