#!/bin/sh
# Builds target/shop.war from this folder; the shop reports the release $BIGRED_VERSION.
set -eu
cd "$(dirname "$0")"
for home in "${CATALINA_HOME:-}" /usr/share/tomcat11 /usr/share/tomcat10 /usr/share/tomcat9; do
    api=$home/lib/servlet-api.jar
    [ ! -e "$api" ] || break
done
rm -rf target
mkdir -p target/war/WEB-INF/classes target/sources
cp ./*.java target/sources/
# Up to Tomcat 9 the packages have their old name.
if grep -q javax/servlet/Servlet.class "$api"; then
    sed -i 's/jakarta[.]servlet/javax.servlet/' target/sources/*.java
fi
# The JVMs are done before their second compiler would pay.
quick="-J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC"
# shellcheck disable=SC2086 # two words
javac $quick --release 17 -proc:none -cp "$api" -d target/war/WEB-INF/classes target/sources/*.java
cp web.xml target/war/WEB-INF/
# How this build behaves: a BuildKind of demo/sample.py.
kind=$(cat kind 2>/dev/null || echo good)
printf 'version=%s\nkind=%s\n' "$BIGRED_VERSION" "$kind" >target/war/WEB-INF/classes/release.properties
printf 'Implementation-Title: shop\nImplementation-Version: %s\n' "$BIGRED_VERSION" >target/manifest
# shellcheck disable=SC2086
jar $quick --create --file target/shop.war --manifest target/manifest -C target/war .
