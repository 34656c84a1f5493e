#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lints the container files: ShellCheck on the scripts and on those of CI, two linters on the Dockerfiles, schemas on the YAML.
#
#   docker/lint.sh
#
# Needs shellcheck, npm and its registry; says what it left out where one is lacking.
set -eu
cd "$(dirname "$0")"
tools=../target/docker-lint

if command -v shellcheck > /dev/null; then
    shellcheck -x ./*.sh ../.ci/run ../.ci/*.sh
else
    echo "the container scripts are not linted: there is no shellcheck (Debian: apt-get install shellcheck)"
fi

mkdir -p "$tools"
cp lint/package.json lint/schemas.mjs lint/jobset.json "$tools"
if ! npm install --prefix "$tools" --silent --no-audit --no-fund --ignore-scripts > "$tools/npm.log" 2>&1; then
    echo "the Dockerfiles are not linted: npm can't install the linters, see $tools/npm.log"
    exit 0
fi
for dockerfile in Dockerfile Dockerfile.cpu; do
    "$tools/node_modules/.bin/dockerfile-utils" lint "$dockerfile"
    # ShellCheck inside it takes the flags of RUN for a command.
    node "$tools/node_modules/dockerlinter/bin/dockerfilelinter.js" --shellcheck none --error info --file "$dockerfile"
done
node "$tools/schemas.mjs" compose.yaml kubernetes-job.yaml kubernetes-jobset.yaml
echo "the container files are lint-free"
