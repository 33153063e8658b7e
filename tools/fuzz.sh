#!/bin/sh
# Runs every fuzzer of tests/fuzz for some seconds under AddressSanitizer and UBSan: sh tools/fuzz.sh [SECONDS [NAME…]]
# (60 each when nothing is said; two at a time). What it finds is left in build-fuzz/found and, when it is small, printed;
# copy it to tests/fuzz/corpus/NAME/regression-WHAT once it is mended. FUZZ_JOBS changes how many run at a time. The last
# line is "N of N fuzzers found nothing"; the exit status is 0 when none found anything.
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${1:-60}
[ $# -gt 0 ] && shift
names=${*:-npy model config audio frames serve vocoder}
build=${FUZZ_BUILD:-build-fuzz}
clang=$(command -v clang || command -v clang-14 || command -v clang-19) || {
    echo "tools/fuzz.sh: clang is not installed (Debian: clang, libclang-rt-14-dev)" >&2
    exit 1
}
if [ ! -f "$build/build.ninja" ]; then
    CC=$clang meson setup "$build" -Dfuzz=true -Dmpi=disabled -Db_sanitize=address,undefined -Db_lundef=false \
        -Dbuildtype=debugoptimized -Doptimization=1 >/dev/null || exit 1
fi
targets=
for name in $names; do targets="$targets tests/fuzz/fuzz_$name"; done
# shellcheck disable=SC2086
ninja -C "$build" $targets >"$build/fuzz-build.log" 2>&1 || {
    tail -n 30 "$build/fuzz-build.log"
    exit 1
}

mkdir -p "$build/found"
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
fuzz_one() {
    name=$1
    mkdir -p "$build/corpus-$name"
    most=4096
    [ "$name" = npy ] && most=1024
    [ "$name" = vocoder ] && most=1024
    # The clock of -timeout is the wall's: on a busy machine a second of work may take a minute.
    # Entropic scheduling (Böhme et al. 2020) costs more than the run where a run reaches thousands of features.
    "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -max_len=$most -timeout=300 -rss_limit_mb=2048 -entropic=0 \
        -print_final_stats=1 -artifact_prefix="$build/found/$name-" "$build/corpus-$name" \
        "tests/fuzz/corpus/$name" >"$build/fuzz-$name.log" 2>&1
    status=$?
    times >"$build/fuzz-$name.times" # the second line: this harness's user and system time
    cpu=$(sed -n 's/\([0-9]*\)m\([0-9]*\)[.0-9]*s \([0-9]*\)m\([0-9]*\).*/\1 \2 \3 \4/;2p' "$build/fuzz-$name.times" |
        awk '{print ($1 + $3) * 60 + $2 + $4}')
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/fuzz-$name.log")
    reached=$(grep -o 'cov: [0-9]*' "$build/fuzz-$name.log" | tail -n 1)
    if [ $status -eq 0 ]; then
        echo "$name: $seconds s ($cpu s of CPU), ${runs:-0} runs, ${reached:-cov: 0}, nothing found"
    else
        echo "$name: FOUND something (or could not run): $build/fuzz-$name.log"
        grep -E 'ERROR|SUMMARY|not so|runtime error|Test unit written|Base64' "$build/fuzz-$name.log" | head -n 8
        : >"$build/failed-$name"
    fi
}

rm -f "$build"/failed-*
running=0 all=0 well=0
for name in $names; do
    fuzz_one "$name" &
    running=$((running + 1))
    if [ $running -ge "${FUZZ_JOBS:-2}" ]; then
        wait
        running=0
    fi
done
wait
for name in $names; do
    all=$((all + 1))
    [ -f "$build/failed-$name" ] || well=$((well + 1))
done
echo "$well of $all fuzzers found nothing"
[ $well -eq $all ]
