#include "reactor/terminal.h"

namespace roomd::sys {

// termios(3): 4,096 bytes on Linux with the line's end; elsewhere TTYHOG, 1,024. fpathconf(3) says
// 255 on Linux, which is wrong.
std::size_t terminal_line_bytes() noexcept {
#if defined(__linux__)
    return 4'095;
#else
    return 1'023;
#endif
}

} // namespace roomd::sys
