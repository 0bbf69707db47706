#!/usr/bin/env bash
# Unpack packages of a Debian release into a folder, without what they depend on; nothing of the system changes.
# usage: install.sh RELEASE FOLDER PATHS PACKAGE…    PATHS are separated by commas: only these, relative to the root, are kept.
# Needs Debian and the network.
set -euo pipefail
release=$1 target=$(realpath -m "$2") paths=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,parts,packages,tree}

. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $VERSION_CODENAME" 'Created-By: Packages' | head -1)
test -n "$mirror" || { echo "apt knows no mirror of Debian's packages on this machine" >&2; exit 1; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" > "$work/sources.list"
: > "$work/status"
cat > "$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/parts";
Dir::Etc::preferencesparts "$work/parts";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Sandbox::User "";
CONF
export APT_CONFIG=$work/apt.conf

apt-get -qq -o Acquire::Retries=3 update
(cd "$work/packages" && apt-get -qq -o Acquire::Retries=3 download "$@")
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
# PostgreSQL compiles nothing at run time when this bridge is missing, and LLVM's library is too large to fetch.
rm -rf "$work"/tree/usr/lib/postgresql/*/lib/{bitcode,llvmjit*}

rm -rf "$target" "$target.new"
mkdir -p "$target.new"
(cd "$work/tree" && IFS=, && cp -a --parents $paths "$target.new")
mv "$target.new" "$target" # in one step: a folder that is there is complete
