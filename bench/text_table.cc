#include "bench/text_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace roomd::bench {

namespace {

constexpr std::size_t gap_columns = 2;

void append_aligned(std::string& out, std::string_view cell, std::size_t width, bool left) {
    const std::string padding(width - cell.size(), ' ');
    out += left ? std::string() : padding;
    out += cell;
    out += left ? padding : std::string();
}

} // namespace

void TextTable::set(std::string_view column, std::string text) {
    assert(rows_ > 0);
    auto found = std::ranges::find(columns_, column, &Column::header);
    if (found == columns_.end()) {
        columns_.push_back({std::string(column), {}, 0});
        found = columns_.end() - 1;
    }
    if (!text.empty()) {
        found->width = std::max({found->width, column.size(), text.size()});
        found->cells.resize(rows_);
        found->cells.back() = std::move(text);
    }
}

std::string TextTable::text(std::size_t indent, std::string_view emphasis,
                            std::string_view plain) const {
    std::string out;
    const auto append_line = [&](auto cell_of) {
        std::string line(indent, ' ');
        bool first = true;
        for (const Column& column : columns_) {
            if (column.width != 0) {
                line += first ? std::string() : std::string(gap_columns, ' ');
                append_aligned(line, cell_of(column), column.width, first);
                first = false;
            }
        }
        line.erase(line.find_last_not_of(' ') + 1);
        return line;
    };
    out += emphasis;
    out += append_line([](const Column& column) { return std::string_view(column.header); });
    out += plain;
    out += '\n';
    for (std::size_t row = 0; row < rows_; ++row) {
        out += append_line([row](const Column& column) {
            return row < column.cells.size() ? std::string_view(column.cells[row])
                                             : std::string_view();
        });
        out += '\n';
    }
    return out;
}

} // namespace roomd::bench
