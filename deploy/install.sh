#!/usr/bin/env bash
# Installs edgecam as a service that starts on boot, on Raspberry Pi OS and Debian.
#
# usage: sudo ./deploy/install.sh [OPTION]...
#   --wheel FILE        install this wheel; without it, one is built from the checkout that this script lies in
#   --wheels FOLDER     take every Python package from this folder, and none from the network
#   --camera KIND       picamera2 or v4l2: what the service is to reach; without it, what is found here
#   --coral             let the service reach a Coral USB accelerator, also when none is plugged in now
#   --with-mosquitto    also install a broker, for this machine alone
#   --no-packages       install nothing by apt
#   --no-start          leave the service as it is: neither start nor restart it
#   --rollback          go back to the release before this one
#   --uninstall         remove edgecam; configuration and data stay
#   --purge             with --uninstall: remove those, too, and the user
#   --dry-run           only say what would be done
#
# Run it again to upgrade. A release has a folder of its own, /opt/edgecam/releases/VERSION-TIME, and
# /opt/edgecam/current points to the one that runs; it is moved on only when the new release has passed a trial, and
# back again when the service does not start with it. A failure in between leaves the old release running.
# exit: 0 done, 1 failed, 2 the command line makes no sense
set -euo pipefail
umask 022 # what the user edgecam has to read must be readable, whatever root's own umask

here=$(dirname "$(readlink -f "$0")")
source_folder=$(dirname "$here")
readonly here
export source_folder # of what is installed: a checkout, or a package's files
readonly base=/opt/edgecam
readonly config_folder=/etc/edgecam
readonly data_folder=/var/lib/edgecam
readonly units=/etc/systemd/system
readonly user=edgecam

say() { echo "edgecam install: $*" >&2; }
die() { say "$*"; exit 1; }
usage_error() { say "$*; --help lists the options"; exit 2; }

# run COMMAND...: does it, or only says so.
run() {
    if ((dry_run)); then echo "would run: $*"; else "$@"; fi
}

# shellcheck source=deploy/installing/machine.sh
source "$here/installing/machine.sh"
# shellcheck source=deploy/installing/release.sh
source "$here/installing/release.sh"
# shellcheck source=deploy/installing/service.sh
source "$here/installing/service.sh"
# shellcheck source=deploy/installing/broker.sh
source "$here/installing/broker.sh"

wheel='' wheels='' camera=auto coral=0 with_mosquitto=0 packages=1 start=1 purge=0 dry_run=0 action=install_edgecam

parse_options() {
    while (($#)); do
        case $1 in
        --wheel | --wheels | --camera)
            [[ ${2:-} ]] || usage_error "$1 needs a value"
            printf -v "${1#--}" %s "$2"
            shift
            ;;
        --coral) coral=1 ;;
        --with-mosquitto) with_mosquitto=1 ;;
        --no-packages) packages=0 ;;
        --no-start) start=0 ;;
        --rollback) action=rollback ;;
        --uninstall) action=uninstall ;;
        --purge) purge=1 ;;
        --dry-run) dry_run=1 ;;
        -h | --help) sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$here/install.sh"; exit ;;
        *) usage_error "no such option: $1" ;;
        esac
        shift
    done
    [[ $camera =~ ^(auto|picamera2|v4l2)$ ]] || usage_error "--camera is picamera2 or v4l2, not $camera"
    [[ ! $wheel || -f $wheel ]] || usage_error "--wheel: there is no file $wheel"
    [[ ! $wheels || -d $wheels ]] || usage_error "--wheels: there is no folder $wheels"
    ((!purge)) || [[ $action == uninstall ]] || usage_error "--purge goes with --uninstall"
}

install_edgecam() {
    require_distribution
    ((!with_mosquitto)) || require_broker_port
    ((!packages)) || install_packages
    require_python
    make_user
    require_space
    make_release
    make_configuration
    ((!with_mosquitto)) || use_mosquitto
    try_release
    install_units
    if [[ $new_release ]]; then switch_to "$new_release"; fi
    link_command
    ((!with_mosquitto)) || start_mosquitto
    start_service || go_back
    forget_old_releases
    ((!broker_failed)) || tell_of_broker
    if ((dry_run)); then say "nothing was changed"; else tell; fi
}

# Puts the release before this one back, after a failed start.
go_back() {
    local failed
    failed=$(readlink -f "$base/current")
    say "the service does not start with $(basename "$failed"):"
    journalctl --unit edgecam --lines 15 --no-pager >&2 || true
    [[ $new_release && -d $base/previous ]] ||
        die "it stays installed; look at the lines above, then: sudo systemctl restart edgecam"
    switch_back
    rm -rf "$failed"
    start_service || true
    die "went back to $(basename "$(readlink -f "$base/current")")"
}

rollback() {
    [[ -x $base/previous/bin/edgecam ]] || die "there is no release before this one in $base/releases"
    ((dry_run)) || try_previous
    switch_to "$(readlink -f "$base/previous")"
    start_service || die "the service does not start; see: sudo journalctl -u edgecam"
    ((dry_run)) || say "now $("$base/current/bin/edgecam" --version); --rollback again goes forward"
}

tell() {
    say "$("$base/current/bin/edgecam" --version) is installed"
    say "configuration: $config_folder/config.yaml; after a change: sudo systemctl reload edgecam"
    say "how it does:   systemctl status edgecam"
    say "what it does:  sudo journalctl -fu edgecam"
    say "what is wrong: sudo edgecam doctor --config $config_folder/config.yaml"
    say "back again:    sudo $here/install.sh --rollback"
}

main() {
    parse_options "$@"
    # A dry run changes nothing, so anybody may.
    ((EUID == 0 || dry_run)) || die "needs root: sudo $0 $*"
    if ((!dry_run)); then
        exec 9>/run/lock/edgecam-install.lock
        flock --nonblock 9 || die "another installation is under way"
    fi
    trap discard_unfinished EXIT
    "$action"
}

main "$@"
