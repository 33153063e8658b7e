#!/bin/sh
# Debian packages of this tree (program, library, development files, MPI's module): sh tools/package.sh [FOLDER]
# They are put into FOLDER (build-package). Builds a copy, as dpkg-buildpackage does; lintian looks at the result where it
# is installed, and its errors are errors here. DEBFULLNAME and DEBEMAIL name the maintainer.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
out=${1:-build-package}
mkdir -p "$out"
out=$(cd "$out" && pwd)
sh tools/setup.sh package

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/lull
mkdir "$tree"
# What git tracks, as it is in the working tree; all but build folders where this is no checkout.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then git ls-files -z; else find . -path './build*' -prune -o -type f -print0; fi |
    tar --null --files-from=- --ignore-failed-read -cf - | tar -xf - -C "$tree"

version=$(sed -n "s/^project(.* version: '\([0-9.]*\)'.*/\1/p" meson.build)
so=$(sed -n "s/^soversion = '\([0-9]*\)'.*/\1/p" meson.build)
maintainer="${DEBFULLNAME:-$(git log -1 --format=%an 2>/dev/null || echo lull)} <${DEBEMAIL:-$(git log -1 --format=%ae 2>/dev/null || echo lull@localhost.localdomain)}>"
# The packages that tools/setup.sh names for building, but those that every Debian build has.
build=$(sed -n '/^build="/,/"$/p' tools/setup.sh | sed 's/^build=//' | tr -d '"\n' | sed 's/\<\(gcc\|libc6-dev\|dpkg-dev\)\>//g; s/^ *//; s/  */, /g')
cp -r tools/debian "$tree/debian"
chmod +x "$tree/debian/rules"
mv "$tree/debian/liblull.install" "$tree/debian/liblull$so.install"
sed -i "s/@MAINTAINER@/$maintainer/; s/@SO@/$so/; s/@BUILD@/$build, libopenmpi-dev/" "$tree/debian/control"
mkdir "$tree/debian/source"
echo '3.0 (native)' >"$tree/debian/source/format"
{
    echo "lull ($version) unstable; urgency=medium"
    echo
    echo "  * Built from the project's tree; CHANGELOG.md says what changed."
    echo
    echo " -- $maintainer  $(date -R -u ${SOURCE_DATE_EPOCH:+-d "@$SOURCE_DATE_EPOCH"})"
} >"$tree/debian/changelog"

(cd "$tree" && dpkg-buildpackage -b -us -uc) >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    echo "tools/package.sh: dpkg-buildpackage failed" >&2
    exit 1
}
rm -f "$out"/*.deb
mv "$work"/*.deb "$out"
if command -v lintian >/dev/null 2>&1; then
    lintian --no-cfg --allow-root --fail-on error "$out"/*.deb >"$work/lintian" 2>&1 || {
        cat "$work/lintian" >&2
        echo "tools/package.sh: lintian found errors" >&2
        exit 1
    }
fi
ls "$out"/*.deb
