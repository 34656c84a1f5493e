#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the examples on target/fovea.jar, as a user would, and tries each with some thousand steps of training.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "$0")")/.."

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# A policy as a service, for which target/fovea-policy.jar is enough.
./fovea train --env CartPole-v1 --policy mlp --steps 4096 --final-episodes 0 --out "$work/served"
./fovea export "$work/served" --safetensors "$work/policy.safetensors"
: >"$work/service"  # read before the service may have made it
java --add-modules jdk.incubator.vector -cp target/fovea-policy.jar examples/policy-service/PolicyService.java \
    "$work/policy.safetensors" 0 >"$work/service" 2>&1 &
service=$!
trap 'kill "$service" 2>/dev/null || true; rm -rf -- "$work"' EXIT
url=
for _ in {1..200}; do
    url=$(sed -n 's/.* on \(http:.*\)USER$/\1/p' "$work/service")
    [[ -z $url ]] && kill -0 "$service" 2>/dev/null || break
    sleep 0.2
done
java examples/policy-service/LoadTest.java "$url" 4 2 1000 | tee "$work/load" || { cat "$work/service"; exit 1; }
grep -q 'requests/s, p50' "$work/load"
kill "$service"

# The jar as it is, not built again.
mvn -q -B org.apache.maven.plugins:maven-install-plugin:3.1.4:install-file -Dfile=target/fovea.jar -DpomFile=pom.xml

example=examples/cloud-scheduling
if ! mvn -q -B -f "$example" compile >"$work/build" 2>&1; then
    if grep -q 'Could not resolve dependencies\|Could not transfer\|could not be resolved' "$work/build"; then
        echo "skipped: $example needs jars from Maven Central, which cannot be reached"
        exit 0
    fi
    cat "$work/build"
    exit 1
fi

export FOVEA_CLASSPATH="$example/target/classes:$example/target/lib/*"
./fovea train --env CloudScheduling-v0 --policy mlp --steps 4096 --final-episodes 0 --step-timeout 60 --out "$work/run"
FOVEA_JAVA_OPTS="-Dcloud.results=$work/results.csv" ./fovea eval "$work/run" --episodes 4
./fovea --main cloud.Compare "$work/results.csv" | tee "$work/table"
if [[ $(grep -c '^| [a-zF][^|]* | [0-9.][^|]* | [0-9.][^|]* | [0-9.]' "$work/table") -ne 6 ]]; then
    echo "the table of $example should have 6 placements"
    exit 1
fi
