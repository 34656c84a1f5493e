#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains each task on three seeds, evaluates 1,000 fixed episodes each, and prints the README's table of scores.
#   docs/results/learning.sh [OUT_DIR]        default: a new directory under runs/
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-runs/learning-$(date +%Y%m%d-%H%M%S)}
episodes=1000

task() { # environment policy steps target [algorithm]
  local scores=() seconds=() seed algorithm=${5:-ppo}
  for seed in 1 2 3; do
    local dir="$out/${1//[:=]/_}-$algorithm-$2-$seed"
    local trained evaluated
    trained=$(./fovea train --env "$1" --algo "$algorithm" --policy "$2" --steps "$3" --seed "$seed" --out "$dir" --overwrite --json 2>/dev/null | tail -n 1)
    evaluated=$(./fovea eval "$dir" --episodes $episodes --json 2>/dev/null | tail -n 1)
    scores+=("$(field "$evaluated" return_mean)")
    seconds+=("$(field "$trained" seconds)")
  done
  printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$algorithm" "$2" "$3" "$4" \
    "$(rounded 3 "${scores[0]}") / $(rounded 3 "${scores[1]}") / $(rounded 3 "${scores[2]}")" \
    "$(rounded 1 "${seconds[0]}") / $(rounded 1 "${seconds[1]}") / $(rounded 1 "${seconds[2]}")" "$episodes"
}

field() { # json key
  sed -nE "s/.*\"$2\" *: *(-?[0-9.eE+-]+).*/\1/p" <<<"$1"
}

rounded() {
  LC_ALL=C printf "%.$1f" "$2"
}

echo '| environment | algorithm | policy | steps | wanted | mean return, seeds 1 / 2 / 3 | seconds to train | episodes |'
echo '|---|---|---|---|---|---|---|---|'
task ProofOfMemory-v0 attention 25000 '>= 1.15'
task MemoryChain-v0:length=5 attention 330000 '>= 0.95'
task CartPole-v1 mlp 100000 500
task Pendulum-v1 mlp 100000 '>= -172'
task popgym-RepeatPreviousEasy-v0 attention 500000 '>= 0.9'
task ProofOfMemory-v0 attention 25000 '>= 1.15' trpo
task CartPole-v1 mlp 100000 500 trpo
task Pendulum-v1 mlp 100000 '>= -175' trpo
task Acrobot-v1 mlp 100000 '>= -83' trpo
