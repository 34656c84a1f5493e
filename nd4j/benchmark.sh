#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A whole step of training with Fovea's attention layer beside DL4J's: nd4j/benchmark.sh [ROUNDS]. Needs the installed fovea.jar
# (nd4j/test.sh) and a quiet machine.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "$0")")"

mvn -q -B -Djavacpp.platform=linux-x86_64 test-compile \
    org.apache.maven.plugins:maven-dependency-plugin:3.11.0:build-classpath -Dmdep.outputFile=target/classpath
exec java --add-modules jdk.incubator.vector -Xmx8g -cp "target/test-classes:target/classes:$(cat target/classpath)" \
    org.fovea.nd4j.dl4j.LayerBenchmark "$@"
