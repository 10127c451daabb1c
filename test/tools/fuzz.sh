#!/usr/bin/env bash
# Builds every fuzz target with clang under ASan and UBSan and runs each for FUZZ_SECONDS, two at a time.
# The corpus lives in build-asan/corpus and is kept between runs; a finding is written to build-asan/findings.
# Names given as arguments choose targets: fuzz.sh decoder_fuzz
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-20}
directory=build-asan
test/tools/configure_asan.sh
ninja -C "$directory" fuzz

if [[ $# -gt 0 ]]; then
    targets=("$@")
else
    mapfile -t targets < <(find "$directory" -maxdepth 1 -name '*_fuzz' -type f -executable -printf '%f\n' | sort)
fi
[[ ${#targets[@]} -gt 0 ]] || { echo 'no fuzz targets' >&2; exit 1; }

run_one() {
    local name=$1 corpus=$directory/corpus/$1 log=$directory/$1.log
    mkdir -p "$corpus" "$directory/findings"
    local seeds=()
    [[ -d test/fuzz/corpus/$name ]] && seeds=("test/fuzz/corpus/$name")
    if "$directory/$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$directory/findings/$name-" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
        echo "fuzz $name: ok, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in $seconds s"
    else
        tail -n 40 "$log"
        echo "fuzz $name: FAILED, see $log"
        return 1
    fi
}
export -f run_one
export directory seconds UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "${JOBS:-2}" bash -c 'run_one "$1"' fuzz
