# Shared by the project's scripts; to be sourced from bash, with `root` set to the checkout.
# shellcheck shell=bash

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_QUIET=2

say() { echo "$(basename "$0"): $*" >&2; }
die() { say "$*"; exit 1; }

# Does this interpreter really run, and is it new enough? (A pyenv shim may exist without its interpreter.)
python_runs() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# The interpreter behind a shim or a link, so that one Python has one name.
real_python() { "$1" -c 'import os, sys; print(os.path.realpath(sys.executable))'; }

# python_of VERSION: prints the path of a Python of that minor version (3.13), from PATH or pyenv; fails without one.
python_of() {
  local candidates=() candidate
  mapfile -t candidates < <(type -aP "python$1" || true)
  if command -v pyenv >/dev/null; then
    for candidate in "$(pyenv root)"/versions/"$1"*/bin/"python$1"; do candidates+=("$candidate"); done
  fi
  for candidate in "${candidates[@]}"; do
    if python_runs "$candidate"; then real_python "$candidate"; return; fi
  done
  return 1
}

# any_python: prints the path of a Python that can run edgecam: python3 if it is new enough, else the newest.
any_python() {
  local version
  if command -v python3 >/dev/null && python_runs python3; then real_python python3; return; fi
  for version in 3.14 3.13 3.12 3.11; do
    if python_of "$version"; then return; fi
  done
  die "no Python 3.11 or newer found; on Debian 12, Raspberry Pi OS or newer:" \
    "sudo apt install python3 python3-venv, then run this again"
}

minor_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# hash_of FILE-OR-FOLDER...: one hash of their content, names and order; run it with the checkout as the folder.
hash_of() {
  find "$@" -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16
}

# make_venv PYTHON ARGUMENT OF VENV...
make_venv() {
  "$1" -m venv "${@:2}" ||
    die "$1 cannot make a virtual environment; on Debian: sudo apt install python3-venv, then run this again"
}

# fresh_venv FOLDER PYTHON KEY: fails (1) if the environment was made with this key before; else makes an empty one,
# for the caller to fill and then to seal. An interrupted installation is thus begun anew.
fresh_venv() {
  if [[ $(cat "$1/.sealed" 2>/dev/null) == "$3" ]] && "$1/bin/python" -c '' 2>/dev/null; then return 1; fi
  rm -rf "$1"
  make_venv "$2" "$1"
  # --group needs pip 25.1.
  "$1/bin/pip" install --upgrade 'pip>=25.1'
}
seal_venv() { echo "$2" >"$1/.sealed"; }

# bench_venv: .venvs/bench, with this checkout in it.
bench_venv() {
  local python venv=.venvs/bench key constraints=scripts/constraints/trixie.txt
  python=$(any_python)
  key="$python $(hash_of pyproject.toml scripts/constraints)"
  if ! fresh_venv "$venv" "$python" "$key"; then return; fi
  say "installing edgecam into $venv ..."
  if [[ $(minor_of "$python") == 3.11 ]]; then constraints=scripts/constraints/bookworm.txt; fi
  "$venv/bin/pip" install --constraint "$constraints" --editable .
  seal_venv "$venv" "$key"
}

# What is dear to make is kept here, for all checkouts.
# shellcheck disable=SC2034  # for the scripts that source this
cache=${EDGECAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/edgecam}

# For checks that this machine does not allow.
skip() { echo "SKIPPED: $*"; exit 77; }

# Debian roots: other systems beside this one, for checks that need one. Made with root's rights, from apt's own mirror.
export PATH=$PATH:/usr/sbin:/sbin # chroot and debootstrap

# require_debian_roots: skips the check where they cannot be made.
require_debian_roots() {
  [[ $(uname -s) == Linux ]] || skip "needs Linux"
  ((EUID == 0)) || skip "needs root, to make a Debian root and enter it"
  command -v apt-get >/dev/null || skip "needs apt, to make a Debian root"
  unshare --mount true 2>/dev/null || skip "the kernel refuses a mount namespace"
}

# with_own_mounts ARGUMENT...: starts the script again with these arguments, in a mount namespace of its own: whatever it
# mounts ends with it, however it ends, and the machine never sees it. Returns at once in the second life.
with_own_mounts() {
  if [[ ${EDGECAM_OWN_MOUNTS:-} ]]; then return; fi
  EDGECAM_OWN_MOUNTS=1 exec unshare --mount --propagation private -- "$(readlink -f "$0")" "$@"
}

# debian_install PACKAGE...: installs on this machine what a check needs.
debian_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" ||
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; }
}

# debian_mirror: prints the Debian mirror that this machine's apt already uses.
debian_mirror() {
  # shellcheck disable=SC2016  # apt's own names
  apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "Debian" && !found { print $3; found = 1 }'
}

# make_debian SUITE FOLDER [OPTION OF DEBOOTSTRAP...]: a small Debian with its backports at hand, in place of whatever is in
# FOLDER. With --foreign, its second stage too. Fails if that cannot be; an interrupted one leaves FOLDER absent.
make_debian() {
  local suite=$1 folder=$2 mirror
  shift 2
  command -v debootstrap >/dev/null || debian_install debootstrap || return
  mirror=$(debian_mirror)
  if [[ ! $mirror ]]; then apt-get -qq update || true; mirror=$(debian_mirror); fi
  if [[ ! $mirror ]]; then say "no Debian mirror in apt's sources"; return 1; fi
  rm -rf --one-file-system "$folder.new" "$folder"
  debootstrap --variant=minbase --include=ca-certificates "$@" "$suite" "$folder.new" "$mirror" || return
  if [[ -d $folder.new/debootstrap ]]; then
    chroot "$folder.new" /debootstrap/debootstrap --second-stage || return
  fi
  printf 'deb %s %s main\n' "$mirror" "$suite" "$mirror" "$suite-backports" >"$folder.new/etc/apt/sources.list"
  mv "$folder.new" "$folder"
}

# enter_debian FOLDER [MOUNT...]: gives it this machine's processes, hardware and devices (proc sys dev; or only these), its
# network and certificates. After with_own_mounts.
enter_debian() {
  local folder mounts=("${@:2}")
  if ((!${#mounts[@]})); then mounts=(proc sys dev); fi
  for folder in "${mounts[@]}"; do mount --rbind "/$folder" "$1/$folder" || return; done
  cp --remove-destination --dereference /etc/resolv.conf "$1/etc/resolv.conf"
  [[ ! -e /etc/ssl/certs/ca-certificates.crt ]] || cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
}

# in_debian FOLDER COMMAND...: runs it there, with none of this machine's settings for Python.
in_debian() {
  chroot "$1" env -u PYTHONPATH -u PIP_FIND_LINKS -u PIP_CONFIG_FILE -u PIP_QUIET \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "${@:2}"
}
