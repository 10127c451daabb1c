#include "protocol/event.h"

#include "protocol/event_format.h"
#include "protocol/human_format.h"
#include "protocol/pen.h"

#include <variant>

namespace roomd {

void encode(std::string& out, Dialect dialect, const Event& event) {
    Pen pen{out, dialect.framing};
    switch (dialect.format) {
    case Format::human:
        std::visit(HumanFormat{pen}, event);
        return;
    case Format::plain:
        std::visit(PlainFormat{pen}, event);
        return;
    case Format::event:
        std::visit(EventFormat{pen}, event);
        return;
    }
}

void encode_payload(std::string& out, Framing framing, std::string_view payload) {
    Pen pen{out, framing};
    pen.begin(payload.size());
    pen.text(payload);
    pen.end();
}

} // namespace roomd
