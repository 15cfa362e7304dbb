#!/bin/sh
# Prints the packages and versions of an arm64 root with the packages given as arguments.
# It uses a separate apt configuration, without the machine's sources and installed packages.
set -eu
apt=/work/apt
mkdir -p $apt/lists/partial $apt/archives/partial $apt/parts
: >$apt/status
cat >$apt/apt.conf <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Etc::SourceList "/work/sources.list";
Dir::Etc::SourceParts "$apt/parts";
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt";
END
export APT_CONFIG=$apt/apt.conf
apt-get update >&2
exec apt-get --simulate install '?essential' apt "$@"
