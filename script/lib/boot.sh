#!/usr/bin/env bash
# Makes what a machine boots from, Debian's cloud kernel and a first file system with the guest in it, and prints the
# folder. Kept in the cache by the kernel's version and the guest's digest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cache.sh"

# In the order in which they need each other; one that is part of the kernel already is skipped.
modules=(
    virtio_ring virtio virtio_mmio virtio_console virtio_blk failover net_failover virtio_net virtio-rng
    libcrc32c erofs overlay crc16 mbcache jbd2 ext4 fuse
)

require apt-cache apt-get dpkg-deb lz4 cpio strip
guest=$("$root/script/lib/guest.sh")
package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
version=$(apt-cache policy "${package:-none}" | awk '/Candidate:/ { print $2 }')
if [[ -z $package || -z $version ]]; then
    echo "apt knows no linux-image-cloud-amd64. Run apt-get update, and see that its sources include Debian's main." >&2
    exit 1
fi
guest_digest=$(sha256sum "$guest" | cut -d' ' -f1)
key=$(cat "${BASH_SOURCE[0]}" <(echo "$package $version $guest_digest") | sha256sum | cut -c1-16)
if [[ -f $MAGS_CACHE/boot/$key/boot.json ]]; then
    publish none "$MAGS_CACHE/boot" "$key"
    echo "$MAGS_CACHE/boot/$key"
    exit 0
fi

make_work_folder boot

# The kernel comes out of its package once; a new guest alone takes no download.
kernels="$MAGS_CACHE/kernel"
kernel="$kernels/$package-$version"
if [[ ! -d $kernel ]]; then
    say "fetching $package $version"
    (cd "$work" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$package=$version" && dpkg-deb -x ./*.deb unpacked)
    mkdir -p "$work/kernel"
    mv "$work/unpacked/lib/modules"/*/kernel "$work/kernel/modules"
    mv "$work"/unpacked/boot/vmlinuz-* "$work/kernel/vmlinuz"
    mkdir -p "$kernels"
    mv -T "$work/kernel" "$kernel" 2>/dev/null || [[ -d $kernel ]]
fi

# The kernel proper lies in vmlinuz as an LZ4 frame of the old kind; what follows it makes lz4 complain at its end.
say "unpacking the kernel"
made="$work/made"
mkdir "$made"
mark=$(LC_ALL=C grep -aobP '\x02\x21\x4c\x18' "$kernel/vmlinuz" | cut -d: -f1)
for offset in $mark; do
    tail -c "+$((offset + 1))" "$kernel/vmlinuz" | lz4 -dc > "$made/vmlinux" 2>/dev/null || true
    if [[ $(head -c 4 "$made/vmlinux" | tail -c 3) == ELF ]]; then break; fi
    rm -f "$made/vmlinux"
done
[[ -s $made/vmlinux ]] || { echo "no kernel was found in $package's vmlinuz." >&2; exit 1; }

say "packing the first file system"
first="$work/first"
mkdir -p "$first"/{dev,proc,sys,mods}
install -m 0755 "$guest" "$first/init"
for module in "${modules[@]}"; do
    found=$(find "$kernel/modules" -name "$module.ko*" -print -quit)
    [[ -n $found ]] || continue
    case $found in
        *.xz) xz -dc "$found" > "$first/mods/$module.ko" ;;
        *) cp "$found" "$first/mods/$module.ko" ;;
    esac
    strip --strip-debug "$first/mods/$module.ko"
    echo "/mods/$module.ko" >> "$first/mods/list"
done
(cd "$first" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible) > "$made/initramfs.cpio"

printf '{"kernel":"%s %s","guest":"%s","vmlinux":"%s"}\n' "$package" "$version" "$guest_digest" \
    "$(sha256sum "$made/vmlinux" | cut -d' ' -f1)" > "$made/boot.json"
chmod 0644 "$made"/*
publish "$made" "$MAGS_CACHE/boot" "$key"
# Only a machine that is just being booted reads these files.
find "$MAGS_CACHE/boot" -mindepth 1 -maxdepth 1 -type d ! -name "$key" -mtime +7 -exec rm -rf {} +
say "kernel $version, first file system $(( $(stat -c %s "$MAGS_CACHE/boot/$key/initramfs.cpio") / 1024 )) KB"
echo "$MAGS_CACHE/boot/$key"
