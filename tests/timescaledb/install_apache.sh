#!/usr/bin/env bash
# PostgreSQL 17 with TimescaleDB's Apache edition, from Debian's own packages, into a folder; nothing of the system changes.
# usage: install_apache.sh FOLDER    Needs Debian on x86-64 and the network. The tests set the programs' loader when they
# know where they run them.
set -euo pipefail
target=$(realpath -m "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work"/{lists/partial,cache/archives/partial,parts,packages,tree}

. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $VERSION_CODENAME" 'Created-By: Packages' | head -1)
test -n "$mirror" || { echo "apt knows no mirror of Debian's packages on this machine" >&2; exit 1; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$work/sources.list"
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
# The server, the extension, patchelf, and every library they are linked with, so that the system's own are not used.
(cd "$work/packages" && apt-get -qq -o Acquire::Retries=3 download \
  postgresql-17 postgresql-17-timescaledb patchelf libc6 libgcc-s1 libstdc++6 zlib1g libzstd1 liblz4-1 liblzma5 \
  libssl3t64 libxml2 libicu76 libpq5 libpam0g libaudit1 libcap-ng0 libcap2 libldap2 libsasl2-2 libsystemd0 libselinux1 \
  libpcre2-8-0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libkeyutils1 libcom-err2 libuuid1 \
  libgcrypt20 libgpg-error0 libxxhash0)
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
# Without LLVM's library just-in-time compilation must be off; it is when its bridge is missing.
rm -rf "$work"/tree/{etc,var} "$work"/tree/usr/share/{doc,man,locale,lintian} "$work"/tree/usr/lib/postgresql/17/lib/{bitcode,llvmjit*}

rm -rf "$target" "$target.new"
mkdir -p "$(dirname "$target")"
mv "$work/tree" "$target.new"
mv "$target.new" "$target" # in one step: a folder that is there is complete
