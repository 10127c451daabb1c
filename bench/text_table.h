// TextTable — rows of words, printed in aligned columns: the first to the left, the others to the
// right.
//
// A value. Knows nothing of what it holds; a column whose cells are all empty is not printed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::bench {

class TextTable {
public:
    /// Columns stay in the order in which they are first named here.
    void set(std::string_view column, std::string text);

    /// What is set from now on stands in a new row.
    void next_row() { ++rows_; }

    /// Header and rows, each line indented by `indent` and ended by a line feed. `emphasis` and
    /// `plain` are put around the header (terminal attributes, or nothing).
    [[nodiscard]] std::string text(std::size_t indent, std::string_view emphasis,
                                   std::string_view plain) const;

private:
    struct Column {
        std::string header;
        std::vector<std::string> cells; // of the rows so far; short if the last are empty
        std::size_t width = 0;
    };

    std::vector<Column> columns_;
    std::size_t rows_ = 0;
};

} // namespace roomd::bench
