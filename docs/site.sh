#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a site of the pages in docs, of files alone: docs/site.sh [DIRECTORY] (default: target/site).
set -euo pipefail
out=$(readlink -m -- "${1:-target/site}")
cd -- "$(dirname -- "$(readlink -f -- "$0")")/.."
mvn -q -B -Psite -DskipTests process-test-classes exec:exec@site "-Dsite.directory=$out"
