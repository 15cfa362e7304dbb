# The functions that Bigred calls on a host reached by SSH, for its POSIX shell and coreutils.
# `ssh.py` sends this file as one argument, followed by the latest time at which the call may begin
# (milliseconds on this host's clock, 0 for any), a function's name and its arguments. This file must
# have no backslash: the login shell that passes it on might interpret it.
set -u

# On a line of its own, to separate our output from what a login script printed before.
now=$(date +%s%3N)
echo "bigred answers at $now"

fail() {
  echo "$*"
  exit 1
}

digest_of() {
  found=$(sha256sum <"$1") || fail "$1 can't be read"
  echo "${found%% *}"
}

# Sets the temporary name `part`; its file is deleted in any case, unless it was renamed.
temporary() {
  part=$1
  trap 'rm -f -- "$part"' EXIT
  trap 'exit 1' HUP INT TERM
}

verify() { # file, digest
  found=$(digest_of "$1") || fail "$found"
  [ "$found" = "$2" ] || fail "$1 has SHA-256 $found, not $2"
}

rename() { # from, to
  mv -f -T -- "$1" "$2" && sync -- "$(dirname -- "$2")"
}

# WAR, folder of the kept releases, limit in seconds, command that exits with 0 if Tomcat runs
look() {
  war=$1 folder=$2 limit=$3
  shift 3
  if [ $# -gt 0 ]; then
    timeout -s KILL "$limit" "$@" </dev/null >/dev/null 2>&1
    echo "running $?"
  fi
  stamp=$(LC_ALL=C stat -L -c '%s %i %y %z' -- "$war" 2>&1)
  case $?$stamp in
    0*) echo "stamp $stamp" ;;
    *': No such file or directory') echo "stamp" ;;
    *) echo "trouble $stamp" ;;
  esac
  for file in "$folder"/*.war; do
    [ ! -f "$file" ] || echo "kept ${file##*/}"
  done
  [ ! -d "$folder" ] || [ -r "$folder" ] || echo "trouble $folder can't be read"
  until [ -d "$folder" ]; do folder=$(dirname -- "$folder"); done
  echo "free $(stat -f -c '%a %S' -- "$folder")"
}

digest() { # file
  digest_of "$1"
}

# Folder, release in it, its digest, prefix of our temporary names, releases to delete
prepare() {
  folder=$1 kept=$2 digest=$3 mark=$4
  shift 4
  mkdir -p -- "$folder" || exit
  rm -f -- "$folder/$mark"* "$@" || exit
  if [ -f "$kept" ]; then
    if [ "$(digest_of "$kept")" = "$digest" ]; then
      echo "whole"
      return
    fi
    rm -f -- "$kept" || exit
  fi
  echo "free $(stat -f -c '%a %S' -- "$folder")"
}

# Uploaded file, final name, its digest
keep() {
  temporary "$1"
  sync -- "$part" && chmod 644 -- "$part" || exit
  verify "$part" "$3"
  rename "$part" "$2"
}

# Uploaded file
discard() {
  rm -f -- "$1"
  echo "free $(stat -f -c '%a %S' -- "$(dirname -- "$1")")"
}

# Kept release, its digest, WAR, prefix of our temporary names. Nothing that Tomcat sees changes.
copy() {
  kept=$1 digest=$2 war=$3 mark=$4
  folder=$(dirname -- "$war")
  [ -f "$kept" ] || fail "$kept does not exist; fetch the release first"
  rm -f -- "$folder/$mark"* || exit
  temporary "$(mktemp -- "$folder/${mark}XXXXXX")" || exit
  cp -- "$kept" "$part" && sync -- "$part" || exit
  found=$(digest_of "$part") || fail "$found"
  if [ "$found" != "$digest" ]; then
    rm -f -- "$kept"
    fail "$kept has SHA-256 $found; it was deleted, fetch it again"
  fi
  mode=644
  if [ -e "$war" ]; then
    mode=$(stat -L -c %a -- "$war") || exit
    if [ "$(id -u)" = 0 ]; then chown "$(stat -L -c %u:%g -- "$war")" -- "$part" || exit; fi
  fi
  chmod "$mode" -- "$part" || exit
  trap - EXIT
  echo "copied $part"
}

# Copied file, WAR, the folder unpacked from it
replace() {
  temporary "$1"
  [ -f "$part" ] || fail "$part is gone; another swap has begun"
  if [ -d "$3" ]; then rm -rf -- "$3" || exit; fi
  rename "$part" "$2"
}

# Limit in seconds, bytes of output to return, command. Its output goes to a file: a Tomcat started
# in the background may keep it open, and our channel with it.
command_of() {
  limit=$1 tail=$2
  shift 2
  output=$(mktemp) || output=/dev/null
  [ "$output" = /dev/null ] || trap 'rm -f -- "$output"' EXIT
  timeout -s KILL "$limit" "$@" </dev/null >"$output" 2>&1
  code=$?
  tail -c "$tail" -- "$output"
  return "$code"
}

# A call delayed on its way must not run when nobody waits for it any more: the node may be in
# service again.
[ "$1" = 0 ] || [ "$now" -le "$1" ] || fail "this call came too late and was not run"
shift
"$@"
