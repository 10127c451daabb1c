// arguments — what every program of this tree refuses in its command line before it reads options.
//
// Pure. `--option=$VARIABLE` with the variable unset is a mistake of a script. Parsers take it for
// "yes" at a switch, and for the next argument at an option that wants a value. Here it is an
// error that names the option. An empty value in an argument of its own (`--option ""`) is the
// same mistake.
#pragma once

#include <string>

namespace roomd {

/// One sentence that names the first option whose value is empty; empty if there is none. Stops at
/// `--`.
[[nodiscard]] std::string empty_value(int argc, const char* const* argv);

} // namespace roomd
