#!/bin/sh
# The checks that are too slow for every change: sh tools/sanitize.sh [format|address|thread|valgrind|tidy|cppcheck|analyzer|types…]
# (all of them when none is named). Each ends in a line "NAME: fine" or "NAME: FAILED"; the exit status is 0 when all were
# fine. What is suppressed is explained here, beside each check.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C.UTF-8
failed=0
verdict() {
    if [ "$2" -eq 0 ]; then echo "$1: fine"; else echo "$1: FAILED"; failed=1; fi
}
configure() {
    [ -f "$1/build.ninja" ] || meson setup "$@" -Dmpi=disabled >/dev/null || exit 1
}
# Programs that are linked of the folders below; train stands for all of them in a compile command.
sources=$(git ls-files 'src/*.c' | grep -v '^src/nn/neon\.c$\|ranks_mpi\.c$')

# Every source is as clang-format (14) leaves it.
check_format() {
    # shellcheck disable=SC2046
    clang-format --dry-run --Werror $(git ls-files '*.c' '*.h' | grep -v '^third_party/')
}

# The whole suite. Leaks inside PortAudio's back ends (PulseAudio's and JACK's client libraries keep what they made) are
# not ours: the live tests run without the leak check by their own environment.
check_address() {
    configure build-address -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debugoptimized
    ninja -C build-address >build-address/build.log 2>&1 || { tail -n 20 build-address/build.log; return 1; }
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 meson test -C build-address --no-rebuild --print-errorlogs --timeout-multiplier 10
}

# Tests with threads. OpenBLAS and FFTW are not instrumented; neither starts threads here.
check_thread() {
    configure build-thread -Db_sanitize=thread -Db_lundef=false -Dbuildtype=debugoptimized
    ninja -C build-thread tests/base/test_base_thread_pool tests/base/test_base_progress tests/vocoder/test_vocoder_vocoder \
        tests/vocoder/test_vocoder_embedding tests/vocoder/test_vocoder_ring tests/audio/test_audio_playback \
        tests/model/test_model_denoiser tests/failure/soak tests/failure/failing_allocations tests/cli/serve_client \
        tests/audio/play_raw src/cli/lull \
        >build-thread/build.log 2>&1 || { tail -n 20 build-thread/build.log; return 1; }
    export TSAN_OPTIONS=halt_on_error=1
    meson test -C build-thread --no-rebuild --print-errorlogs --timeout-multiplier 20 \
        thread_pool progress vocoder embedding ring playback denoiser soak live_serve live_serve_hostile || return 1
    # Playing, a folder with two workers, training, and some failures of each.
    for case in play play_tee batch train; do
        FAILURE_STRIDE=401 build-thread/tests/failure/failing_allocations $case || return 1
    done
}

# What reads files and the engine. Valgrind knows no AVX-512: the kernels fall back to AVX2 there by themselves.
check_valgrind() {
    configure build-valgrind -Dbuildtype=debugoptimized
    ninja -C build-valgrind tests/base/test_base_memory tests/io/test_io_npy tests/io/test_io_safetensors tests/io/test_io_json \
        tests/fuzz/replay_model tests/fuzz/replay_npy tests/fuzz/replay_vocoder \
        >build-valgrind/build.log 2>&1 || { tail -n 20 build-valgrind/build.log; return 1; }
    status=0
    export LULL_GOLDENS="$PWD/tests/goldens" LULL_SOURCE="$PWD"
    for test in 'tests/base/test_base_memory' 'tests/io/test_io_npy' 'tests/io/test_io_safetensors' 'tests/io/test_io_json' \
        'tests/fuzz/replay_model tests/fuzz/corpus/model' 'tests/fuzz/replay_npy tests/fuzz/corpus/npy' \
        'tests/fuzz/replay_vocoder tests/fuzz/corpus/vocoder/whole'; do
        # shellcheck disable=SC2086
        valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite build-valgrind/$test \
            >build-valgrind/log 2>&1 || { echo "$test"; tail -n 20 build-valgrind/log; status=1; }
    done
    return $status
}

# Which checks: .clang-tidy. Left out there: easily-swappable-parameters, misc-include-cleaner, no-recursion (JSON and
# folders are trees, their depth is bounded), widening and narrowing conversions of sizes of audio (what comes from files
# is multiplied with checks), suspicious-string-compare (if (strcmp(a, b)) is an idiom), not-null-terminated-result (magic
# words of files are bytes), insecureAPI (wants memcpy_s, which no C library here has), valist.Uninitialized (LLVM 14 does
# not see its own va_start when it is given several files), FloatLoopCounter (labels of an axis, time left), Padding (the
# ring's counters lie on cache lines of their own on purpose), macro-parentheses (of types and names that are declared).
check_tidy() {
    configure build-analysis
    # shellcheck disable=SC2086
    echo "$sources" | xargs -P "$(nproc)" -n 4 clang-tidy -p build-analysis --quiet --warnings-as-errors='*' 2>/dev/null
}

# Suppressed: missingIncludeSystem and unmatchedSuppression are about cppcheck itself; normalCheckLevelMaxBranches tells
# that it did not look at every branch of long functions. invalidPointerCast: the denoiser keeps bfloat16 values in the
# room of its float scratch (sizes and alignment fit; they are only ever read as bfloat16). duplicateAssignExpression: a
# minimum and a maximum that both begin with the first value.
check_cppcheck() {
    # shellcheck disable=SC2086
    cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 \
        --suppress=missingIncludeSystem --suppress=unmatchedSuppression --suppress=normalCheckLevelMaxBranches \
        --suppress=invalidPointerCast --suppress=duplicateAssignExpression \
        -D__x86_64__ -DLULL_VERSION='""' -Iinclude -Isrc -j "$(nproc)" $sources
}

# The kernels' files are left out: the analyzer runs for hours over their unrolled loops and knows no intrinsics.
check_analyzer() {
    status=0
    for file in $sources; do
        case $file in src/nn/avx* | src/nn/amx.c | src/mel/kernels*) continue ;; esac
        gcc -std=c11 -O1 -fanalyzer -Werror -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DNN_X86 \
            -DLULL_VERSION='""' -DLULL_SOURCE_FOLDER='""' -DLULL_BUILD_FOLDER='""' -DLULL_DATA_FOLDER='""' \
            -Iinclude -Isrc -isystem third_party/yyjson $(pkg-config --cflags sndfile fftw3f) -c "$file" -o /dev/null || status=1
    done
    return $status
}

# The types of the Python package, as a caller's checker sees them. pyright comes from the index that pip is configured for,
# into a folder of its own, and brings a Node.js where there is none.
check_types() {
    [ -x build-types/bin/pyright ] || { python3 -m venv build-types && build-types/bin/pip install -q pyright numpy; } || return 1
    build-types/bin/pyright --pythonpath build-types/bin/python src/python
}

for name in ${*:-format address thread valgrind tidy cppcheck analyzer types}; do
    "check_$name"
    verdict "$name" $?
done
exit $failed
