# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Bare Debian 12 roots by debootstrap and chroot, for the scripts that try Fovea where little is installed. Such a script
# reads this file, sets `trying` to what it tries, and calls `in_namespace "$@"`, which says so and succeeds where root,
# debootstrap or Debian's packages are lacking, and otherwise runs the script again in a mount and process namespace of its
# own, with an empty directory `work`: however that ends, no mount and no process is left. What makes roots quick is kept in
# ${TMPDIR:-/var/tmp}/fovea-roots for a week: the bare root, and the packages that were downloaded.
places=${TMPDIR:-/var/tmp}/fovea-roots
work=
entering=()
proxies=()  # for `env`

say() { echo "[$((SECONDS / 60))m$((SECONDS % 60))s] $*"; }

skip() {
    # shellcheck disable=SC2154
    echo "not tried, $trying: $*"
    exit 0
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# The Debian mirror of this machine's apt, else Debian's own.
mirror() {
    local found
    # apt's own words.
    # shellcheck disable=SC2016
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m 1 'debian/$' || true)
    found=${found%/}
    echo "${found:-http://deb.debian.org/debian}"
}

in_namespace() {
    local name old
    for name in http_proxy https_proxy no_proxy; do
        [[ -z ${!name:-} ]] || proxies+=("$name=${!name}")
    done
    if [[ -n ${FOVEA_ROOTS:-} ]]; then
        work=$FOVEA_ROOTS
        unset FOVEA_ROOTS
        return
    fi
    [[ $(id -u) -eq 0 ]] || skip "debootstrap and chroot need root"
    command -v debootstrap >/dev/null || skip "there is no debootstrap (Debian: apt-get install debootstrap)"
    unshare --mount --pid --fork true 2>/dev/null || skip "this machine gives no mount namespaces"
    wget -q --spider --tries=2 --timeout=20 "$(mirror)/dists/bookworm/Release" || skip "$(mirror) is unreachable"
    # What killed runs left; the directories of the living are locked.
    mkdir -p -- "$places/run" "$places/archives"
    for old in "$places"/run/*/; do
        [[ ! -d $old ]] || flock --nonblock "$old" rm -rf -- "$old" || true
    done
    find "$places" -mindepth 1 -maxdepth 1 -name 'bare*' -mtime +7 -exec rm -rf {} +
    work=$(mktemp -d "$places/run/XXXXXX")
    exec 8<"$work"
    flock 8
    trap 'kill -KILL "$child" 2>/dev/null || true; wait || true; rm -rf -- "$work"' EXIT
    trap 'exit 130' HUP INT TERM
    setpriv --pdeathsig KILL env FOVEA_ROOTS="$work" unshare --mount --pid --fork --kill-child "$0" "$@" &
    child=$!
    wait "$child"
    exit
}

# A root DIRECTORY with the packages named: what LOWER roots (colons between, the topmost first) hold, else a bare Debian.
make_root() {  # DIRECTORY [LOWER]
    local bare=$places/bare making
    if [[ ! -d $bare ]]; then
        say "making a bare Debian 12"
        making=$(mktemp -d "$places/bare.XXXXXX")
        debootstrap --variant=minbase bookworm "$making" "$(mirror)" >"$work/log" 2>&1 || { tail -n 5 "$work/log"; fail "debootstrap"; }
        rm -f -- "$making"/var/cache/apt/archives/*.deb
        # dpkg waits for the disk after every file otherwise.
        echo force-unsafe-io >"$making/etc/dpkg/dpkg.cfg.d/unsafe-io"
        chmod 755 "$making"
        mv -T -- "$making" "$bare" 2>/dev/null || rm -rf -- "$making"
    fi
    mkdir -p -- "$1" "$1.upper" "$1.work"
    mount -t overlay overlay -o "lowerdir=${2:+$2:}$bare,upperdir=$1.upper,workdir=$1.work" "$1"
    mount -t proc proc "$1/proc"
    mount --bind "$places/archives" "$1/var/cache/apt/archives"
    # Certificates that this machine trusts in addition, such as its proxy's; for the packages ca-certificates and ca-certificates-java.
    [[ ! -d /usr/local/share/ca-certificates ]] || cp -R /usr/local/share/ca-certificates "$1/usr/local/share/"
}

# Lays what this machine has in a DIRECTORY of its own under one of a root, there to read; what is written stays in the root.
lend() {  # DIRECTORY ROOT TARGET
    mkdir -p -- "$2$3"
    [[ -d $1 ]] || return 0
    local copy
    copy=$(mktemp -d "$work/lent.XXXXXX")
    mkdir -- "$copy/upper" "$copy/work"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$copy/upper,workdir=$copy/work" "$2$3" \
        || say "$3 is empty: there is no overlay here"
}

# Sets `entering` to the command that runs the words after it in a root: enter ROOT USER DIRECTORY VARIABLE=VALUE...
enter() {
    local root=$1 user=$2 directory=$3
    shift 3
    # The words are for the shell inside, and the array for whoever calls this.
    # shellcheck disable=SC2016,SC2034
    entering=(env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${proxies[@]}" "$@"
        chroot --userspec="$user" "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$directory")
}
