#!/usr/bin/env bash
# Builds the image, having run the tests of HTTP on its Debian; `build.sh package` builds that Debian's package
# instead, in build/image/. Where no registry can be reached, the base is made with debootstrap; ends with
# 77 where that cannot be done, either.
set -euo pipefail
cd "$(dirname "$0")/.."
. docker/engine.sh

make_base() {
    local root=$engine_home/rootfs sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    echo "no registry has $base: making it with debootstrap" >&2
    "${sudo[@]}" rm -rf "$root"
    if ! "${sudo[@]}" debootstrap --variant=minbase --include=ca-certificates trixie "$root" \
        >"$engine_home/debootstrap.log"; then
        tail -n 3 "$engine_home/debootstrap.log" >&2
        echo "SKIPPED: no image, as there is no registry to pull $base from, and no way to make it" >&2
        exit 77
    fi
    "${sudo[@]}" rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb
    "${sudo[@]}" tar --numeric-owner -C "$root" -cf - . | engine import - "$base" >/dev/null
    "${sudo[@]}" rm -rf "$root"
}

have_base() {
    engine image inspect "$base" >/dev/null 2>&1
}

# build ARGUMENT...: one stage of the Dockerfile.
build() {
    local how=()
    [ "${engine_command[0]}" = docker ] \
        || how=(--isolation chroot --network host --pull-never --format docker --layers)
    engine build "${how[@]}" -f docker/Dockerfile "$@" .
}

mkdir -p "$engine_home"
have_base || timeout 60 "${engine_command[@]}" pull -q "$base" >"$engine_home/pull.log" 2>&1 || make_base
case ${1:-image} in
image)
    build --target test -t "$image-test"
    build -t "$image"
    ;;
package)
    build --target package -t "$image-package"
    container=$(engine create "$image-package" true)
    rm -f "$engine_home"/*.deb
    engine cp "$container:/package/." "$engine_home"
    engine rm "$container" >/dev/null
    ;;
esac
