// Report — what a run found: a table for people, and the same figures as JSON.
//
// Borrows everything; computes nothing that was not measured.
#pragma once

#include "test/proofs/continuity/crowd.h"
#include "test/proofs/continuity/findings.h"
#include "test/proofs/continuity/hardship.h"
#include "test/proofs/continuity/options.h"
#include "test/proofs/continuity/probes.h"
#include "test/proofs/continuity/restarts.h"
#include "test/proofs/continuity/speech.h"

namespace roomd::continuity {

struct Report {
    const Options& options;
    const Findings& findings;
    Crowd& crowd;
    const Speech& speech;
    const Hardship& hardship;
    const Probes& probes;
    const Restarts& restarts;
};

/// Of each connection's pause in each restart.
[[nodiscard]] double pause_p99_ms(const Windows& windows);

void print(const Report& report);

/// False: the file cannot be written; said on stderr. True without `--json`.
[[nodiscard]] bool write_json(const Report& report);

} // namespace roomd::continuity
