#!/bin/sh
# The one list of system packages: `longhaul`, the Vagrantfile and CI all install from here.
# It installs and nothing else: none of these packages brings a service, and no setting of the machine is changed.
#   ./provision.sh           install what is missing (needs root)
#   ./provision.sh --check   say what is missing, one name a line; status 1 when anything is
#   ./provision.sh --vm ...  the same for what only `longhaul vm` needs, on the machine that makes and boots the VM
#   ./provision.sh --peers ...  the same for what only some experiments, benchmarks and tests need: wrk, tshark, and nginx, bird2,
#                            memcached, caddy and postgresql where they are not here yet. Their packages would bring services,
#                            so their programs alone are unpacked, into .venv/nginx, .venv/bird2 and so on
set -eu

PACKAGES="mininet iproute2 iputils-ping ethtool tcpdump iperf3 python3 python3-venv gcc libc6-dev ca-certificates"

if [ "${1:-}" = --vm ]; then
    shift
    case "$(dpkg --print-architecture 2>/dev/null || true)" in arm64) qemu=qemu-system-arm ;; *) qemu=qemu-system-x86 ;; esac
    PACKAGES="$qemu mmdebstrap e2fsprogs debian-archive-keyring"
    again=" --vm"
fi

if [ "${1:-}" = --peers ]; then
    shift
    event=libevent-2.1-7  # Ubuntu 24.04 has it by another name, for its time of 64 bits
    apt-cache show "${event}t64" >/dev/null 2>&1 && event="${event}t64"
    PACKAGES="wrk tshark libssh-gcrypt-4 $event libsasl2-2"
    again=" --peers"
    here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
    for package in nginx bird2 memcached caddy postgresql; do
        case $package in bird2) program=bird ;; postgresql) program=initdb ;; *) program=$package ;; esac
        PATH="$PATH:/usr/sbin:/usr/local/sbin:$(echo /usr/lib/postgresql/*/bin)" command -v $program >/dev/null ||
            [ -d "$here/.venv/$package" ] || unpack="${unpack:-} $package"
    done
fi

missing=""
for package in $PACKAGES; do
    case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)" in
        "install ok installed") ;;
        *) missing="$missing $package" ;;
    esac
done

if [ "${1:-}" = --check ]; then
    [ -z "$missing${unpack:-}" ] && exit 0
    echo "$missing${unpack:-}"
    exit 1
fi
[ -z "$missing${unpack:-}" ] && exit 0

fail() {
    tail -n 5 "$log" >&2
    rm -f "$log"
    echo "longhaul: could not install system packages ($missing${unpack:-} ): $1; $2" >&2
    exit 1
}
log=$(mktemp)
[ "$(id -u)" = 0 ] || fail "only root may install packages" "run: sudo ./provision.sh${again:-}"
command -v apt-get >/dev/null || fail "this system has no apt-get" "install these packages by hand, then run longhaul again"
echo "longhaul: installing system packages:$missing${unpack:-}" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update >"$log" 2>&1 || fail "apt-get update failed" "check the network and the apt sources, then run it again"
# shellcheck disable=SC2086  # the list is meant to be split
[ -z "$missing" ] || apt-get install -y --no-install-recommends $missing >"$log" 2>&1 ||
    fail "apt-get install failed" "read the lines above, mend apt, then run it again"
for package in ${unpack:-}; do
    where="$here/.venv/$package" from=$package
    case $package in
        bird2) try="bird --version" ;;
        memcached) try="memcached -V" ;;
        caddy) try="caddy version" ;;
        postgresql)  # the package of the version that this system has, and its libraries but the compiler of large queries
            from=$(apt-cache depends postgresql | sed -n 's/^ *Depends: \(postgresql-[0-9]*\)$/\1/p')
            libraries=$(apt-cache depends "$from" | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p' | grep -v llvm)
            # shellcheck disable=SC2086  # the list is meant to be split
            apt-get install -y --no-install-recommends tzdata $libraries >"$log" 2>&1 ||
                fail "apt-get install failed" "read the lines above, mend apt, then run it again"
            try="postgres --version"
            ;;
        *) try="$package -v" ;;
    esac
    mkdir -p "$where.new"
    (cd "$where.new" && apt-get download "$from" && dpkg-deb -x ./*.deb . &&
        PATH="./usr/sbin:./usr/bin:$(echo ./usr/lib/postgresql/*/bin):$PATH" $try) \
        >"$log" 2>&1 || { rm -rf "$where.new"; fail "unpacking $package failed" "read the lines above, or install it by hand"; }
    rm -f "$where.new"/*.deb
    mv "$where.new" "$where"
done
rm -f "$log"
