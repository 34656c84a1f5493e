#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tries a bundle where Java never was: in a bare root with glibc, libstdc++, zlib, bash and a dozen tools, without network, as
# nobody, from a read-only directory with a space in its name.
#
#   packaging/test-bundle.sh [BUNDLE]     (default target/fovea-linux-x86_64.tar.xz)
#
# Needs root and unshare; says so and succeeds where one is lacking. All happens in a mount and network namespace of its own:
# however this ends, no mount is left.
set -euo pipefail

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
bundle=$(readlink -f -- "${1:-$here/target/fovea-linux-x86_64.tar.xz}")

if [[ $(id -u) -ne 0 ]] || ! unshare --mount --net true 2>/dev/null; then
    echo "the bundle is not tried in a bare root: that needs root and unshare"
    exit 0
fi
if [[ -z ${FOVEA_TEST_NAMESPACE:-} ]]; then
    FOVEA_TEST_NAMESPACE=1 exec unshare --mount --net --pid --fork --kill-child --propagation private "${BASH_SOURCE[0]}" "$bundle"
fi

root=$(mktemp -d)
trap 'umount -R "$root"; rmdir "$root"' EXIT
mount -t tmpfs -o size=2g tmpfs "$root"
mkdir -p "$root"/{bin,dev,proc,tmp,home,usr,"opt/a place"}
ln -s ../bin "$root/usr/bin"
chmod 1777 "$root/tmp" "$root/home"

put() {  # FILE
    mkdir -p "$root$(dirname -- "$1")"
    cp -L -- "$1" "$root$1"
}

# What any Linux has. The launcher's tools, with the libraries that they and Java load.
libraries=()
for tool in bash env cat dirname readlink sed stty mkdir ls id; do
    path=$(command -v "$tool")
    cp -L -- "$path" "$root/bin/$tool"
    mapfile -t -O "${#libraries[@]}" libraries < <(ldd "$path" | grep -o '/[^ ]*')
done
for name in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libgcc_s.so.1 libstdc++.so.6 libz.so.1; do
    mapfile -t -O "${#libraries[@]}" libraries < <(ldconfig -p | sed -n "s|.*$name (libc6,x86-64.*=> ||p" | head -n 1)
done
for library in $(printf '%s\n' "${libraries[@]}" | sort -u); do
    put "$library"
done
mount -t proc proc "$root/proc"
for device in null zero urandom random; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"

tar -xJf "$bundle" -C "$root/opt/a place"
mount --bind "$root/opt/a place" "$root/opt/a place"
mount -o remount,bind,ro "$root/opt/a place"

inside() {
    chroot --userspec=65534:65534 "$root" /bin/env -i PATH=/bin HOME=/home "$@"
}

expect() {  # STATUS COMMAND...
    local wanted=$1 status=0
    shift
    printf '\n$ fovea %s\n' "$*"
    inside "/opt/a place/fovea-linux-x86_64/fovea" "$@" || status=$?
    [[ $status -eq $wanted ]] || { echo "status $status, expected $wanted"; exit 1; }
}

! inside bash -c 'command -v java' || { echo "there is a java in the bare root"; exit 1; }
expect 0 doctor
expect 3 doctor --backend cuda
inside "/opt/a place/fovea-linux-x86_64/fovea" doctor --json | grep -q 'libcuda\.so\.1' \
    || { echo "doctor does not say that libcuda.so.1 is missing"; exit 1; }
expect 0 selftest --backend cpu
expect 0 train --steps 2000 --out /tmp/run
expect 0 eval /tmp/run --episodes 10
expect 2 bundle
printf '\nthe bundle works in a bare root\n'
