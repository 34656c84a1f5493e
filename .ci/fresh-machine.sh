#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README's two commands on machines that have little, from git clone with an empty home:
#
#   .ci/fresh-machine.sh [--cold] [--quick MACHINE] [--jdk DIRECTORY] [--reports DIRECTORY] MACHINE...
#
#   a   JDK 17 and Maven alone
#   b   and g++ and make
#   c   and nvcc, the CUDA of this machine, and ccache, but no GoogleTest
#   d   everything
#
# Each is a bare Debian 12 (roots.sh), in which ./fovea train must learn and mvn -B verify must pass and say by name what it
# left out. To spare time what this machine has of Maven's and Fovea's downloads and compilations may be
# read; with --cold not: then the times that it tells are those of a first visitor. What is cloned is the last commit. With
# --jdk a JDK of this machine is there too, and JAVA_HOME names it.
#
# With --quick the MACHINE named goes through the steps of mvn -B verify, but of all tests runs few: it compiles, makes the
# kernels and the jar, builds the simulator, and runs one class of the unit tier, and with g++ steps of PPO on the simulator and
# an evaluation on those kernels' PTX. The other tests, Error Prone and the format are left to a machine that has the same tools.
# With --reports what Surefire reported on each MACHINE is left in the DIRECTORY, under the machine's letter.
set -euo pipefail
source=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
trying="Fovea on fresh machines"  # in what roots.sh says
# shellcheck source=SCRIPTDIR/roots.sh
. "$source/.ci/roots.sh"

declare -A packages=(
    [a]="git ca-certificates openjdk-17-jdk-headless maven"
    [b]="g++ make"
    [c]="ccache"
    [d]="libgtest-dev xz-utils"
)

# What mvn -B verify must say of each machine, and what it must not.
declare -A says=(
    [a]="CUDA kernels not built, this jar is CPU-only: nvcc was not found|skipped, for g.. was not found on the PATH: the CUDA simulator"
    [b]="CUDA kernels not built, this jar is CPU-only: nvcc was not found|skipped, for GoogleTest is not installed"
    [c]="skipped, for GoogleTest is not installed"
    [d]=""
)
declare -A says_not=(
    [a]="kernels in .* files"
    [b]="the CUDA simulator, the native tests"
    [c]="CUDA kernels not built"
    [d]="skipped, for|CUDA kernels not built"
)

# Seconds with a tenth since an earlier `date +%s.%N`.
since() { awk "BEGIN { printf \"%.1f\", $(date +%s.%N) - $1 }"; }

newcomer() {  # COMMAND...
    enter "$root" root /home/newcomer/"$directory" HOME=/home/newcomer LANG=C.UTF-8 ${jdk:+JAVA_HOME=/opt/jdk}
    "${entering[@]}" "$@"
}

# Trains by the launcher, which builds first, and notes when the first line of progress came.
train() {
    local begun line first="" score
    begun=$(date +%s.%N)
    newcomer ./fovea train --seed 2 --json 2>&1 >"$work/result" </dev/null | while IFS= read -r line; do
        echo "$line" >>"$work/log"
        if [[ -z $first && $line == *" steps"* ]]; then
            first=$(since "$begun")
            echo "$first" >"$work/first"
        fi
    done || { tail -n 25 "$work/log"; fail "./fovea train on machine $machine"; }
    score=$(tail -n 1 "$work/result" | sed -n 's/.*"return_mean" *: *\(-\{0,1\}[0-9.eE-]*\).*/\1/p')
    [[ $(awk "BEGIN { print (${score:-0} >= 1.15) }") == 1 ]] || fail "./fovea train ended at ${score:-nothing} on machine $machine"
    say "machine $machine: ./fovea train: first progress after $(cat "$work/first") s, return $score after $(since "$begun") s"
}

# All tests; what it lacks is skipped by name.
verify() { newcomer mvn -B verify; }

# verify() but for most tests.
verify_quickly() {
    newcomer mvn -B package -Dtest=PhiloxTest
    newcomer native-tests/build.sh target/native-tests
    [[ $machine == a ]] || newcomer mvn -B surefire:test@default-test -Dtest='CudaStepTest,BackendChoiceTest#simulateRunsThePtx*'
    echo "[fovea] skipped, for --quick: all other tests, Error Prone, the format"
}

