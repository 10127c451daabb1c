// Successor — the program that is to go on where this process is.
//
// Owned by a Handover for the time of one upgrade. Holds the file open: the program that was asked
// is the one that is executed, whatever its path names by then. A script is run by its path, since
// its interpreter opens it by name; then the path must still lead to the file that was asked.
// Never decides whether the answer is good enough, and never waits for the child.
//
// A child of it that can go on proves that it is a roomd, in a line of its own:
//
//     roomd-goes-on WORD VERSION STATE     WORD is in the question (--probe-word), so no other
//                                          program says it by chance, and none can have learnt it
#pragma once

#include "reactor/fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <sys/types.h>

namespace roomd {

class Successor {
public:
    /// Opens what is at `path`. Nothing, and `why` set: it is not there, no regular file, or may
    /// not be executed.
    [[nodiscard]] static std::optional<Successor> open(const std::string& path, std::string& why);

    /// A child of it in a process group of its own, with `state` as descriptor 3, and a pipe to
    /// what it says. It hears signals as a program does that a shell has started. -1, and `why`
    /// set, if it cannot be run. Throws std::system_error where there is no descriptor.
    [[nodiscard]] pid_t spawn(std::vector<std::string> arguments, const Fd& state, Fd& answer,
                              std::string& why) const;

    /// In the place of this process. Returns only if that fails, with the reason.
    [[nodiscard]] std::string execute(std::vector<std::string> arguments,
                                      std::vector<std::string> variables) const;

private:
    Successor(std::string path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}

    [[nodiscard]] std::string changed() const;

    std::string path_;
    Fd file_; // of sys::open_program()
    struct stat asked_ = {};
    bool script_ = false;
};

/// The option that hands a child the word of its proof.
inline constexpr std::string_view proof_option = "--probe-word=";

/// A word that nobody can guess: 32 hexadecimal digits. Throws std::system_error.
[[nodiscard]] std::string new_proof_word();

/// The line of the child; `word` is the one it was given.
[[nodiscard]] std::string proof_of(std::string_view word);

/// What a successor has said about itself.
struct Proof {
    std::string version;
    std::string state_version;
};

/// Finds the proof among the lines of `said`; nothing if none has `word` in it.
[[nodiscard]] std::optional<Proof> find_proof(std::string_view said, std::string_view word);

} // namespace roomd
