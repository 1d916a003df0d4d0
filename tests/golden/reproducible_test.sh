#!/usr/bin/env bash
# A bundle depends on the text of the policy and the compiler alone: not on the folder, the order of files, the time zone, the
# locale, the user or the environment. And the compiler needs no other program.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
# A copy, because another user may not see the folder of the build.
cp "$HEDDLE_BIN_DIR/heddle" "$work/heddle"
heddle=$work/heddle
example=$HEDDLE_SOURCE_DIR/examples/bookinfo
mkdir -p "$work/one" "$work/another/and/deeper"
cp -r "$example/policy" "$example/env" "$work/one"
# The same files, made in the opposite order, so that a folder lists them differently.
mkdir -p "$work/another/and/deeper/policy" "$work/another/and/deeper/env"
for file in $(cd "$example" && find policy env -name '*.mesh' | sort -r); do
  cp "$example/$file" "$work/another/and/deeper/$file"
done
chmod -R a+rX "$work"

build() {
  local folder=$1 out=$2
  shift 2
  (cd "$folder" && env -i PATH= "$@" "$heddle" build --verify off -o "$out" "${policies[@]}")
}
policies=(policy env)
build "$work/one" "$work/first.bundle"
sleep_until_another_second() { local now; now=$(date +%s) && until [ "$(date +%s)" != "$now" ]; do :; done; }
sleep_until_another_second
policies=(env policy)
build "$work/another/and/deeper" "$work/second.bundle" TZ=Asia/Tokyo LC_ALL=de_DE.UTF-8 HOME=/nowhere
cmp "$work/first.bundle" "$work/second.bundle"

# Filters in C belong to it: their text counts, not where it lies.
cp -r "$HEDDLE_SOURCE_DIR/examples/extern-filter/policy" "$work/one/filters"
cp -r "$HEDDLE_SOURCE_DIR/examples/extern-filter/policy" "$work/another/and/deeper/filters"
chmod -R a+rX "$work"
policies=(filters)
build "$work/one" "$work/filter.bundle"
build "$work/another/and/deeper" "$work/other.bundle" TZ=Asia/Tokyo
cmp "$work/filter.bundle" "$work/other.bundle"
if grep -qaF -e "$work" -e "$HEDDLE_SOURCE_DIR/" "$work/filter.bundle"; then echo "a path of the build is in the bundle" && exit 1; fi
sed -i 's/if (!country) return 0;/if (!country) return 1;/' "$work/one/filters/embargo.bpf.c"
build "$work/one" "$work/other.bundle"
if cmp -s "$work/filter.bundle" "$work/other.bundle"; then echo "the text of a filter does not count" && exit 1; fi
policies=(policy env)

# Another user, where we may change it.
if [ "$(id -u)" = 0 ]; then
  mkdir "$work/theirs" && chown 65534 "$work/theirs"
  (cd "$work/one" && setpriv --reuid 65534 --regid 65534 --clear-groups env -i "$heddle" build --verify off \
    -o "$work/theirs/third.bundle" policy env)
  cmp "$work/first.bundle" "$work/theirs/third.bundle"
fi

# The comparison can fail: another policy is another bundle.
sed -i 's/GET, HEAD/GET/' "$work/one/policy/productpage.mesh"
policies=(policy env)
build "$work/one" "$work/other.bundle"
if cmp -s "$work/first.bundle" "$work/other.bundle"; then echo "a changed policy gives the same bundle" && exit 1; fi

# Nothing of the folders is in it.
if grep -qaF -e "$work" -e "$HEDDLE_SOURCE_DIR/" "$work/first.bundle"; then echo "a path of the build is in the bundle" && exit 1; fi
echo "identical: $(wc -c <"$work/first.bundle") bytes"
