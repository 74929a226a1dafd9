# Releases: make one, try it, switch to it, forget the old ones. Sourced by install.sh.
# shellcheck shell=bash disable=SC2154  # variables of install.sh

# Where pip unpacks: /tmp is often a small RAM disk.
export TMPDIR=${TMPDIR:-/var/tmp} PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

new_release='' # what is being made; empty when the release that runs is the same
scratch=''

# At every end: an unfinished release is not left behind.
discard_unfinished() {
    [[ ! $scratch ]] || rm -rf "$scratch"
    [[ ! $new_release || $(readlink -f "$base/current") == "$new_release" ]] || rm -rf "$new_release"
}

# Does the system's Python have picamera2, and a numpy of the first series beside it?
has_picamera2() { "$python" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("picamera2"))' 2>/dev/null; }
has_numpy_1() { "$python" -c 'import numpy, sys; sys.exit(numpy.__version__[:2] != "1.")' 2>/dev/null; }

# The tested set of versions that fits this Python and, with picamera2, the numpy that it was built for.
constraints() {
    local set=trixie
    if "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || { has_picamera2 && has_numpy_1; }; then
        set=bookworm
    fi
    echo "$source_folder/scripts/constraints/$set.txt"
}

# Sets `wheel` to the one to install: given, beside us in a package, or built from the checkout.
find_wheel() {
    local built=("$source_folder"/edgecam-*.whl)
    if [[ $wheel ]]; then
        wheel=$(readlink -f "$wheel")
    elif [[ -f ${built[0]} ]]; then
        wheel=${built[0]}
    else
        [[ -f $source_folder/pyproject.toml ]] || die "$source_folder is no checkout of edgecam; give a --wheel"
        say "building edgecam from $source_folder"
        "$python" -m venv "$scratch/build"
        "$scratch/build/bin/pip" wheel --quiet --no-deps --wheel-dir "$scratch" "$source_folder"
        built=("$scratch"/edgecam-*.whl)
        wheel=${built[0]}
    fi
}

# Leaves the new release in `new_release`, unless the one that runs is made of just the same.
make_release() {
    local version key beside='' options=()
    if ((dry_run)); then
        echo "would install: ${wheel:-edgecam from $source_folder}, with $(basename "$(constraints)")," \
            "into $base/releases/VERSION-TIME"
        return
    fi
    scratch=$(mktemp -d)
    find_wheel
    if has_picamera2; then options+=(--system-site-packages); fi
    key="$(sha256sum <"$wheel") $(sha256sum <"$(constraints)") $(readlink -f "$python") ${options[*]}"
    if [[ $(cat "$base/current/.made-from" 2>/dev/null) == "$key" ]]; then
        say "$(basename "$(readlink -f "$base/current")") is this very release"
        return
    fi
    version=$(basename "$wheel" | cut -d - -f 2)
    new_release=$base/releases/$version-$(date -u +%Y%m%d%H%M%S)
    if has_picamera2; then beside=", beside the system's picamera2"; fi
    say "installing into $new_release$beside (on a Pi, some minutes)"
    mkdir -p "$base/releases"
    "$python" -m venv "${options[@]}" "$new_release"
    install_wheel
    echo "$key" >"$new_release/.made-from"
}

install_wheel() {
    local extra='' only=()
    # There is no LiteRT for 32 bits.
    if [[ $(dpkg --print-architecture) == armhf ]]; then extra='[tflite]'; fi
    if [[ $wheels ]]; then only=(--no-index --find-links "$wheels"); fi
    "$new_release/bin/pip" install --quiet "${only[@]}" --constraint "$(constraints)" "$wheel$extra"
}

as_user() { (cd / && runuser -u "$user" -- env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 HOME=/nonexistent "$@"); }

# Lets the user edgecam start the new release, name a picture, and read the configuration.
try_release() {
    [[ $new_release ]] || return 0
    local edgecam=$new_release/bin/edgecam picture=$scratch/picture.png
    say "trying $(basename "$new_release")"
    chmod 711 "$scratch"
    as_user "$edgecam" --version >/dev/null
    "$new_release/bin/python" -c 'import cv2, numpy, sys
assert cv2.imwrite(sys.argv[1], numpy.full((480, 640, 3), 127, numpy.uint8))' "$picture"
    as_user "$edgecam" classify --json "$picture" >/dev/null || die "the new release names no picture; nothing was changed"
    as_user "$edgecam" check --config "$config_folder/config.yaml" >/dev/null ||
        die "the new release refuses $config_folder/config.yaml, see above; the old one goes on"
}

try_previous() {
    local edgecam=$base/previous/bin/edgecam
    as_user "$edgecam" --version >/dev/null 2>&1 || die "$(readlink "$base/previous") cannot run any more; nothing was changed"
    as_user "$edgecam" check --config "$config_folder/config.yaml" >/dev/null ||
        die "the release before this one refuses $config_folder/config.yaml, see above; nothing was changed"
}

older='' # what `previous` pointed to before the switch

# In one step, so that there is always a release; what was current becomes previous.
switch_to() {
    local old
    old=$(readlink -e "$base/current" || true)
    older=$(readlink -e "$base/previous" || true)
    run point "$base/current" "$1"
    if [[ $old && $old != "$1" ]]; then run point "$base/previous" "$old"; fi
}

# As if the switch had never been.
switch_back() {
    point "$base/current" "$(readlink -e "$base/previous")"
    if [[ $older ]]; then point "$base/previous" "$older"; else rm -f "$base/previous"; fi
}

point() { ln -s "releases/$(basename "$2")" "$1.new" && mv -T "$1.new" "$1"; }

# Two stay: the one that runs and the one before it.
forget_old_releases() {
    local release
    for release in "$base"/releases/*/; do
        release=${release%/}
        [[ -d $release ]] || continue
        if [[ $release != $(readlink -f "$base/current") && $release != $(readlink -f "$base/previous") ]]; then
            run rm -rf "$release"
        fi
    done
}
