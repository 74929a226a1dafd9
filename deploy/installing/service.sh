# Configuration, units, start, removal. Sourced by install.sh.
# shellcheck shell=bash disable=SC2154  # variables of install.sh

systemd_runs() { [[ -d /run/systemd/system ]]; }

# Instances of the template that are running or trying to.
instances() { systemctl list-units --plain --no-legend --state=active,activating 'edgecam@*.service' | cut -d ' ' -f 1; }

restart_needed=0 # something changed that the service reads only at its start

# put FILE TARGET: copies it, and knows whether that changed anything.
put() {
    if cmp --quiet "$1" "$2"; then return; fi
    run install -D -m 644 "$1" "$2"
    restart_needed=1
}

# Once: from then on the file is the owner's.
make_configuration() {
    local file=$config_folder/config.yaml
    [[ ! -e $file ]] || return 0
    say "configuration $file"
    run install -d -o root -g "$user" -m 750 "$config_folder"
    if ((dry_run)); then echo "would run: edgecam init --config $file"; return; fi
    # What it says to do next is for those who start edgecam by hand.
    "${new_release:-$base/current}/bin/edgecam" init --config "$file" 2>&1 | sed 's/; next: edgecam check.*//' >&2
    chown root:"$user" "$file"
    chmod 640 "$file"
}

has_coral_usb() {
    "${new_release:-$base/current}/bin/python" -c '
from edgecam.appliance.accelerators import find_accelerators
raise SystemExit(not any("Coral" in name and "USB" in name for name in find_accelerators()))' 2>/dev/null
}

# A GPU alone is no reason: every desktop has one.
has_npu() {
    local device
    for device in /dev/accel/accel* /dev/hailo0 /dev/galcore /dev/ethosu0; do
        if [[ -c $device ]]; then return 0; fi
    done
    return 1
}

# The drop-ins that open to the service what it needs here, by name.
wanted_drop_ins() {
    local file
    if [[ $camera == picamera2 ]] || { [[ $camera == auto ]] && has_picamera2; }; then echo picamera2; fi
    if ((coral)) || has_coral_usb; then echo coral-usb; fi
    if [[ -c /dev/apex_0 ]]; then echo coral-pcie; fi
    if has_npu; then echo npu; fi
    if is_installed mosquitto; then echo mosquitto; fi
    if [[ -c /dev/vcio ]]; then echo vcgencmd; fi
    # Those in place stay: perhaps the owner asked for them.
    for file in "$units"/edgecam.service.d/*.conf; do basename "$file" .conf; done
}

install_units() {
    local unit name
    for unit in "$here"/*.service; do put "$unit" "$units/$(basename "$unit")"; done
    for name in $(wanted_drop_ins | sort --unique); do
        if [[ -f $here/drop-ins/$name.conf ]]; then install_drop_in "$here/drop-ins/$name.conf"; fi
    done
    if systemd_runs; then run systemctl daemon-reload; fi
    run systemctl --quiet enable edgecam.service
}

# For people: `edgecam doctor`. What somebody else put there stays.
command_link=/usr/local/bin/edgecam
link_command() {
    [[ -e $command_link || -L $command_link ]] || run ln -s "$base/current/bin/edgecam" "$command_link"
}

unlink_command() {
    if [[ $(readlink "$command_link") == "$base/current/bin/edgecam" ]]; then run rm -f "$command_link"; fi
}

install_drop_in() {
    local unit
    for unit in edgecam edgecam@; do
        put "$1" "$units/$unit.service.d/$(basename "$1")"
    done
}

# Fails when the service does not become ready.
start_service() {
    if ((!start)); then return; fi
    if ! systemd_runs; then say "systemd does not run here: the service starts on the next boot"; return; fi
    local services verb=start told="starting the service"
    mapfile -t services < <(instances)
    if [[ $new_release || $action == rollback ]] || ((restart_needed)); then verb=restart; fi
    if systemctl is-active --quiet edgecam.service; then
        told="restarting the service"
        if [[ $verb == start ]]; then told="the service runs"; fi
    fi
    say "$told"
    run systemctl "$verb" edgecam.service "${services[@]}"
}

# Ours; those of the owner are configuration.
remove_drop_ins() {
    local folder file
    for folder in "$units/edgecam.service.d" "$units/edgecam@.service.d"; do
        [[ -d $folder ]] || continue
        for file in "$folder"/*.conf; do
            if ((purge)) || cmp --quiet "$file" "$here/drop-ins/$(basename "$file")"; then run rm -f "$file"; fi
        done
        run rmdir --ignore-fail-on-non-empty "$folder"
    done
}

uninstall() {
    local services
    if systemd_runs; then
        mapfile -t services < <(instances)
        run systemctl --quiet disable --now edgecam.service "${services[@]}" 2>/dev/null || true
    else
        run systemctl --quiet disable edgecam.service 2>/dev/null || true
    fi
    unlink_command
    run rm -rf "$units/edgecam.service" "$units/edgecam@.service" "$base"
    remove_drop_ins
    if systemd_runs; then run systemctl daemon-reload; fi
    if ((!purge)); then
        say "removed; $config_folder and $data_folder stay, --uninstall --purge removes them too"
        return
    fi
    run rm -rf "$config_folder" "$data_folder" "$data_folder"@* "$data_folder"-*
    ! getent passwd "$user" >/dev/null || run userdel "$user"
    say "removed, with configuration and data; packages that apt installed stay"
}
