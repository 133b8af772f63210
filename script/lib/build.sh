# What `script/up`, `script/test` and `script/bench` build. Sourced after report.sh.
#
# SwiftPM rebuilds everything when the flags in a scratch folder change: so one folder for each set of flags, and these
# lines are the only ones that name them.
build_release() {
    local product
    # Each by name: without, SwiftPM at times takes the libraries' own products along, and one of these cannot be linked so.
    for product in magsd mags; do
        (cd "$root" && swift build -c release --static-swift-stdlib --scratch-path "$scratch/release" --product "$product") ||
            return
    done
}
build_debug() { (cd "$root" && swift build --build-tests --scratch-path "$scratch/debug"); }

release_folder() { printf '%s\n' "$scratch/release/release"; }
debug_folder() { printf '%s\n' "$scratch/debug/debug"; }

# The parts that boot in a machine. Each checks a key of all that goes in and does nothing when its result is there.
build_machine_parts() {
    part 'guest' guest "$root/script/lib/guest.sh"
    part 'kernel and first file system' boot "$root/script/lib/boot.sh"
    part 'standard image' image "$root/script/lib/image.sh"
}

# link_commands FOLDER: bin/mags and bin/magsd in the checkout.
link_commands() {
    local name
    mkdir -p "$root/bin"
    for name in mags magsd; do ln -sfn "$1/$name" "$root/bin/$name"; done
}
