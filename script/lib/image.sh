#!/usr/bin/env bash
# Makes the image `standard`, a Debian root in one erofs file, and prints the folder that it is in.
#
# Kept in the cache until what goes into it changes or it is seven days old. --force makes it anew.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cache.sh"

suite=bookworm
refresh_after_days=7
recipe="$root/Images/standard"
images="$MAGS_CACHE/images/standard"

# The host's package sources that carry the suite, with the keys that they name; none: mmdebstrap's own default.
host_sources() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        if [[ -r $file ]] && grep -Eq "^[^#]*\b$suite\b" "$file"; then echo "$file"; fi
    done
}

# Keyrings that those sources or apt itself trust.
host_keyrings() {
    local sources
    mapfile -t sources < <(host_sources)
    {
        if (( ${#sources[@]} )); then
            grep -hoiE 'signed-by[=:] *[^] ]+' "${sources[@]}" | grep -oE '/[^], ]+' || true
        fi
        ls /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d/* 2>/dev/null || true
    } | sort -u | while read -r key; do if [[ -r $key ]]; then echo "$key"; fi; done
}

# How the host's apt reaches its sources: proxies, and what its administrator decided about their dates. For the making
# of the image alone: proxies and client certificates are the host's, and may carry a password.
host_apt_options() {
    apt-config dump 2>/dev/null \
        | grep -E '^Acquire::(http|https)::[^ ]* "[^"]+";$|^Acquire::(Check-Valid-Until|Check-Date|Retries) ' || true
}

# Those of them that stay in the image. Named one by one, so that no secret slips in.
guest_apt_options() {
    host_apt_options | grep -E \
        '^Acquire::(Check-Valid-Until|Check-Date|Retries|(http|https)::([^ ]*::)?(Verify-Peer|Verify-Host|CaInfo|Timeout)) ' ||
        true
}

# Makes package sources forget the user names and passwords in their addresses.
forget_passwords='s#([a-zA-Z][a-zA-Z0-9+.-]*://)[^/[:space:]]*@#\1#g'

host_authorities() { find /usr/local/share/ca-certificates -name '*.crt' -readable 2>/dev/null | sort; }

packages=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$recipe/packages" | paste -sd, | tr -d ' ')
key=$({
    cat "${BASH_SOURCE[0]}"
    echo "$packages"
    guest_apt_options
    (cd "$recipe/files" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
    host_sources | xargs -r sed -E "$forget_passwords"
    host_keyrings | xargs -r sha256sum
    host_authorities | xargs -r sha256sum
} | sha256sum | cut -c1-16)

current="$images/current"
if [[ ${1:-} != --force && -f $current/root.erofs && $(cat "$current/build.key" 2>/dev/null) == "$key" ]] \
    && [[ -n $(find -L "$current/root.erofs" -mtime "-$refresh_after_days") ]]; then
    readlink -f "$current"
    exit 0
fi

require mmdebstrap mkfs.erofs tar
make_work_folder image
say "making the image standard (Debian $suite; a few minutes)"

# Everything of the host's that the guest should have too, laid out as in the guest.
extra="$work/extra"
mkdir -p "$extra/etc/apt/apt.conf.d" "$extra/usr/local/share/ca-certificates"
guest_apt_options > "$extra/etc/apt/apt.conf.d/50host"
while read -r file; do
    mkdir -p "$extra$(dirname "$file")"
    cp "$file" "$extra$file"
done < <(host_keyrings)
while read -r file; do cp "$file" "$extra/usr/local/share/ca-certificates/"; done < <(host_authorities)
cp -R "$recipe/files/." "$extra/"
printf 'mags-vm\n' > "$extra/etc/hostname"
printf '127.0.0.1\tlocalhost mags-vm\n::1\tlocalhost ip6-localhost ip6-loopback\n' > "$extra/etc/hosts"
pack_extra() { tar -C "$extra" --owner=0 --group=0 --mode='u+rw,go=rX' -cf "$work/$1.tar" "${@:2}"; }
early=(./etc/apt)
if [[ -d $extra/usr/share/keyrings ]]; then early+=(./usr/share/keyrings); fi
pack_extra early "${early[@]}"
pack_extra extra .

options=()
while read -r line; do options+=("--aptopt=$line"); done < <(host_apt_options)
sources=()
while read -r file; do sources+=("$file"); done < <(host_sources)
mode=(--mode=auto)
if [[ $(id -u) != 0 ]] && ! grep -q "^$(id -un):" /etc/subuid 2>/dev/null; then mode=(--mode=fakechroot); fi
if [[ $(id -u) != 0 && ${mode[0]} == --mode=auto ]]; then mode=(--mode=unshare); fi

# The keys must stand before apt first looks at the sources inside; the lists and their cache stay, so that a machine
# installs at once. Times later than mmdebstrap's start become that start, and the cache is good for lists with the very
# times that it saw: so these get an earlier one before it is made. What mmdebstrap was told of the host's ways to its
# sources it leaves in the image too, so that is taken out; apt names its lists without users and passwords.
started=$(( $(date +%s) - 60 ))
mmdebstrap --quiet "${mode[@]}" --variant=minbase --include="$packages" "${options[@]}" \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --skip=cleanup/apt \
    --setup-hook="tar-in '$work/early.tar' /" \
    --customize-hook="tar-in '$work/extra.tar' /" \
    --customize-hook='mkdir -p "$1/uploads" "$1/root"; chmod 0700 "$1/root"' \
    --customize-hook='chroot "$1" update-ca-certificates >/dev/null 2>&1' \
    --customize-hook='rm -f "$1/etc/machine-id" "$1/var/lib/dbus/machine-id" "$1/etc/resolv.conf"; : > "$1/etc/machine-id"' \
    --customize-hook='chroot "$1" dpkg-query -W -f "\${Package}=\${Version}\n" > "$1/installed"' \
    --customize-hook="download /installed '$work/installed'" --customize-hook='rm "$1/installed"' \
    --customize-hook="find \"\$1/etc/apt/sources.list\"* -type f -exec sed -E -i '$forget_passwords' {} +" \
    --customize-hook='sed -E -i "/^ *Acquire::(http|https)::/d" "$1/etc/apt/apt.conf.d/99mmdebstrap"' \
    --customize-hook="find \"\$1/var/lib/apt/lists\" \"\$1/var/lib/dpkg/status\" -type f -exec touch -d '@$started' {} +" \
    --customize-hook='chroot "$1" apt-get clean; chroot "$1" apt-cache gencaches >/dev/null 2>&1' \
    "$suite" "$work/root.tar" "${sources[@]}" >&2

say "packing it"
# Extended attributes (what ping may do without being root) only as root: fakeroot's do not reach mkfs.erofs.
if [[ $(id -u) == 0 ]]; then
    attributes=(--xattrs --xattrs-include='*') tolerance=1 as_root=()
else
    attributes=() tolerance=-1 as_root=(fakeroot)
fi
mkdir "$work/root"
"${as_root[@]}" bash -euc '
    work=$1 tolerance=$2
    shift 2
    tar -C "$work/root" --numeric-owner "$@" --exclude="./dev/*" -xpf "$work/root.tar"
    mkfs.erofs -x "$tolerance" -U 6d616773-7374-616e-6461-726400000000 "$work/root.erofs" "$work/root" >/dev/null
' pack "$work" "$tolerance" "${attributes[@]}" >&2
rm -rf "$work/root" "$work/root.tar"

digest=$(sha256sum "$work/root.erofs" | cut -d' ' -f1)
made="$work/made"
mkdir "$made"
mv "$work/root.erofs" "$made/root.erofs"
echo "$key" > "$made/build.key"
{
    printf '{"name":"standard","digest":"%s","createdAt":"%s","packages":[' "$digest" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    sed -e 's/.*/"&"/' "$work/installed" | paste -sd,
    printf ']}\n'
} | tr -d '\n' > "$made/image.json"
chmod 0644 "$made"/*
publish "$made" "$images" "$digest"
say "the image is $(du -m "$images/$digest/root.erofs" | cut -f1) MB"
readlink -f "$current"
