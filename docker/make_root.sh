#!/usr/bin/env bash
# Makes the file tree of the image: the programs, every shared library that they need, a bundle,
# and what says where all of it comes from. Nothing else is in the image; there is no shell.
#
#   docker/make_root.sh BIN_DIRECTORY BUNDLE DESTINATION
#
# The libraries are what the dynamic linker says (ldd), all the way down. Nothing is added for
# dlopen: the programs open nothing that way on a CPU, which tests/deploy/image_test.py sees in
# /proc/PID/maps. Of Debian's packages only these files are taken, with each package's copyright.
#
# In DESTINATION/usr/share/alignsae:
#   files.txt       every file: bytes, path, package=version
#   sbom.spdx.json  SPDX 2.3: the packages that files are from, by purl
# SOURCE_DATE_EPOCH, where it is set, is the time that the SBOM tells.
set -euo pipefail
[ $# = 3 ] || { echo "usage: $0 BIN_DIRECTORY BUNDLE DESTINATION" >&2; exit 64; }
bin=$(realpath "$1") bundle=$(realpath "$2")
mkdir -p "$3"
root=$(realpath "$3")
[ -z "$(ls -A "$root")" ] || { echo "$0: $root: must be empty" >&2; exit 73; }
programs=(alignsae-server alignsae)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's merged layout, as the paths in the programs expect it.
# An engine mounts dev, proc and sys.
mkdir -p "$root"/{dev,proc,sys,etc,models,tmp,usr/{bin,lib,lib64,local/bin,share/{alignsae,doc}}}
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
chmod 1777 "$root/tmp"

for program in "${programs[@]}"; do
  install -m 755 "$bin/$program" "$root/usr/local/bin/"
  strip "$root/usr/local/bin/$program"
done

# "NAME => PATH (...)" and "/lib64/ld-linux... (...)"; the vDSO has neither. Each library lies
# where it was found, so that the linker needs no cache: a link of the alternatives becomes the
# file that it leads to.
ldd "${programs[@]/#/$bin/}" > "$work/ldd"
if grep "not found" "$work/ldd" >&2; then exit 69; fi
awk '$2 == "=>" && $3 ~ /^\// {print $3} $1 ~ /^\// && $2 ~ /^\(/ {print $1}' "$work/ldd" |
  sed 's,^/lib,/usr/lib,' | sort -u > "$work/libraries"
while read -r library; do
  install -D -m 755 "$(realpath "$library")" "$root$library"
done < "$work/libraries"

cp -rL "$bundle" "$root/models/bundle"
chmod -R u=rwX,go=rX "$root/models"
echo "nonroot:x:65532:65532:nonroot:/:/none" > "$root/etc/passwd"
echo "nonroot:x:65532:" > "$root/etc/group"
echo "hosts: files dns" > "$root/etc/nsswitch.conf"

# Which package each library is of. dpkg knows a file by the path that it was unpacked to, with
# or without /usr.
while read -r library; do
  file=$(realpath "$library")
  printf '%s\t%s\n%s\t%s\n' "$file" "$library" "${file#/usr}" "$library"
done < "$work/libraries" > "$work/paths"
cut -f1 "$work/paths" | xargs dpkg-query -S 2> "$work/unknown" > "$work/owners" || true
awk -F'\t' 'NR == FNR {library[$1] = $2; next}
            {split($0, part, ": "); package = part[1]; sub(/:.*/, "", package)
             sub(/, .*/, "", package)
             if (part[2] in library) print library[part[2]] "\t" package}' \
  "$work/paths" "$work/owners" | sort -u > "$work/packages_of"
cut -f1 "$work/packages_of" | sort -u | comm -23 "$work/libraries" - > "$work/of_none"
if [ -s "$work/of_none" ]; then
  sed "s,^,$0: of no Debian package: ," "$work/of_none" >&2
fi
cut -f2 "$work/packages_of" | sort -u > "$work/packages"
xargs dpkg-query -W -f='${Package}\t${Version}\t${Architecture}\t${source:Package}\t${Maintainer}\n' \
  < "$work/packages" > "$work/versions"
while read -r package; do
  install -D -m 644 "/usr/share/doc/$package/copyright" \
    "$root/usr/share/doc/$package/copyright"
done < "$work/packages"
cp -rL /usr/share/common-licenses "$root/usr/share/"

version=$("$bin/alignsae-server" --version | awk '{print $NF}')
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
jq -Rn --arg version "$version" --arg created "$created" \
  --arg id "$(sha256sum "$root/usr/local/bin/alignsae-server" | cut -c1-32)" '
  [inputs | split("\t")] as $packages |
  def spdx: "SPDXRef-" + gsub("[^A-Za-z0-9.-]"; "-");
  {spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT",
   name: "alignsae-server-\($version)",
   documentNamespace: "https://spdx.org/spdxdocs/alignsae-server-\($version)-\($id)",
   creationInfo: {created: $created, creators: ["Tool: docker/make_root.sh"]},
   packages: ([{SPDXID: "SPDXRef-alignsae-server", name: "alignsae-server", versionInfo: $version,
                downloadLocation: "NOASSERTION", filesAnalyzed: false,
                licenseConcluded: "MIT", licenseDeclared: "MIT", copyrightText: "NOASSERTION",
                primaryPackagePurpose: "APPLICATION"}] +
              [$packages[] | {SPDXID: (.[0] | spdx), name: .[0], versionInfo: .[1],
                supplier: "Person: \(.[4])", downloadLocation: "NOASSERTION",
                filesAnalyzed: false, licenseConcluded: "NOASSERTION",
                licenseDeclared: "NOASSERTION", copyrightText: "NOASSERTION",
                sourceInfo: "built from source package \(.[3])",
                externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl",
                  referenceLocator:
                    "pkg:deb/debian/\(.[0] | @uri)@\(.[1] | @uri)?arch=\(.[2])&distro=bookworm"}]}]),
   relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES",
                     relatedSpdxElement: "SPDXRef-alignsae-server"}] +
                   [$packages[] | {spdxElementId: "SPDXRef-alignsae-server",
                     relationshipType: "DEPENDS_ON", relatedSpdxElement: (.[0] | spdx)}])}' \
  < "$work/versions" > "$root/usr/share/alignsae/sbom.spdx.json"

(cd "$root" && find . -type f -printf '%s\t/%P\n' | sort -k2) > "$work/files"
awk -F'\t' 'FILENAME == ARGV[1] {version[$1] = $2; next}
            FILENAME == ARGV[2] {package[$1] = $2 "=" version[$2]; next}
            {split($2, part, "/"); owner = package[$2]
             if (owner == "" && part[4] == "doc") owner = part[5] "=" version[part[5]]
             print $1 "\t" $2 "\t" (owner == "" ? "-" : owner)}' \
  "$work/versions" "$work/packages_of" "$work/files" > "$root/usr/share/alignsae/files.txt"
echo "$root: $(wc -l < "$work/libraries") libraries of $(wc -l < "$work/packages") packages," \
  "$(du -sm --apparent-size "$root" | cut -f1) MiB"
