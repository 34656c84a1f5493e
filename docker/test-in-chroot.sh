#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and tries the CPU image without Docker: follows Dockerfile.cpu in bare Debian 12 roots (debootstrap, chroot).
#
#   docker/test-in-chroot.sh
#
# Needs root, debootstrap and Debian's packages; says so and succeeds where one is lacking (.ci/roots.sh).
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "$0")")
source=$(dirname -- "$here")
dockerfile=$here/Dockerfile.cpu
trying="the image for the CPU"  # in what roots.sh says
# shellcheck source=SCRIPTDIR/../.ci/roots.sh
. "$source/.ci/roots.sh"

# ---- Following a Dockerfile, as far as ours goes

declare -A roots=()  # of the stages, by name
root=                # of the present stage
directory=/          # its WORKDIR
user=root            # its USER
environment=()       # its ENV
entry=() health=()   # its ENTRYPOINT and HEALTHCHECK

# ["a", "b"] as words, one a line.
words() {
    sed -e 's/^ *\[ *"//; s/" *\] *$//' -e 's/" *, *"/\n/g' <<<"$1"
}

# Runs a command in the present stage: inside USER COMMAND...
inside() {
    enter_stage "$1"
    shift
    "${entering[@]}" "$@"
}

enter_stage() {  # USER
    local home=/
    [[ $1 != root ]] || home=/root
    enter "$root" "$1" "$directory" HOME="$home" "${environment[@]}"
}

from() {  # IMAGE [AS NAME]
    [[ $1 == debian:bookworm-slim ]] || fail "$dockerfile starts from $1, not from Debian 12"
    local name=${3:-last}
    root=$work/$name
    roots[$name]=$root
    directory=/ user=root environment=()
    make_root "$root"
}

copy() {  # [--from=STAGE] SOURCE TARGET
    if [[ $1 == --from=* ]]; then
        mkdir -p -- "$root$3"
        cp -a -- "${roots[${1#--from=}]}$2/." "$root$3"
    elif [[ $1 == . ]]; then
        mkdir -p -- "$root$2"
        (cd -- "$source" && find . -mindepth 1 -maxdepth 1 -printf '%P\0' \
            | tar --null -c --anchored --exclude-from=.dockerignore -T -) | tar -x -C "$root$2"
    elif [[ $2 == */ ]]; then
        cp -- "$source/$1" "$root$2"
    else
        cp -- "$source/$1" "$root/$2"
    fi
}

run() {  # [--mount=type=cache,target=DIRECTORY...] COMMAND
    while [[ $1 == --mount=type=cache,target=* ]]; do
        lend "$HOME/${1#*target=/root/}" "$root" "${1#*target=}"
        shift
    done
    say "RUN $*"
    inside root /bin/sh -c "$*" >"$work/log" 2>&1 </dev/null || { tail -n 25 "$work/log"; fail "RUN $*"; }
}

follow() {
    local line instruction rest
    while IFS= read -r line; do
        [[ -n $line && $line != \#* ]] || continue
        instruction=${line%% *} rest=${line#* }
        # Instructions are split into words as Docker splits them.
        # shellcheck disable=SC2086
        case $instruction in
            FROM) from $rest ;;
            COPY) copy $rest ;;
            RUN) run $rest ;;
            ENV) environment+=("$rest") ;;
            WORKDIR) directory=$rest ;;
            USER) user=$rest ;;
            HEALTHCHECK) mapfile -t health < <(words "${rest#*CMD }") ;;
            ENTRYPOINT) mapfile -t entry < <(words "$rest") ;;
            CMD) ;;
            *) fail "$dockerfile has an instruction that is not known here: $line" ;;
        esac
    done <"$1"
}

# ---- What the image must do

try() {
    local runs=$root$directory/runs identity output
    [[ $(inside "$user" id -u) -ne 0 ]] || fail "the image runs as root"

    say "HEALTHCHECK ${health[*]}"
    inside "$user" "${health[@]}" >"$work/log" 2>&1 || { cat "$work/log"; fail "the health check says $?"; }

    say "training as any user, in a mounted directory"
    mkdir -m 700 -- "$runs"
    chown 12345:12345 "$runs"
    identity=12345:12345
    output=$(inside $identity "${entry[@]}" train --steps 4000 --out runs/first --json 2>"$work/log") || { cat "$work/log"; fail "train says $?"; }
    tail -n 1 <<<"$output" | grep -q '"return_mean"' || fail "train printed no result: $output"
    [[ -s $runs/first/learning-curve.png ]] || fail "the learning curve was not drawn"
    inside $identity "${entry[@]}" eval runs/first --episodes 10 >"$work/log" 2>&1 || { cat "$work/log"; fail "eval says $?"; }

    say "a run whose container is stopped and started again"
    local again=(train-or-resume runs/second --steps 25000) log=$runs/second/progress.csv status=0 begun
    enter_stage $identity
    "${entering[@]}" "${again[@]}" >"$work/log" 2>&1 &
    for ((i = 0; i < 600; i++)); do
        [[ ! -f $log || $(wc -l <"$log") -lt 4 ]] || break
        sleep 0.1
    done
    kill -TERM $!
    wait $! || status=$?
    [[ $status -eq 143 ]] || { cat "$work/log"; fail "a stopped run says $status, not 143"; }
    begun=$(sed -n 2p "$log")
    inside $identity "${again[@]}" >"$work/log" 2>&1 || { cat "$work/log"; fail "a resumed run says $?"; }
    [[ $(sed -n 2p "$log") == "$begun" ]] || fail "the run was not resumed but started afresh"
}

in_namespace "$@"
follow "$dockerfile"
try
say "the image for the CPU does what it must"
