#!/bin/sh
# The one list of system packages: `longhaul`, the Vagrantfile and CI all install from here.
# It installs and nothing else: none of these packages brings a service, and no setting of the machine is changed.
#   ./provision.sh           install what is missing (needs root)
#   ./provision.sh --check   say what is missing, one name a line; status 1 when anything is
#   ./provision.sh --vm ...  the same for what only `longhaul vm` needs, on the machine that makes and boots the VM
set -eu

PACKAGES="mininet iproute2 iputils-ping ethtool tcpdump iperf3 python3 python3-venv gcc libc6-dev ca-certificates"

if [ "${1:-}" = --vm ]; then
    shift
    case "$(dpkg --print-architecture 2>/dev/null || true)" in arm64) qemu=qemu-system-arm ;; *) qemu=qemu-system-x86 ;; esac
    PACKAGES="$qemu mmdebstrap e2fsprogs debian-archive-keyring"
    again=" --vm"
fi

missing=""
for package in $PACKAGES; do
    case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)" in
        "install ok installed") ;;
        *) missing="$missing $package" ;;
    esac
done

if [ "${1:-}" = --check ]; then
    [ -z "$missing" ] && exit 0
    echo "$missing"
    exit 1
fi
[ -z "$missing" ] && exit 0

fail() {
    tail -n 5 "$log" >&2
    rm -f "$log"
    echo "longhaul: could not install system packages ($missing ): $1; $2" >&2
    exit 1
}
log=$(mktemp)
[ "$(id -u)" = 0 ] || fail "only root may install packages" "run: sudo ./provision.sh${again:-}"
command -v apt-get >/dev/null || fail "this system has no apt-get" "install these packages by hand, then run longhaul again"
echo "longhaul: installing system packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update >"$log" 2>&1 || fail "apt-get update failed" "check the network and the apt sources, then run it again"
# shellcheck disable=SC2086  # the list is meant to be split
apt-get install -y --no-install-recommends $missing >"$log" 2>&1 || fail "apt-get install failed" "read the lines above, mend apt, then run it again"
rm -f "$log"
