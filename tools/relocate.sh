#!/bin/sh
# Meson runs it when it installs: lull.pc says where things are from where it lies itself, so that the installed tree may
# be moved. relocate.sh LIBDIR
set -eu
up=$(printf '%s/pkgconfig' "$1" | sed 's#[^/]*#..#g')
pc=$MESON_INSTALL_DESTDIR_PREFIX/$1/pkgconfig/lull.pc
sed "s#^prefix=.*#prefix=\${pcfiledir}/$up#" "$pc" >"$pc.new"
mv "$pc.new" "$pc"
chmod 644 "$pc"
