#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A project outside of the tree that depends on what is installed of target: computes attention, trains, exports what it trained, and acts
# by that with the jar of policies alone. Also by jbang. After mvn -B -DskipTests package.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "$0")")/.."
root=$PWD

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
install=org.apache.maven.plugins:maven-install-plugin:3.1.4:install-file
version=$(sed -n '0,/<version>/s/.*<version>\(.*\)<\/version>.*/\1/p' pom.xml)

# The jar as it is, not built again.
mvn -q -B "$install" -Dfile=target/fovea.jar -DpomFile=pom.xml
mvn -q -B "$install" -Dfile=target/fovea-policy.jar -DpomFile=pom.xml -Dclassifier=policy
mvn -q -B "$install" -Dfile=bom/pom.xml -DpomFile=bom/pom.xml
cp -r packaging/consumer "$work/consumer"
cd "$work"
mvn -q -B -f consumer -Dfovea.version="$version" compile

fovea=(java --add-modules jdk.incubator.vector -cp "consumer/target/classes:consumer/target/lib/*")
"${fovea[@]}" consumer.Consumer 2>consumer.log || { cat consumer.log; exit 1; }
"${fovea[@]}" org.fovea.cli.Fovea train --env CartPole-v1 --policy mlp --steps 4096 --final-episodes 0 --out run >consumer.log 2>&1 \
    || { cat consumer.log; exit 1; }
"${fovea[@]}" org.fovea.cli.Fovea export run --onnx policy.onnx --safetensors policy.safetensors 2>consumer.log || { cat consumer.log; exit 1; }
java -cp "consumer/target/classes:consumer/target/policy/*" consumer.Act policy.safetensors 2>consumer.log || { cat consumer.log; exit 1; }

jar --describe-module --file "consumer/target/lib/fovea-$version.jar" | grep '^org\.fovea[@ ]' >/dev/null \
    || { echo "the jar's module is not called org.fovea"; exit 1; }

# What README.md says of jbang, by the one that is installed or that of Maven Central, whose main prints the command to be run.
copy=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies
jbang=(--runtime-option=--add-modules=jdk.incubator.vector "org.fovea:fovea:$version" version)
if command -v jbang >/dev/null; then
    jbang "${jbang[@]}"
elif mvn -q -B -f "$root/packaging/jbang" "$copy" -DoutputDirectory="$work/jbang" >jbang.log 2>&1; then
    command=$(JBANG_DIR=$work/jbang-home java -cp "jbang/*" dev.jbang.Main "${jbang[@]}" 2>jbang.log) || [[ $? == 255 ]] \
        || { cat jbang.log; exit 1; }
    bash -c "$command" 2>jbang.log | grep "$version" || { cat jbang.log; exit 1; }
else
    echo "skipped: jbang is neither installed nor to be had from Maven Central"
fi
