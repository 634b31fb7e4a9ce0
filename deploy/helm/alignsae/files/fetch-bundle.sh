# Fetches the tar at $URL and unpacks it into $TO, if its SHA-256 is $SHA256.
archive=$TO/.archive
trap 'rm -f "$archive"' EXIT
curl --fail --silent --show-error --location --retry 5 --max-time 3600 --output "$archive" "$URL"
echo "$SHA256  $archive" | sha256sum -c -
tar -xf "$archive" -C "$TO"
