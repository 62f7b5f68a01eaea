#!/bin/sh
# Collects ffmpeg and ffprobe below DIR with the libraries that they load, and nothing else.
#
#   deploy/images/ffmpeg.sh DIR
#
# Debian's package depends on drivers for graphics cards, sound servers and displays, with a compiler for shaders among
# them, which a server that encodes on its processors never opens. What the two programs need is what the loader says.
# The licence of each package comes along, and its description where scanners for vulnerabilities look for it in images
# without dpkg (/var/lib/dpkg/status.d, as in distroless images).
set -eu

dir=$1
programs="/usr/bin/ffmpeg /usr/bin/ffprobe"
# One folder in which the loader looks by itself: no cache and no search path are needed.
libraries=$dir/usr/lib/$(dpkg-query --show --showformat='${Architecture}' libc6 | sed 's/amd64/x86_64/; s/arm64/aarch64/')-linux-gnu
status=$dir/var/lib/dpkg/status.d
mkdir -p "$dir/usr/bin" "$libraries" "$status"

# The base image has these in its own version, and two versions of a C library do not mix.
base="libc6 libgcc-s1 libstdc++6 libgomp1 gcc-12-base"

package_of() {
  # Packages are listed by the name from before /lib became a link to /usr/lib, or by a link that alternatives made.
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
  # Under the name that the loader asks for; the link it may be on this system is not.
  if note "$package"; then
    cp -L "$path" "$libraries/$name"
  fi
done
