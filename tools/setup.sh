#!/bin/sh
# Installs what lull is built from: sh tools/setup.sh [test] [fuzz] [package] [cross] [compilers]
# With "test" also what only its tests use, with "fuzz" what the fuzzers (tools/fuzz.sh) are built with. Debian 12 and its relatives; run by root, or by someone who may
# sudo. Installs what is missing and nothing else, and says nothing when nothing is.
set -eu

# The one place where packages are named. Meson asks dpkg-dev where libraries are installed.
build="gcc libc6-dev dpkg-dev meson ninja-build pkgconf
    libsndfile1-dev libsoxr-dev libfftw3-dev libopenblas0 portaudio19-dev libpng-dev zlib1g-dev libcmocka-dev"
# C++ caller, command-line tests, scores from elsewhere, a browser for the pages, sound servers without a sound card, several machines.
test="g++ python3 python3-numpy python3-scipy python3-mesonpy patchelf python3-pip python3-venv chromium
    pulseaudio pulseaudio-utils libasound2-plugins jackd2 libopenmpi-dev openmpi-bin"
# Debian packages (tools/package.sh); other systems and C libraries (tools/cross.sh).
package="debhelper lintian libopenmpi-dev"
cross="gcc-mingw-w64-x86-64-posix wine wine64 musl-tools"
# Compilers beside the system's own (.ci/run).
compilers="gcc-11 clang"
fuzz="clang libclang-rt-14-dev"

wanted=$build
for part in "$@"; do
    case $part in
    test) wanted="$wanted $test" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    package) wanted="$wanted $package" ;;
    cross) wanted="$wanted $cross" ;;
    compilers) wanted="$wanted $compilers" ;;
    *)
        echo "usage: sh tools/setup.sh [test] [fuzz] [package] [cross] [compilers]" >&2
        exit 2
        ;;
    esac
done

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    echo "tools/setup.sh: no apt-get here. Install what these Debian packages hold, then build with meson:" $wanted >&2
    exit 0
fi

missing=
for package in $wanted; do
    case "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || :)" in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "tools/setup.sh: neither root nor sudo. Ask an administrator for: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Waits for another apt to end; asks nothing; takes no suggestions.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -q -y \
        -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o APT::Install-Recommends=false "$@" </dev/null >>"$log" 2>&1
}

# Mirrors have bad moments: five tries, with longer and longer pauses. That the lists cannot all be renewed
# (another program's repository is gone, say) does not matter where the packages can be had.
try_install() {
    attempt=1
    while :; do
        apt update || :
        if apt install $missing; then return 0; fi
        [ "$attempt" -lt 5 ] || return 1
        echo "tools/setup.sh: apt-get failed, trying again" >&2
        sleep $((attempt * 5))
        attempt=$((attempt + 1))
    done
}

echo "Installing$missing" >&2
if ! try_install; then
    tail -n 30 "$log" >&2
    echo "tools/setup.sh: the packages could not be installed (above: what apt-get said)" >&2
    exit 1
fi
