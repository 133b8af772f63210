# Debian packages: what is missing, installed when we may and named when we may not. Sourced after report.sh.
build_packages=(
    binutils ca-certificates curl git libc6-dev libsqlite3-dev libstdc++-12-dev musl-tools pkg-config xz-utils zlib1g-dev
)
machine_packages=(
    cpio e2fsprogs erofs-utils fakechroot fakeroot iproute2 lz4 mmdebstrap nftables procps qemu-system-x86 qemu-utils
    uidmap util-linux
)
test_packages=(python3 python3-venv)
bench_packages=(bubblewrap python3 runsc)

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null)" = 'ii ' ]; }

install_missing() {
    export DEBIAN_FRONTEND=noninteractive
    local apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    # The package list may be absent or old; fetching it anew costs seconds, so only when it has to be.
    "${apt[@]}" install -y --no-install-recommends "$@" || {
        "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"
    }
}

need_packages() {
    local missing=() name
    command -v dpkg-query >/dev/null || die "this is not a Debian system: dpkg-query is absent" \
        "Install these by your system's own means, under its own names, and write a dpkg-query that says so:" "$*"
    for name in "$@"; do is_installed "$name" || missing+=("$name"); done
    if [ ${#missing[@]} = 0 ]; then return; fi
    if [ "$(id -u)" != 0 ]; then
        die "Debian packages are missing, and only root can install them. As root, once:" \
            "apt-get update && apt-get install --no-install-recommends ${missing[*]}" \
            "Then run this again as yourself."
    fi
    part "Debian packages (${#missing[@]} missing)" packages install_missing "${missing[@]}" || die \
        "could not install: ${missing[*]}" \
        "Check the network and /etc/apt/sources.list (Debian 12, main), then run this again; what is done is kept."
}

need_swift() {
    local version
    command -v swift >/dev/null || die "the Swift toolchain is missing" \
        "Install Swift 6.2 or newer for Debian 12 from swift.org and put its usr/bin on the PATH."
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    awk -v v="${version:-0.0}" 'BEGIN { split(v, p, "."); exit !(p[1] > 6 || (p[1] == 6 && p[2] >= 2)) }' ||
        die "Swift ${version:-of unknown version} is too old" "Install Swift 6.2 or newer for Debian 12 from swift.org."
}
