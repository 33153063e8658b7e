#!/bin/sh
# Installs what is missing, builds with warnings as errors, runs every test: sh tools/test.sh
# The last line is "N passed, N failed"; the exit status is 0 when none failed. LULL_TEST_FUZZ=SECONDS in the
# environment runs each fuzzer so long, too, and counts it.
set -u
cd "$(dirname "$0")/.." || exit 1
build='build-test'
export LC_ALL=C.UTF-8

give_up() {
    echo "tools/test.sh: $1" >&2
    echo "0 passed, 1 failed"
    exit 1
}

fuzz_seconds=${LULL_TEST_FUZZ:-}
sh tools/setup.sh test ${fuzz_seconds:+fuzz} || give_up "setting up failed"

# An old build folder may come from another version of Meson or of this project: the second try has a new one.
configure() {
    if [ -f "$build/build.ninja" ]; then
        meson setup --reconfigure "$build" -Dwerror=true && return 0
    fi
    rm -rf "$build"
    meson setup "$build" -Dwerror=true
}

log=$(mktemp)
fuzzed=$(mktemp)
trap 'rm -f "$log" "$fuzzed"' EXIT
configure >"$log" 2>&1 || {
    cat "$log"
    give_up "meson setup failed"
}
ninja -k 0 -C "$build" >"$log" 2>&1 || {
    grep -v '^\[[0-9]*/[0-9]*\] \(Compiling\|Linking\|Generating\)' "$log"
    give_up "the build failed"
}

# The verdict is counted from Meson's record of results, against its list of tests: one that has no result
# has failed too. Logs of failures are printed by Meson.
results=$build/meson-logs/testlog.json
rm -f "$results"
# Machines that build others too are slow: limits are for tests that hang.
meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier 4
meson introspect "$build" --tests >"$log" || give_up "Meson does not know its tests"
if [ -n "$fuzz_seconds" ]; then
    sh tools/fuzz.sh "$fuzz_seconds" >"$fuzzed" 2>&1
    cat "$fuzzed"
fi
python3 - "$results" "$log" "$fuzzed" "$fuzz_seconds" <<'END'
import json, re, sys

try:
    with open(sys.argv[1]) as file:
        results = [json.loads(line)["result"] for line in file if line.strip()]
except (OSError, ValueError, KeyError) as error:
    print(f"tools/test.sh: no results: {error}")
    results = []
with open(sys.argv[2]) as file:
    expected = len(json.load(file))
passed = sum(result in ("OK", "EXPECTEDFAIL") for result in results)
skipped = results.count("SKIP")
failed = len(results) - passed - skipped + max(0, expected - len(results))
if sys.argv[4]:
    with open(sys.argv[3]) as file:
        verdict = re.search(r"^(\d+) of (\d+) fuzzers found nothing\n\Z", file.read(), re.M)
    well, fuzzers = map(int, verdict.groups()) if verdict else (0, 1)
    passed, failed = passed + well, failed + fuzzers - well
if passed == 0 and failed == 0:
    print("tools/test.sh: not one test ran")
    failed = 1
if skipped:
    print(f"{skipped} skipped (this machine cannot run them; see above)")
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
END
