#include "daemon/saved_chunks.h"

namespace roomd {

std::uint32_t ChunkCollector::number_of(const LabelRef& label) {
    if (label.get() == nullptr) {
        return no_index;
    }
    const auto number = static_cast<std::uint32_t>(out_->labels.size());
    const auto [found, is_new] = labels_.try_emplace(label.get(), number);
    if (is_new) {
        out_->labels.push_back(label.get()->text());
    }
    return found->second;
}

std::uint32_t ChunkCollector::number_of(const ChunkRef& chunk) {
    const auto number = static_cast<std::uint32_t>(out_->chunks.size());
    const auto [found, is_new] = chunks_.try_emplace(chunk.get(), number);
    if (is_new) {
        SavedChunk saved;
        saved.kind = chunk->kind();
        saved.label = number_of(chunk->label());
        saved.bytes = chunk->view(0, chunk->size());
        for (const Mark& mark : chunk->marks()) {
            saved.marks.push_back({mark.end, mark.number});
        }
        for (const Lost& lost : chunk->lost()) {
            saved.lost.push_back(
                {number_of(lost.label), lost.first, lost.last, lost.count, lost.state});
        }
        out_->chunks.push_back(std::move(saved));
    }
    return found->second;
}

std::vector<ChunkRef> restore_chunks(const Snapshot& snapshot, Arena& arena) {
    std::vector<LabelRef> labels;
    for (const std::string_view label : snapshot.labels) {
        labels.emplace_back(label);
    }
    std::vector<ChunkRef> chunks;
    for (const SavedChunk& saved : snapshot.chunks) {
        ChunkRef chunk = arena.make(saved.kind, static_cast<std::uint32_t>(saved.bytes.size()),
                                    saved.label == no_index ? LabelRef() : labels[saved.label]);
        std::uint32_t begin = 0;
        for (const SavedMark& mark : saved.marks) {
            chunk->append(saved.bytes.substr(begin, mark.end - begin));
            chunk->mark(UINT32_MAX, mark.number); // whoever it came from has had its run
            begin = mark.end;
        }
        if (begin < saved.bytes.size()) { // all of it, if nobody marks its units
            chunk->append(saved.bytes.substr(begin));
        }
        for (const SavedLost& lost : saved.lost) {
            chunk->lost().push_back(
                {labels[lost.label], lost.first, lost.last, lost.count, lost.state});
        }
        chunks.push_back(std::move(chunk));
    }
    return chunks;
}

} // namespace roomd
