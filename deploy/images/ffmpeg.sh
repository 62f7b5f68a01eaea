#!/bin/sh
# Copies ffmpeg and ffprobe into DIR, with only the libraries that they load.
#
#   deploy/images/ffmpeg.sh DIR
#
# The Debian package depends on drivers for graphics cards, sound servers and displays, and on a shader compiler. A server
# that encodes on its processors uses none of these, so only the libraries that the loader reports are copied.
# The licence of each package is copied too. So is its description, to the place where vulnerability scanners read it in
# images without dpkg (/var/lib/dpkg/status.d, as in distroless images).
set -eu

dir=$1
programs="/usr/bin/ffmpeg /usr/bin/ffprobe"
# The loader searches this folder by default: it needs no cache and no search path.
libraries=$dir/usr/lib/$(dpkg-query --show --showformat='${Architecture}' libc6 | sed 's/amd64/x86_64/; s/arm64/aarch64/')-linux-gnu
status=$dir/var/lib/dpkg/status.d
mkdir -p "$dir/usr/bin" "$libraries" "$status"

# The base image has its own versions of these, and two versions of a C library are incompatible.
base="libc6 libgcc-s1 libstdc++6 libgomp1 gcc-12-base"

package_of() {
  # dpkg lists a file by its path before /lib became a link to /usr/lib, or by a link of the alternatives system.
  path=$(readlink -f "$1")
  { dpkg-query --search "$path" || dpkg-query --search "${path#/usr}"; } 2>/dev/null | head -n 1 | cut -d: -f1
}

note() {
  case " $base " in *" $1 "*) return 1 ;; esac
  [ ! -e "$status/$1" ] || return 0
  mkdir -p "$dir/usr/share/doc/$1"
  cp -L "/usr/share/doc/$1/copyright" "$dir/usr/share/doc/$1/"
  dpkg-query --status "$1" > "$status/$1"
}

for program in $programs; do
  note "$(package_of "$program")"
  cp "$program" "$dir/usr/bin/"
done
# shellcheck disable=SC2086 # two words are meant
ldd $programs | awk '$2 == "=>" { print $1, $3 }' | sort -u | while read -r name path; do
  [ "$path" != not ] || { echo "ffmpeg.sh: $name is not there" >&2; exit 1; }
  package=$(package_of "$path")
  [ -n "$package" ] || { echo "ffmpeg.sh: no package has $path" >&2; exit 1; }
  # The copy has the name that the loader requests. On this system, that name may be a link.
  if note "$package"; then
    cp -L "$path" "$libraries/$name"
  fi
done
