#!/bin/sh
# Builds the shop from this folder: target/shop.war, which says that it is $BIGRED_VERSION.
set -eu
cd "$(dirname "$0")"
libraries=${CATALINA_HOME:-/usr/share/tomcat10}/lib
rm -rf target
mkdir -p target/war/WEB-INF/classes
javac --release 17 -proc:none -cp "$libraries/servlet-api.jar" -d target/war/WEB-INF/classes ./*.java
cp web.xml target/war/WEB-INF/
# What is wrong with this build, if anything: a word of demo/sample.py.
kind=$(cat kind 2>/dev/null || echo good)
printf 'version=%s\nkind=%s\n' "$BIGRED_VERSION" "$kind" >target/war/WEB-INF/classes/release.properties
printf 'Implementation-Title: shop\nImplementation-Version: %s\n' "$BIGRED_VERSION" >target/manifest
jar --create --file target/shop.war --manifest target/manifest -C target/war .
