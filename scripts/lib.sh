# What the other scripts share. Sourced, never run.
# It leaves the shell at the top of the checkout, stopping at the first failure.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# sudo and cron start with a short PATH; rustup puts its tools here, Debian those of the network there.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/sbin

node_minimum=20.19
fuzz_version=0.13.2
deny_version=0.20.2
driver_version=2.1.0

say() {
  if [ -t 1 ]; then printf '\033[1m%s\033[0m\n' "$*"; else printf '%s\n' "$*"; fi
}

fail() {
  printf 'goop2: %s\n' "$*" >&2
  exit 1
}

# `sudo make …` would fill the checkout with root's files, and root has neither the user's toolchain
# nor their display. Go on as the user; only packages are installed as root.
leave_sudo() {
  [ "$(id -u)" = 0 ] && [ "${SUDO_USER:-root}" != root ] || return 0
  exec sudo -H --preserve-env=CI,DISPLAY,WAYLAND_DISPLAY,XAUTHORITY,XDG_RUNTIME_DIR -u "$SUDO_USER" "$@"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "packages are missing and there is no sudo: run as root: $*"
  fi
}

# Reads lines `package: why`, installs the packages that are missing and says so.
need_packages() {
  local package why missing=()
  if ! command -v dpkg-query >/dev/null; then
    say "This is neither Debian nor Ubuntu, so nothing is installed. Needed here (Debian's names):"
    sed 's/^/  /'
    return
  fi
  while IFS=: read -r package why; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed && continue
    [ ${#missing[@]} -gt 0 ] || say "Installing system packages:"
    printf '  %-32s%s\n' "$package" "$why"
    missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  as_root apt-get update -qq </dev/null
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
  # Debian starts a server as it installs it; these are here for the tests only.
  [ -d /run/systemd/system ] || return 0
  for package in "${missing[@]}"; do
    case $package in caddy | nginx | nats-server) as_root systemctl disable --quiet --now "$package" ;; esac
  done
}

packages_build() {
  cat <<'END'
build-essential: compiles SQLite and the cryptography
pkg-config: finds system libraries
END
}

packages_desktop() {
  cat <<'END'
libwebkit2gtk-4.1-dev: the webview of the window
librsvg2-dev: icons
libayatana-appindicator3-dev: the tray icon
libxdo-dev: the window's keyboard input
END
}

# Not installed but unpacked, by scripts/windows.
packages_windows() {
  cat <<'END'
rustc-web: a Rust that builds its own standard library
cargo-web: its Cargo
rust-web-src: that library's source
libstd-rust-web-dev: the library for this system, for build scripts
libstd-rust-web-1.96: what that compiler itself is linked to
libllvm22: its code generator
libgit2-1.5: what that Cargo is linked to
libmbedtls14: what libgit2 is linked to
libmbedx509-1: the same
libmbedcrypto7: the same
libhttp-parser2.9: the same
binutils-mingw-w64-x86-64: links programs for Windows
mingw-w64-common: headers of Windows
mingw-w64-x86-64-dev: its libraries
gcc-mingw-w64-base: the C compiler for it, as are those below
gcc-mingw-w64-x86-64-posix-runtime: its runtime library
gcc-mingw-w64-x86-64-posix: compiles SQLite and the cryptography
g++-mingw-w64-x86-64-posix: links with the runtime of C++
END
}

packages_wine() {
  cat <<'END'
wine: runs the program for Windows
wine64: the same
iproute2: networks for the test, in separate namespaces
END
}

packages_test() {
  cat <<'END'
chromium: the browser that the UI and hostile pages are tested in
chromium-driver: drives it
hugo: builds a site that the browser tests visit
mkdocs: builds another one
ffmpeg: makes films and songs that are visited
gstreamer1.0-libav: plays the films in the desktop window
webkit2gtk-driver: drives the desktop window
dbus-daemon: a session bus for it
libglib2.0-bin: asks that bus
python3-dbus: a tray on it
python3-gi: the tray's main loop
gir1.2-gtk-3.0: a window of another program
mutter: GNOME's window manager, which gives the focus
libproxy1-plugin-kconfig: takes the proxy from KDE's settings
libkf5config-bin: reads those settings
xvfb: a display for it where there is none
xdotool: a keyboard at that display
iproute2: networks for the tests, in separate namespaces
nftables: their routers
miniupnpd-nftables: a router that maps ports
caddy: a proxy that a rendezvous is tested behind
nginx: another one
nats-server: joins several rendezvous servers to one
openssl: its certificate
systemd: judges its unit
python3-aiosmtpd: a mail server that takes the verification mails
fonts-dejavu-core: text in screenshots
fonts-noto-color-emoji: emoji in screenshots
END
}

# at_least 1.91 1.95.0: is the second version the first or newer?
at_least() {
  [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

need_rust() {
  local minimum have
  minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  command -v cargo >/dev/null && command -v rustc >/dev/null ||
    fail "Rust is missing. Install $minimum or newer as https://rustup.rs says, then run this again."
  have=$(rustc --version | cut -d' ' -f2)
  at_least "$minimum" "$have" ||
    fail "Rust $minimum or newer is needed, this is $have. Remedy: \`rustup update stable\`, or install it as https://rustup.rs says."
}

need_rust_checks() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 ||
    fail "rustfmt or clippy is missing. Remedy: \`rustup component add rustfmt clippy\`."
}

need_node() {
  command -v node >/dev/null && command -v npm >/dev/null ||
    fail "Node.js is missing. Install $node_minimum or newer as https://nodejs.org says, then run this again."
  at_least "$node_minimum" "$(node --version | tr -d v)" ||
    fail "Node.js $node_minimum or newer is needed, this is $(node --version). Remedy: install it as https://nodejs.org says."
}

# The tests make their own networks; Ubuntu 24.04 forbids that to all but root.
need_namespaces() {
  unshare --user --map-root-user --net true 2>/dev/null ||
    fail "network namespaces are forbidden here. Remedy: \`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0\` (until the next start), or run as root."
}

# need_cargo_tool cargo-deny 0.0.0 "why"
need_cargo_tool() {
  command -v "$1" >/dev/null && return
  say "Installing $1 $2 ($3), once; this takes minutes"
  # A checking tool runs for seconds: compile it fast instead of making it fast.
  CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    env -u CARGO_TARGET_DIR cargo install --quiet --locked --version "$2" "$1"
}

# npm_packages DIR: exactly those of the lock file, installed again only when it changes.
npm_packages() {
  local lock
  lock=$(sha256sum <"$1/package-lock.json")
  [ "$(cat "$1/node_modules/.lock" 2>/dev/null)" = "$lock" ] && return
  say "Installing the packages of $1/package-lock.json"
  npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
  printf '%s\n' "$lock" >"$1/node_modules/.lock"
}

# The app embeds the UI, so a build that changed nothing must leave its files untouched.
build_ui() {
  npm_packages ui
  [ -f ui/dist/index.html ] &&
    [ -z "$(find ui -name node_modules -prune -o -path ui/dist -prune -o -type f -newer ui/dist/index.html -print -quit)" ] &&
    return
  npm run --silent --prefix ui build
}
