// How the reports reach the disk: whole or not at all.
//
// The text is written beside its place and then put there, so that a reader never sees half of it
// and an earlier report survives a full disk.
#pragma once

#include <string>
#include <string_view>

namespace roomd::bench {

/// Throws std::system_error naming the file.
void write_text_file(const std::string& path, std::string_view text);

} // namespace roomd::bench
