#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains tasks that Fovea has never seen (src/test/java/org/fovea/rl/tasks) by default settings on three seeds, and prints the
# table of docs/training.md: returns of 100 fixed episodes, greedy and with sampled actions.
#   docs/results/defaults.sh [-s SEEDS] [-t THREADS] [TASK]...     default: -s "1 2 3" -t 0 (as many as there are cores) all tasks
# Needs the tests compiled, as mvn verify leaves them.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds="1 2 3" threads=0
while getopts s:t: option; do
  case $option in
    s) seeds=$OPTARG ;;
    t) threads=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
out=runs/defaults-$(date +%Y%m%d-%H%M%S)
export FOVEA_CLASSPATH=target/test-classes
[[ -f $FOVEA_CLASSPATH/org/fovea/rl/tasks/Tasks.class ]] || { echo "the tasks are not compiled: mvn -q -B test-compile" >&2; exit 2; }

wanted=("$@")

task() { # environment algorithm policy steps wanted
  [[ ${#wanted[@]} -eq 0 || " ${wanted[*]} " == *" $1 "* ]] || return 0
  local greedy=() sampled=() seconds=() seed result
  for seed in $seeds; do
    result=$(./fovea --main org.fovea.rl.tasks.Tasks train --env "$1" --algo "$2" --policy "$3" --steps "$4" --seed "$seed" \
      --threads "$threads" --out "$out/$1-$2-$3-$seed" --json 2>/dev/null | tail -n 1)
    greedy+=("$(field "$result" return_mean)")
    sampled+=("$(field "$result" return_mean_sampled)")
    seconds+=("$(field "$result" seconds)")
  done
  printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$3" "$4" "$5" \
    "$(numbers '%.4g' "${greedy[@]}")" "$(numbers '%.4g' "${sampled[@]}")" "$(numbers '%.0f' "${seconds[@]}")"
}

field() { # json key
  sed -nE "s/.*\"$2\" *: *(-?[0-9.eE+-]+).*/\1/p" <<<"$1"
}

numbers() { # format number...
  local format=$1 text=
  shift
  for number in "$@"; do
    # shellcheck disable=SC2059
    text+="${text:+ / }$(LC_ALL=C printf "$format" "$number")"
  done
  echo "$text"
}

echo '| task | algorithm | policy | steps | wanted | greedy, by seed | sampled, by seed | seconds to train |'
echo '|---|---|---|---|---|---|---|---|'
for scale in "" Rewards1e3 Rewards1e6 Offset1000; do
  factor=${scale#Rewards}
  [[ $scale == Rewards* ]] || factor=1
  least=$(LC_ALL=C printf '>= %.4g' "$(awk "BEGIN {print 19 * $factor}")")
  task "Shown$scale" ppo mlp 200000 "$least sampled"
  task "Shown$scale" trpo mlp 200000 "$least sampled"
done
task Shown ppo attention 200000 '>= 19 sampled'
task ReachUnit ppo mlp 200000 '>= -0.5'
task ReachHundred ppo mlp 200000 '>= -0.5'
task ReachBoth ppo mlp 200000 '>= -0.5'
task ReachHundred trpo mlp 200000 '>= -0.5'
task ReachHundred ppo attention 200000 '>= -0.5'
task PointMass ppo mlp 200000 ''
task MountainCarContinuous ppo mlp 300000 '>= 90'
task Recall ppo attention 500000 1
task Copy ppo attention 500000 1
task TMaze10 ppo attention 500000 1
task TMaze30 ppo attention 500000 1
task TMaze100 ppo attention 500000 1
task Bandit ppo attention 500000 '0.69'
task KeyAndDoor ppo attention 500000 '0.93'
task popgym-RepeatPreviousEasy-v0 ppo attention 500000 '>= 0.9'
task popgym-RepeatPreviousMedium-v0 ppo attention 1000000 '>= 0.95'
task popgym-RepeatPreviousHard-v0 ppo attention 1000000 '>= 0.95'
