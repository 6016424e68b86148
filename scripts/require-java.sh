#!/bin/sh
# Check for Java 17 or 21, which Spark 4 needs. As root on Debian, install the headless JRE and print the command;
# otherwise print the command only. As in Spark, JAVA_HOME takes precedence over the PATH.
set -u

print_version() {
    "$1" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1
}

is_good() {
    case "$(print_version "$1" 2>/dev/null)" in
        17 | 21) return 0 ;;
    esac
    return 1
}

java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
is_good "$java" && exit 0
if command -v "$java" >/dev/null 2>&1; then
    echo "Java $(print_version "$java") was found ($(command -v "$java")), but Spark 4 needs Java 17 or 21." >&2
elif [ -n "${JAVA_HOME:-}" ]; then
    echo "JAVA_HOME ($JAVA_HOME) contains no Java. Spark 4 needs Java 17 or 21." >&2
else
    echo "No Java was found. Spark 4 needs Java 17 or 21." >&2
fi
if [ -n "${JAVA_HOME:-}" ] && is_good java; then
    echo "A suitable Java is on the PATH ($(command -v java)). Run:  unset JAVA_HOME" >&2
    exit 1
fi

case "$(uname -s)" in
    Darwin) echo "Install it with:  brew install openjdk@17 && export JAVA_HOME=\$(brew --prefix openjdk@17)" >&2 ;;
    Linux)
        if command -v apt-get >/dev/null 2>&1; then
            package=openjdk-17-jre-headless
            if [ "$(id -u)" = 0 ]; then
                apt-cache show $package >/dev/null 2>&1 || { echo "+ apt-get update"; apt-get update -qq; }
                apt-cache show $package >/dev/null 2>&1 || package=openjdk-21-jre-headless
                echo "+ apt-get install -y --no-install-recommends $package"
                DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $package || exit 1
                is_good "$java" && exit 0
                for home in /usr/lib/jvm/java-17-openjdk-* /usr/lib/jvm/java-21-openjdk-*; do
                    [ -x "$home/bin/java" ] || continue
                    echo "It is installed, but Spark would use another Java. Run:  export JAVA_HOME=$home" >&2
                    exit 1
                done
                echo "It is installed, but Spark would not find it. Set JAVA_HOME to its folder." >&2
            else
                echo "Install it with:  sudo apt-get install $package" >&2
                echo "and, if another Java comes first:  export JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64" >&2
            fi
        elif command -v dnf >/dev/null 2>&1; then
            echo "Install it with:  sudo dnf install java-17-openjdk-headless" >&2
        elif command -v pacman >/dev/null 2>&1; then
            echo "Install it with:  sudo pacman -S jre17-openjdk-headless" >&2
        else
            echo "Install a Java 17 or 21 runtime with your package manager, and set JAVA_HOME to its folder." >&2
        fi ;;
    *) echo "Install a Java 17 or 21 runtime, and set JAVA_HOME to its folder." >&2 ;;
esac
exit 1
