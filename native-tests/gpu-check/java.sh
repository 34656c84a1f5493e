# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The Java half of gpu-check.sh, which reads this file: the bundle on the card.

java_half() {
    deadline=$(($(date +%s) + 590))
    find_bundle || { report --no-kernels; return; }
    export XDG_CACHE_HOME="$build/cache"
    if [ -n "$simulate" ]; then
        export FOVEA_JAVA_OPTS="-Dfovea.cuda.image=$build/simulated.fatbin"
        mkdir -p "$build/cuda13"
        cp "$build/libcublas.so.12" "$build/cuda13/libcublas.so.13"
        LD_LIBRARY_PATH=$build/cuda13:$LD_LIBRARY_PATH
    fi
    find_cublas
    fixed="--envs 64 --steps 262144 --set rollout_steps=128 --set epochs=4 --set minibatches=4 --set target_kl=0"
    [ -z "$simulate" ] || fixed="--envs 2 --steps 16 --set rollout_steps=4 --set epochs=1 --set minibatches=1 --set width=16 --set heads=2"

    check doctor 60 "$fovea" doctor
    contract
    learning
    graphs
    products
    report --no-kernels
}

# Sets `fovea` to the launcher of a bundle.
find_bundle() {
    fovea=$here/../fovea
    [ ! -x "$here/../java/bin/java" ] || return 0
    archive=${bundle:-$here/../target/fovea-linux-x86_64.tar.xz}
    if [ ! -f "$archive" ]; then
        [ -z "$bundle$only" ] || missing "there is no bundle $archive; ./fovea bundle makes one where there is a JDK"
        outcome "Fovea itself" "not run: there is no bundle $archive (./fovea bundle)"
        return 1
    fi
    say "unpacking $archive"
    rm -rf "$build/bundle"
    mkdir "$build/bundle"
    tar -xJf "$archive" -C "$build/bundle" 2>> "$log" || python3 -m tarfile -e "$archive" "$build/bundle" 2>> "$log" \
        || { outcome "Fovea itself" "FAILED: $archive can't be unpacked, see $log"; failed=1; return 1; }
    fovea=$(echo "$build"/bundle/*/fovea)
}

# The directory of a library, looked for where CUDA's installers and Python's packages put it.
directory_of() {  # LIBRARY
    for directory in $(echo "${LD_LIBRARY_PATH:-}" | tr : ' ') \
        $(ldconfig -p 2> /dev/null | sed -n "s|.* => \(.*\)/$1\$|\1|p") "${CUDA_HOME:-/usr/local/cuda}/lib64" /usr/local/cuda*/lib64 \
        $(python3 -c 'import sys, glob; [print(d) for p in sys.path for d in glob.glob(p + "/nvidia/*/lib")]' 2> /dev/null); do
        [ ! -f "$directory/$1" ] || { echo "$directory"; return; }
    done
}

# Puts a libcublas.so.12 into LD_LIBRARY_PATH: CUDA 12's, else one that forwards to CUDA 13's.
find_cublas() {
    cublas=$(directory_of libcublas.so.12)
    [ -z "$simulate" ] || cublas=  # the simulator's goes by the name of CUDA 13's here
    if [ -n "$cublas" ]; then
        outcome "cuBLAS" "$cublas/libcublas.so.12"
    else
        newer=$(directory_of libcublas.so.13)
        [ -n "$newer" ] || { outcome "cuBLAS" "not run: neither libcublas.so.12 nor libcublas.so.13 was found"; return; }
        cublas=$build/forward
        mkdir -p "$cublas"
        awk -f "$here/gpu-check/forward-cublas.awk" "$here/driver/cublas.cpp" > "$cublas/forward.cpp"
        step 60 "${CXX:-g++}" -O1 -shared -fPIC -Wl,-soname,libcublas.so.12 "-Wl,--version-script=$here/driver/cublas.map" \
            -o "$cublas/libcublas.so.12" "$cublas/forward.cpp" -ldl \
            || { outcome "cuBLAS" "FAILED: the forwarding library does not build, see $log"; failed=1; cublas=; return; }
        export FOVEA_CUBLAS="$newer/libcublas.so.13"
        outcome "cuBLAS" "$FOVEA_CUBLAS, by a forwarding libcublas.so.12"
        cublas=$cublas:$newer
    fi
    export LD_LIBRARY_PATH="$cublas${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

measured() {  # NAME KEY=VALUE...
    name=$1
    shift
    printf '%s' "$name" >> "$build/java.txt"
    printf '\t%s' "$@" >> "$build/java.txt"
    echo >> "$build/java.txt"
    say "$name: $*"
}

# A number of the JSON object that the last command printed as its last line, in this form of printf's.
number() {  # KEY FORM
    tail -n 1 "$build/output" | sed -n "s/.*\"$1\" *: *\(-\{0,1\}[0-9.eE+-]*\).*/\1/p" | awk "{ printf \"$2\", \$1 }"
}

# Trains and notes how well and how fast: train NAME SECONDS OPTION...; the run is in BUILD/runs/NAME.
train() {
    name=$1
    limit=$2
    score=
    shift 2
    step "$limit" "$fovea" train --backend cuda --json --overwrite --out "$build/runs/$name" "$@" \
        || { broken "$name" "$limit" $?; return 1; }
    score=$(number return_mean %.4g)
    measured "$name" "return=$score" "steps_per_second=$(number train %.0f)" "seconds=$(number seconds %.1f)"
}

# Whether two numbers stand in a relation: is A '>=' B.
is() { [ -n "$1" ] && awk "BEGIN { exit !($1 $2 $3) }" 2> /dev/null; }

# Every operation against plain references: selftest OPTION...
selftest() {
    name="selftest $*"
    limit=$(allow 150 270)
    step "$limit" "$fovea" selftest --backend cuda "$@" || { broken "$name" "$limit" $?; return; }
    outcome "$name" "$(sed -n '/ passed, .* failed/p' "$build/output")"
}

contract() {
    if [ -n "$simulate" ]; then
        # The rest is what the contract of the backend has on the simulator.
        selftest --set cublas=on --only math.gemm
        return
    fi
    [ -z "$cublas" ] || selftest --set cublas=on
    selftest --set cublas=off
    selftest --set precision=tf32
    selftest --deep
}

# PPO must learn what it learns on the CPU.
learning() {
    [ -z "$simulate" ] || return
    train "CartPole-v1, mlp" "$(allow 60 180)" --env CartPole-v1 --policy mlp --steps 100000 --set entropy_coef=0.001
    learned "CartPole-v1" 475
    train "ProofOfMemory-v0, attention" "$(allow 60 180)" --steps 25000
    learned "ProofOfMemory-v0" 1.15
}

learned() {  # ENVIRONMENT RETURN
    if is "$score" '>=' "$2"; then
        outcome "$1 is learned" "return $score, at least $2 as it must be"
    else
        failed=1
        outcome "$1 is learned" "FAILED: return ${score:-none}, must be at least $2"
    fi
}

# The parameters that a run ended with.
parameters() {  # NAME
    find "$build/runs/$1" -name tensors.safetensors 2> /dev/null | sort | tail -n 1
}

# A step as a graph must give the bits that its kernels give one by one.
graphs() {
    for policy in mlp attention; do
        for graph in on off; do
            # The options are words of their own.
            # shellcheck disable=SC2086
            train "$policy, graph=$graph" "$(allow 60 120)" --env CartPole-v1 --policy $policy $fixed --set graph=$graph
        done
        same "$policy, graph=on" "$policy, graph=off"
    done
}

same() {  # NAME NAME
    if cmp "$(parameters "$1")" "$(parameters "$2")" >> "$log" 2>&1; then
        outcome "$1 and $2" "the same bits"
    else
        failed=1
        outcome "$1 and $2" "FAILED: the parameters differ, see $log"
    fi
}

# cuBLAS through JCublas, beside Fovea's own kernel: single products, and a policy whose products are large.
products() {
    [ -n "$cublas" ] || return
    name="cuBLAS and own kernel"
    limit=$(allow 90 90)
    # shellcheck disable=SC2086
    step "$limit" "$fovea" bench gemm --backend cuda --compare ${simulate:+--size 33,128} || { broken "$name" "$limit" $?; return; }
    worst=$(awk '$4 ~ /^[0-9.]+e[-+][0-9]+$/ {
        printf "gemm %s\town_gflops=%s\tcublas_gflops=%s\tdifference=%s\n", $1, $2, $3, $4 >> rows
        if ($4 > worst) worst = $4
        count++
    } END { print count ? worst + 0 : "none" }' rows="$build/java.txt" "$build/output")
    # Two sums of 4096 products in float32, in whatever order, are some 4096^0.5 x 2^-24 apart, which is 4e-6.
    if is "$worst" '<=' 1e-5; then
        outcome "$name" "apart by $worst at most"
    else
        failed=1
        outcome "$name" "FAILED: apart by $worst, must be at most 1e-5"
    fi
    [ -z "$simulate" ] || return
    for setting in on off; do
        # shellcheck disable=SC2086
        train "mlp of width 1024, cublas=$setting" "$(allow 60 30)" --env CartPole-v1 --policy mlp $fixed \
            --set width=1024 --set minibatches=1 --set cublas=$setting
    done
}
