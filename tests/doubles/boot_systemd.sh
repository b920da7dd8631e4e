#!/bin/sh
# Runs a systemd as process 1 of namespaces of its own, on a copy-on-write view of this machine:
#   unshare --mount --pid ... boot_systemd.sh FOLDER SOURCE=TARGET...
# Another version of systemd is tried by SYSTEMD_ROOT=/path, a tree as mmdebstrap makes it.
# FOLDER/shared is /mnt inside; each SOURCE is TARGET there. Nothing outside is changed:
# the kernel's settings are read-only, /dev is its own, and no unit of the machine is started.
set -eu
folder=$1
shift
mkdir -p "$folder/layers" "$folder/shared"
mount -t tmpfs tmpfs "$folder/layers"
cd "$folder/layers"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=${SYSTEMD_ROOT:-/},upperdir=upper,workdir=work" root
root=$folder/layers/root

# Only what the tests add is started.
units=$root/etc/systemd/system
mkdir -p "$units"
rm -rf "$units"/*.wants "$units"/*.requires "$root"/usr/lib/systemd/system/*.target.wants \
    "$root"/usr/lib/systemd/system-generators/* "$root/etc/fstab"
for unit in systemd-sysctl systemd-binfmt systemd-modules-load systemd-tmpfiles-setup \
    systemd-tmpfiles-setup-dev systemd-journald systemd-udevd systemd-remount-fs \
    systemd-timesyncd systemd-sysusers; do
    ln -sf /dev/null "$units/$unit.service"
done
cat >"$units/finial-test.target" <<'UNIT'
[Unit]
Description=The bus and nothing else
Wants=dbus.socket
After=dbus.socket
AllowIsolate=yes
UNIT
# A user's own service manager, without a session.
cat >"$units/user@.service" <<'UNIT'
[Unit]
Description=Service manager of user %i
[Service]
Type=notify
User=%i
Slice=user-%i.slice
Delegate=yes
KillMode=mixed
Environment=XDG_RUNTIME_DIR=/run/user/%i
ExecStartPre=+/usr/bin/install -d -o %i -m 0700 /run/user/%i
ExecStart=/lib/systemd/systemd --user --unit=basic.target
UNIT
echo 'alice:x:4711:4711::/home/alice:/bin/sh' >>"$root/etc/passwd"
echo 'alice:x:4711:' >>"$root/etc/group"
mkdir -p "$root/home/alice"
chown 4711:4711 "$root/home/alice"
mkdir -p "$root/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultStandardOutput=null\nDefaultStandardError=null\n' \
    >"$root/etc/systemd/system.conf.d/finial-test.conf"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
touch "$root/dev/console"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/run/lock" "$root/run/dbus"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/mnt"
mount --bind "$folder/shared" "$root/mnt"
# Every user may run what the test runs; only this view of the folders above it changes.
for pair in "$@"; do
    path=${pair#*=}
    mkdir -p "$root$path"
    mount --bind "${pair%%=*}" "$root$path"
    while path=$(dirname "$path") && [ "$path" != / ]; do
        chmod o+x "$root$path"
    done
done
ip link set lo up
cd "$root"
mkdir -p .machine
pivot_root . .machine
umount -l /.machine
rmdir /.machine
lost=-sys_rawio,-syslog,-audit_control,-audit_read,-sys_module,-sys_time,-mknod,-sys_boot
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=finial-test \
    setpriv --bounding-set="$lost" /lib/systemd/systemd --system --unit=finial-test.target \
    --log-target=console --log-level=warning --show-status=no
