# The broker of --with-mosquitto: who has its port, its configuration and start, and that edgecam uses it.
# Sourced by install.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables of install.sh

broker_port=1883
broker_failed=0

# Pids of what listens where mosquitto is to listen, on 127.0.0.1. Only root sees those of others.
port_holders() {
    local inode
    # 0A is LISTEN; an address of zeros is every address.
    awk -v port="$(printf %04X "$broker_port")" '
        $4 == "0A" && $2 ~ "^(0100007F|0+):" port "$" { print $10 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        while read -r inode; do
            find /proc/[0-9]*/fd -lname "socket:\[$inode\]" 2>/dev/null | cut -d / -f 3 || true
        done | sort --unique --numeric-sort
}

# The system's unit that a pid belongs to; nothing for what somebody started in a terminal.
unit_of() { sed -nE 's|.*[:/]system\.slice/(.*/)?([^/]+\.service)$|\2|p' "/proc/$1/cgroup" 2>/dev/null | head -n 1; }

# Does the service itself have the port, for the broker that it brings?
service_has_port() {
    local pid
    for pid in $(port_holders); do
        if [[ $(unit_of "$pid") == edgecam.service ]]; then return; fi
    done
    return 1
}

# refuse_holder PID: says who has the port, and what to do.
refuse_holder() {
    local pid=$1 unit program
    unit=$(unit_of "$pid")
    program=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" || true)
    if [[ $unit ]]; then
        die "port $broker_port is in use by $unit (pid $pid), and mosquitto needs it:" \
            "sudo systemctl stop $unit, and run this again"
    elif [[ $program == *edgecam.publish.broker* ]]; then
        # The broker is a child of the program that people know.
        pid=$(awk '$1 == "PPid:" { print $2 }' "/proc/$pid/status")
        die "port $broker_port is in use by edgecam run (pid $pid): end it (Ctrl-C) and run this again"
    fi
    die "port $broker_port is in use by ${program%% *} (pid $pid), and mosquitto needs it: end that and run this again," \
        "or leave out --with-mosquitto if it is your broker"
}

# Before anything is changed. The service gives its port back by itself.
require_broker_port() {
    local pid
    ((packages)) || is_installed mosquitto || die "mosquitto is not installed, and --no-packages forbids it"
    if ! systemd_runs || systemctl is-active --quiet mosquitto.service; then return; fi
    for pid in $(port_holders); do
        if ((!start)) || [[ $(unit_of "$pid") != edgecam.service ]]; then refuse_holder "$pid"; fi
    done
}

# The broker of the configuration as it stands; nothing where that is refused.
broker_url() {
    as_user "${new_release:-$base/current}/bin/edgecam" check --config "$config_folder/config.yaml" 2>/dev/null |
        awk '$1 == "mqtt.url" { gsub("\"", "", $2); print $2 }' || true
}

# name_mosquitto FILE: puts it in the place of `embedded`, and of the shipped comment; nothing else changes.
name_mosquitto() {
    local url=mqtt://127.0.0.1:1883
    sed -i -E \
        -e "s|^([^#]*\burl: *)embedded([ ,}]\|$)|\1$url\2|" \
        -e "s|^( *url: $url) +# (embedded: )?a broker of our own on [^;]*; embedded:[^,]*,|\1  # mosquitto on this machine; embedded: our own,|" "$1"
}

# edgecam's own broker would want the same port.
use_mosquitto() {
    local file=$config_folder/config.yaml url before
    if ((dry_run)); then echo "would set: mqtt.url of $file to this mosquitto, if it is embedded"; return; fi
    before=$(sha256sum <"$file")
    url=$(broker_url)
    if [[ ! $url || $url == embedded || $url == mqtt://127.0.0.1:1883 ]]; then name_mosquitto "$file"; fi
    if [[ $(sha256sum <"$file") != "$before" ]]; then
        say "mqtt.url in $file: mosquitto on this machine"
        restart_needed=1
    fi
    url=$(broker_url)
    [[ $url != embedded* ]] ||
        die "$file has edgecam bring a broker of its own (mqtt.url: $url): write mqtt: {url: mqtt://127.0.0.1:1883}" \
            "and run this again, or leave out --with-mosquitto"
}

# Where a broker is configured already, it is the owner's, perhaps that of a fleet.
broker_is_configured() {
    [[ -e /etc/mosquitto/conf.d/edgecam.conf ]] ||
        grep --quiet --recursive --no-messages --extended-regexp '^[[:space:]]*(listener|port)[[:space:]]' \
            /etc/mosquitto/mosquitto.conf /etc/mosquitto/conf.d
}

# Leaves in broker_failed whether it does not run: edgecam waits for it then, and is started all the same.
start_mosquitto() {
    local file=/etc/mosquitto/conf.d/edgecam.conf
    if broker_is_configured; then
        if ! systemd_runs || systemctl is-active --quiet mosquitto.service; then return; fi
    else
        say "mosquitto: $file, for this machine alone"
        run install -D -m 644 "$here/mosquitto/local.conf" "$file"
        systemd_runs || return 0
    fi
    say "starting mosquitto"
    if service_has_port; then run systemctl stop edgecam.service; fi
    run systemctl enable --quiet mosquitto.service
    run systemctl reset-failed mosquitto.service 2>/dev/null || true # it may have tried in vain until now
    run systemctl restart mosquitto.service || broker_failed=1
}

tell_of_broker() {
    journalctl --unit mosquitto --lines 10 --no-pager >&2 || true
    die "edgecam is installed, and waits for its broker: mosquitto does not start, see the lines above;" \
        "mend that and run this again"
}
