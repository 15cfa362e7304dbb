#!/bin/sh
# Starts, stops or looks for the JVM of the folder this script is in:  tomcat start|stop|running
#
# Each verb may run at any time, run twice at once, or be killed halfway: a lock serializes start and
# stop, and what counts is the process itself, identified by its -Dcatalina.base.
# shellcheck disable=SC2154 # java, home, classes and the like come from the settings
set -u
base=$(cd "$(dirname "$0")" && pwd -P) || exit 1
# shellcheck source=/dev/null
. "$base/settings"

marked() { # is process $pid the JVM of this base, and not another process that got its number?
    grep -qzxF -e "-Dcatalina.base=$base" "/proc/$pid/cmdline" 2>/dev/null
}

alive() {
    read -r pid 2>/dev/null <"$base/pid" && marked
}

gone() { # a zombie has closed its port; its parent may reap it later
    ! read -r _ _ state _ 2>/dev/null <"/proc/$pid/stat" || [ "$state" = Z ]
}

start() {
    if alive; then
        [ -e "$base/stopping" ] || return 0
        stop # an earlier stop was killed: the JVM is still alive, but not for long
    fi
    rm -f "$base/stopping"
    # The process that becomes the JVM writes its own pid, so it can be found even if we are killed
    # here. $(...) returns when that process closes its output, which is when it becomes the JVM.
    # shellcheck disable=SC2016,SC2034 # the inner shell expands them; nothing is printed
    started=$(setsid sh -c '
        cd "$0" && echo "$$" >pid.new && mv pid.new pid && exec "$@" </dev/null >logs/catalina.out 2>&1 9>&-
    ' "$base" "$java" \
        -XX:+UseSerialGC -Xms32m -Xmx96m -XX:TieredStopAtLevel=1 -XX:-UsePerfData "$class_data" \
        -Djava.awt.headless=true -Djava.io.tmpdir="$base/temp" \
        -Djava.util.logging.config.file="$base/conf/logging.properties" \
        -Dcatalina.home="$home" -Dcatalina.base="$base" -Dbigred.port="$port" \
        -cp "$classes" \
        org.apache.catalina.startup.Bootstrap start &)
    alive
}

stop() {
    alive || return 0
    : >"$base/stopping"
    kill -TERM "$pid" 2>/dev/null
    rounds=$((patience_s * 20)) # of 0.05 s each
    until gone; do
        rounds=$((rounds - 1))
        if [ "$rounds" -eq 0 ] && marked; then
            kill -KILL "$pid" 2>/dev/null
        fi
        sleep 0.05
    done
    rm -f "$base/pid" "$base/stopping"
}

case ${1-} in
start | stop)
    exec 9>"$base/lock"
    flock 9
    "$1"
    ;;
running) alive || exit 1 ;;
*)
    echo "usage: $0 start|stop|running" >&2
    exit 64
    ;;
esac
