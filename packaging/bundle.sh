#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Packs Fovea for machines that have neither Java nor Maven nor, perhaps, the internet: Java itself cut down to what is
# needed, the jars with the CUDA kernels, the launcher, and the sources that native-tests/gpu-check.sh builds.
#
#   fovea bundle [--with-tests] [--unpacked=DIR]
#
# Writes target/fovea-linux-x86_64.tar.xz, or with --with-tests target/fovea-linux-x86_64-with-tests.tar.xz, which has the
# backend contract's tests and JUnit's console runner too (contract-tests.sh). Unpack it anywhere and run its ./fovea. With
# --unpacked the files go to DIR instead, for an image of a container.
#
#   SOURCE_DATE_EPOCH   date of every file in it, in seconds since 1970 (default: 1980-01-01, a jar's earliest)
#
# The same sources and JDK give the same bytes. Called by the launcher, which has built the jar: bundle.sh JAVA [--with-tests]
set -euo pipefail
export LC_ALL=C TZ=UTC

readonly LIMIT_MIB=55

# What jdeps finds in the jars (java.desktop draws the learning curve, and needs java.xml; jdk.httpserver is the dashboard's), and two that the libraries of
# people's own environments ask for.
readonly MODULES=java.base,java.desktop,java.logging,jdk.httpserver,jdk.incubator.vector,java.management,jdk.management,jdk.unsupported

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
target=$root/target

say() {
    echo "fovea bundle: $*" >&2
}

fail() {
    say "$1"
    exit "${2:-1}"
}

java=$1
shift
with_tests=
unpacked=
for argument in "$@"; do
    case $argument in
        --with-tests) with_tests=1 ;;
        --unpacked=?*) unpacked=${argument#*=} ;;
        --help)
            sed -n '2,/^set /{/^set /d; /^# SPDX/d; s/^# \{0,1\}//; /^The same/,$d; p}' "${BASH_SOURCE[0]}"
            exit
            ;;
        *) fail "unknown option '$argument'; there are --with-tests and --unpacked=DIR (try 'fovea bundle --help')" 2 ;;
    esac
done

[[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] || fail "a bundle is for Linux on x86-64, this is $(uname -s) on $(uname -m)"
for tool in tar xz find sort; do
    command -v "$tool" >/dev/null || fail "$tool was not found on the PATH (Debian: apt-get install tar xz-utils findutils)"
done
jdk=$(dirname -- "$(dirname -- "$(readlink -f -- "$java")")")
for tool in jlink jar; do
    [[ -x $jdk/bin/$tool ]] || fail "$jdk has no bin/$tool: it is not a full JDK; install one (Debian: apt-get install openjdk-17-jdk) and set JAVA_HOME to it"
done

name=fovea-linux-x86_64
archive=$target/$name${with_tests:+-with-tests}.tar.xz
stage=$(mktemp -d "$target/bundle.XXXXXX")
trap 'rm -rf -- "$stage"' EXIT
trap 'exit 130' HUP INT TERM
bundle=$stage/$name
mkdir "$bundle" "$bundle/lib"

date=${SOURCE_DATE_EPOCH:-315532800}
jar_date=$(date -u -d "@$date" +%Y-%m-%dT%H:%M:%SZ)
# A jar counts in steps of two seconds, from the end of the first two of 1980.
[[ $date -gt 315532802 ]] || jar_date=1980-01-01T00:00:02Z

# What is in a jar compresses better outside of the jar's own compression, so jars are packed without it.
repack() {  # JAR TARGET
    local files=$stage/files
    rm -rf -- "$files"
    mkdir "$files"
    (cd "$files" && "$jdk/bin/jar" --extract --file "$1")
    # JCuda's PTX compiler is never loaded, and has 24 MB.
    rm -f "$files"/lib/libJNvPTXCompiler-*.so
    (
        cd "$files"
        find . -type f ! -path ./META-INF/MANIFEST.MF -printf '%P\n' | sort >"$stage/entries"
        # One to a line, quoted as jar wants it.
        { [[ ! -f META-INF/MANIFEST.MF ]] || echo META-INF/MANIFEST.MF; sed 's/.*/"&"/' "$stage/entries"; } >"$stage/arguments"
        "$jdk/bin/jar" --create --no-manifest --no-compress --date="$jar_date" --file "$2" "@$stage/arguments"
    )
}

say "cutting Java down to what is needed, from $jdk"
for module in $("$jdk/bin/jdeps" --multi-release 17 --ignore-missing-deps -s "$target/fovea.jar" | sed -n 's/.* -> \(j[a-z]*\.[a-z.]*\)$/\1/p'); do
    [[ ,$MODULES, == *,$module,* ]] || fail "fovea.jar needs $module, which is not among MODULES in packaging/bundle.sh"
done
if ! "$jdk/bin/jlink" --add-modules "$MODULES" --strip-debug --no-header-files --no-man-pages --vm=server \
        --output "$bundle/java" >"$stage/jlink.log" 2>&1; then
    cat "$stage/jlink.log" >&2
    fail "jlink failed; it needs a full JDK with its jmods (Debian: apt-get install openjdk-17-jdk), set JAVA_HOME to one"
fi
# Fovea draws to files, never to a screen.
rm -f "$bundle"/java/lib/lib{awt_xawt,jawt,splashscreen,jsound}.so
# An older one refuses Java with a line about "version GLIBC_...".
glibc=$(find "$bundle/java" -name '*.so' -exec grep -aoh 'GLIBC_2\.[0-9]*' {} + | sort -uV | tail -n 1)

for jar in "$target/fovea.jar" "$target"/lib/*.jar; do
    repack "$jar" "$bundle/lib/${jar##*/}"
