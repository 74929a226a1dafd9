# What the machine must be, and must have, before edgecam: distribution, packages, Python, user, space.
# Sourced by install.sh.
# shellcheck shell=bash disable=SC2154  # variables of install.sh

readonly python=/usr/bin/python3 # apt's: the one that picamera2 from apt belongs to
readonly needed_mb=700           # a release with its dependencies, and as much again while pip unpacks

# A field of the file that os-release(5) describes.
# shellcheck source=/dev/null
os_field() { (source "${SYSTEMD_OS_RELEASE:-/etc/os-release}" && echo "${!1:-}"); }

is_pi() { grep --quiet --text 'Raspberry Pi' /proc/device-tree/model 2>/dev/null; }

require_distribution() {
    local name version
    name=$(os_field PRETTY_NAME)
    [[ " $(os_field ID) $(os_field ID_LIKE) " == *' debian '* ]] ||
        die "this is ${name:-an unknown system}, and the script knows Raspberry Pi OS and Debian;" \
            "elsewhere, install by hand as $here/README.md shows"
    version=$(os_field VERSION_ID)
    [[ $(os_field ID) != debian && $(os_field ID) != raspbian ]] || ((${version%%.*:-13} >= 12)) ||
        die "$name has no Python 3.11; edgecam needs bookworm (12) or newer"
    command -v systemctl >/dev/null || ((dry_run)) || die "there is no systemd here, which is to start edgecam on boot"
    say "on $name, $(uname -m)"
}

is_installed() { [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
has_candidate() { LC_ALL=C apt-cache policy "$1" | grep --quiet 'Candidate: [0-9]'; }

install_packages() {
    # procps has the /bin/kill of the unit's reload.
    local wanted=(python3 python3-venv ca-certificates procps) missing=() package
    if ((with_mosquitto)); then wanted+=(mosquitto); fi
    if is_pi && [[ $camera != v4l2 ]]; then wanted+=(python3-picamera2); fi
    for package in "${wanted[@]}"; do is_installed "$package" || missing+=("$package"); done
    if ((${#missing[@]})); then
        say "apt: ${missing[*]}"
        run apt-get update --quiet=2
        # Raspberry Pi OS has it, plain Debian on a Pi has not.
        if [[ " ${missing[*]} " == *' python3-picamera2 '* ]] && ! has_candidate python3-picamera2; then
            [[ $camera != picamera2 ]] || die "this system has no package python3-picamera2; take Raspberry Pi OS"
            mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep --invert-match picamera2)
        fi
        ((${#missing[@]} == 0)) || run env DEBIAN_FRONTEND=noninteractive \
            apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}" >&2
    fi
}

require_python() {
    ((!dry_run)) || [[ -x $python ]] || return 0
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        die "$python is not there or older than 3.11; on bookworm or newer: sudo apt install python3, then run this again"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || ((dry_run)) ||
        die "$python cannot make a virtual environment; on Debian: sudo apt install python3-venv, then run this again"
}

make_user() {
    local group groups=()
    if ! getent passwd "$user" >/dev/null; then
        say "user $user"
        run useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "$user"
    fi
    # Cameras, GPUs and USB accelerators belong to these; not every system has each.
    for group in video render plugdev; do
        if getent group "$group" >/dev/null && ! id -nG "$user" 2>/dev/null | grep --quiet --word-regexp "$group"; then
            groups+=("$group")
        fi
    done
    ((${#groups[@]} == 0)) || run usermod --append --groups "$(IFS=,; echo "${groups[*]}")" "$user"
}

require_space() {
    local free_mb
    free_mb=$(df --output=avail --block-size=1M "$(dirname "$base")" | tail -n 1)
    ((free_mb >= needed_mb)) || die "$(dirname "$base") has $free_mb MB free, and a release needs $needed_mb MB"
}