check() {  # FUNCTION NAME
    local begun expected
    begun=$(date +%s.%N)
    # In a shell of its own, where -e holds.
    (set -e; "$1") >"$work/verify" 2>&1 </dev/null &
    wait "$!" || { tail -n 60 "$work/verify"; fail "$2 on machine $machine"; }
    while IFS= read -r -d '|' expected; do
        [[ -z $expected ]] || grep -q -e "$expected" "$work/verify" || fail "$2 on machine $machine does not say: $expected"
    done <<<"${says[$machine]}|"
    [[ -z ${says_not[$machine]} ]] || ! grep -E -e "${says_not[$machine]}" <(grep -v 'for --quick' "$work/verify") \
        || fail "$2 on machine $machine says that"
    grep -E '^\[fovea\] |Tests run: [0-9]+, .*[0-9]$' "$work/verify" | sed 's/^/    /'
    say "machine $machine: $2: $(since "$begun") s"
}

cold=
quick=
jdk=
reports=
arguments=("$@")
while [[ ${1:-} == --* ]]; do
    case $1 in
        --cold) cold=1 ;;
        --quick) quick=${2:-} && shift ;;
        --jdk) jdk=${2:-} && shift ;;
        --reports) reports=${2:-} && shift ;;
        *) break ;;
    esac
    shift
done
[[ $# -gt 0 && $1 != -* ]] || { sed -n '2,/^set /{/^set /d; /^# SPDX/d; s/^# \{0,1\}//; p}' "$0" >&2; exit 2; }
git -C "$source" rev-parse HEAD >/dev/null 2>&1 || skip "this is no clone of the repository"
in_namespace "${arguments[@]}"

wanted=$*
git clone -q --bare --no-local "$source" "$work/fovea.git"
lower=
for machine in a b c d; do
    [[ $wanted == *[$machine-d]* ]] || break
    # Every machine has what those before it have.
    if [[ -n ${packages[$machine]} ]]; then
        make_root "$work/with-$machine" "$lower"
        root=$work/with-$machine
        enter "$root" root / DEBIAN_FRONTEND=noninteractive
        say "installing ${packages[$machine]}"
        # Words of their own, each a package.
        # shellcheck disable=SC2086
        { "${entering[@]}" apt-get update -qq && "${entering[@]}" apt-get install -y -qq --no-install-recommends ${packages[$machine]}; } \
            >"$work/log" 2>&1 || { tail -n 5 "$work/log"; fail "installing on machine $machine"; }
        umount -R "$root"
        lower=$root.upper${lower:+:$lower}
    fi
    [[ " $wanted " == *" $machine "* ]] || continue

    root=$work/$machine
    make_root "$root" "$lower"
    if [[ $machine == [cd] ]]; then
        nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
        [[ -x $nvcc ]] || { say "machine $machine is not tried: there is no nvcc here"; continue; }
        cuda=$(dirname -- "$("$nvcc" --dryrun --ptx x.cu 2>&1 | sed -n 's/^#\$ _HERE_=//p')")
        mkdir -p "$root/usr/local/cuda"
        mount --bind -o ro "$cuda" "$root/usr/local/cuda"
    fi
    if [[ -n $jdk ]]; then
        mkdir -p "$root/opt/jdk"
        mount --bind -o ro "$jdk" "$root/opt/jdk"
    fi
    mkdir -p "$root/home/newcomer"
    if [[ -z $cold ]]; then
        lend "$HOME/.m2" "$root" /home/newcomer/.m2
        lend "$HOME/.cache" "$root" /home/newcomer/.cache
    fi
    cp -a "$work/fovea.git" "$root/fovea.git"

    directory=
    newcomer git clone -q /fovea.git fovea
    directory=fovea
    : >"$work/log"
    train
    if [[ $machine == "$quick" ]]; then
        check verify_quickly "the steps of mvn -B verify with few tests"
    else
        check verify "mvn -B verify"
    fi
    if [[ -n $reports ]]; then
        # Whole, once it has its name.
        cp -R "$root/home/newcomer/fovea/target/surefire-reports" "$reports/$machine.new"
        mv "$reports/$machine.new" "$reports/$machine"
    fi
    umount -R "$root"
    rm -rf -- "$root.upper"
done
say "the README's two commands work on the machines $wanted"