done
cp -- "$root/fovea" "$root/README.md" "$root/LICENSE" "$bundle"
mkdir -p "$bundle/python/fovea"
cp -- "$root/python/fovea/gymnasium.py" "$bundle/python/fovea"
cp -R -- "$root/kernels" "$root/native-tests" "$bundle"
mkdir "$bundle/docs"
cp -R -- "$root/docs/." "$bundle/docs"

if [[ -n $with_tests ]]; then
    say "building the tests"
    if ! (cd "$root" && mvn -q -B -Dstyle.color=never -Pbundle-tests,kernels-all -DskipTests package) >"$stage/build.log" 2>&1 </dev/null; then
        tail -n 25 "$stage/build.log" >&2
        fail "the tests do not build"
    fi
    mkdir "$bundle/tests" "$stage/classes"
    # Of the tests only those of the contract, which need no source tree.
    cp -R -- "$target/test-classes/org" "$stage/classes"
    find "$stage/classes/org/fovea" -mindepth 1 -maxdepth 1 ! -name backend -exec rm -rf {} +
    "$jdk/bin/jar" --create --file "$stage/tests.jar" -C "$stage/classes" org
    repack "$stage/tests.jar" "$bundle/tests/contract-tests.jar"
    for jar in "$target"/test-lib/*.jar; do
        repack "$jar" "$bundle/tests/${jar##*/}"
    done
    cp -- "$root/packaging/contract-tests.sh" "$bundle"
fi

if [[ ! -f $target/classes/org/fovea/backend/cuda/fovea.fatbin ]]; then
    say "without CUDA kernels: $(head -n 1 "$target/classes/org/fovea/backend/cuda/kernels.txt")"
fi

if [[ -n $unpacked ]]; then
    mkdir -p -- "$unpacked"
    cp -R -- "$bundle/." "$unpacked"
    chmod -R u=rwX,go=rX -- "$unpacked"
    say "$unpacked"
    exit
fi

say "compressing, which takes a minute"
tar --create --directory "$stage" --sort=name --format=gnu --mtime="@$date" --owner=0 --group=0 --numeric-owner \
    --mode='u=rwX,go=rX' "$name" | xz -9e -T0 >"$stage/archive"
mib=$((($(stat -c %s "$stage/archive") + 1048575) / 1048576))
[[ -n $with_tests || $mib -le $LIMIT_MIB ]] || fail "the bundle would have $mib MiB, the limit is $LIMIT_MIB MiB"
mv -f -- "$stage/archive" "$archive"
chmod 644 "$archive"
say "$archive, $mib MiB, for glibc ${glibc#GLIBC_} or newer; unpack it anywhere (tar xf), then: $name/fovea doctor"
