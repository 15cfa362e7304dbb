#!/bin/sh
# What Bigred replaces, as it was: a commit hook wrote a flag file; a cron job looked for it once a
# minute and ran this script, which went through the Tomcats behind HAProxy: stop, copy, start. No
# test, no check, no rollback.
#
#     ancestor.sh FLAG WAR NODE...    NODE: the folder of a Tomcat with stop.sh, start.sh and webapps/
set -e
flag=$1 war=$2
shift 2
[ -e "$flag" ] || exit 0
rm "$flag"
for node; do
  "$node/stop.sh"
  cp "$war" "$node/webapps/shop.war"
  "$node/start.sh"
done
