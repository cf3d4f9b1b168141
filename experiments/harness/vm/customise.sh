#!/bin/sh
# What mmdebstrap runs once the base system stands in $1: the packages of provision.sh and the Python packages, both by
# `longhaul --install` itself, then the kernel, into $1 and for the builder into $LONGHAUL_OUT.  It builds no disk.
# Lines that begin with "longhaul:" are shown to the user; all else is in the builder's log.
set -eu
root=$1

inside() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
        PIP_NO_INDEX=1 PIP_FIND_LINKS=/longhaul/wheels chroot "$root" "$@"
}

mkdir -p "$root/longhaul/debs"
# Of the rest only what `longhaul --install` compiles; a guest whose sources differ does it again.
for name in longhaul provision.sh requirements.lock cores.py topologies/emulator/links/relay/core results/captures/core; do
    mkdir -p "$root/longhaul/$(dirname "$name")"
    cp -r "$LONGHAUL_CHECKOUT/$name" "$root/longhaul/$name"
done

inside sh /longhaul/provision.sh 2>&1
inside sh /longhaul/provision.sh --peers 2>&1

# By the machine's own pip, with its indexes; the image installs what came, and checks the hashes again.
echo "longhaul: Python packages"
version=$(inside python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$LONGHAUL_PYTHON" -m pip download --quiet --disable-pip-version-check --no-input --no-deps --require-hashes \
    --only-binary=:all: --python-version "$version" -d "$root/longhaul/wheels" -r "$LONGHAUL_CHECKOUT/requirements.lock"
inside /longhaul/longhaul --install 2>&1

# Unpacked, not installed: as a package it would bring tools that make an initramfs of their own.
echo "longhaul: kernel"
kernel=$(inside apt-cache depends "$LONGHAUL_KERNEL" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p')
inside sh -c 'cd /longhaul/debs && apt-get download -q "$@"' sh "$kernel" busybox-static
inside sh -c 'cd /longhaul/debs && for name in *.deb; do dpkg-deb -x "$name" "${name%%_*}"; done'
debs="$root/longhaul/debs"
inside dpkg-deb -f "/longhaul/debs/$(basename "$debs/$kernel"_*.deb)" Version >"$LONGHAUL_OUT/kernel"
mv "$debs/$kernel"/lib/modules "$root/usr/lib/modules"
for modules in "$root"/usr/lib/modules/*; do
    inside depmod "$(basename "$modules")"
done
cp "$debs/$kernel"/boot/vmlinuz-* "$LONGHAUL_OUT/vmlinuz"
cp "$debs"/busybox-static/bin/busybox "$LONGHAUL_OUT/busybox"

printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 longhaul\n' >"$root/etc/hosts"
rm -f "$root/etc/resolv.conf"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/*
# What is left of the checkout is its .venv: the rest comes with each run.
rm -rf "$root"/longhaul/*
