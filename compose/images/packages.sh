# shellcheck shell=bash disable=SC2154
# Sourced by build: from Debian or Ubuntu packages to the file tree of an image.
#
# Expects `fail`, and the folders $packages (where package files are kept) and $work (removed at the end).

# The named packages and those that may contain their libraries: what they depend on and is called lib* or zlib*. What
# depends on perl, debconf and the like is for installing packages, not for running their programs.
with_libraries() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
        "$@" libc6 | awk -v named="$* libc6" '
            /^[^ ]/ { package = $1 }
            /Depends: z?lib/ && !/-bin$/ { needs[package] = needs[package] " " $2 }
            END {
                count = split(named, list)
                for (i = 1; i <= count; i++) listed[list[i]]
                for (i = 1; i <= count; i++) {
                    print list[i]
                    needed = split(needs[list[i]], more)
                    for (j = 1; j <= needed; j++) if (!(more[j] in listed)) { listed[more[j]]; list[++count] = more[j] }
                }
            }'
}

# The files of these packages with their checksums, one a line. They change when the distribution has newer ones.
files_of() {
    # In an empty folder: apt does not list what lies there already.
    (cd "$(mktemp -d -p "$work")" && apt-get download --print-uris "$@") | awk '{ print $2, $4 }' ||
        fail "apt does not know where to get all of: $*; bring its lists up to date (apt-get update) and try again"
}

# Unpacks into folder $1 the packages whose files are listed in $2, and moves /bin, /lib and so on to below /usr, where
# some releases have them already.
unpack() {
    local into=$1 listing=$2 file folder
    shift 2
    # As root, apt would download as another user, who may not write here; it would say so and go on.
    (cd "$packages" && apt-get download -q -q -o APT::Sandbox::User=root "$@") ||
        fail "packages cannot be downloaded; bring apt's lists up to date (apt-get update) and try again"
    while read -r file _; do
        # Older versions will not be asked for again.
        find "$packages" -name "${file%%_*}_*" ! -name "$file" -delete
        dpkg-deb --extract "$packages/$file" "$into" ||
            fail "$packages/$file cannot be unpacked; remove it and try again"
    done <<<"$listing"
    for folder in bin sbin lib lib64; do
        mkdir -p "$into/usr/$folder"
        if [ -d "$into/$folder" ]; then
            cp -a "$into/$folder/." "$into/usr/$folder/"
            rm -r "${into:?}/$folder"
        fi
    done
}

# Makes folder $1 what any program may expect of a system.
lay_out() {
    local folder
    for folder in bin sbin lib lib64; do
        mkdir -p "$1/usr/$folder"
        ln -s "usr/$folder" "$1/$folder"
    done
    mkdir -p "$1"/{dev,etc,proc,root,run,sys,tmp,usr/local/bin,var}
    chmod 1777 "$1/tmp"
    chmod 700 "$1/root"
    printf '%s\n' 'root:x:0:0:root:/root:/nonexistent' 'nobody:x:65534:65534:nobody:/nonexistent:/nonexistent' \
        >"$1/etc/passwd"
    printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' >"$1/etc/group"
    printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >"$1/etc/nsswitch.conf"
}

# Copies from $1 to $2 whatever has one of the paths below usr/ (patterns of find), links as links.
take() {
    local from=$1 to=$2 pattern path found
    shift 2
    for pattern in "$@"; do
        found=$(cd "$from" && find usr -path "usr/$pattern" ! -type d)
        [ -n "$found" ] || fail "no file of these packages is usr/$pattern; has this distribution moved it?"
        while read -r path; do
            mkdir -p "$to/${path%/*}"
            cp --no-dereference --preserve=mode "$from/$path" "$to/$path"
        done <<<"$found"
    done
}

# Copies from $1 to $2 the libraries that the programs and modules in $2 need, and the further program $3 if given. The
# loader of the packages says which they are.
take_libraries() {
    local from=$1 to=$2 more=${3:-} loader places file code line library
    loader=$(find "$from/usr/lib" -name 'ld-linux*' -xtype f | head -n 1)
    [ -n "$loader" ] || fail "libc6 of this distribution has no loader called ld-linux*"
    places=$(find "$from/usr/lib" -name '*.so*' -printf '%h\n' | sort -u | paste -sd :)
    while read -r file; do
        "$loader" --verify "$file" && code=0 || code=$?
        case $code in
            0 | 2) ;;
            1) continue ;; # it is linked statically
            *) fail "$loader cannot be run; set TMPDIR to a folder from which programs may be run" ;;
        esac
        # Without this machine's own libraries: one that is found elsewhere than in the packages is missing.
        while read -r line; do
            library=${line#* => } library=${library% (*}
            case $line in
                *" => $from/"*) install -D -m 644 "$library" "$to/${library#"$from/"}" ;;
                linux-vdso.* | *'/ld-linux'*) ;;
                *) fail "$file needs what none of the packages has: $line" ;;
            esac
        done < <("$loader" --inhibit-cache --library-path "$places" --list "$file" 2>&1 | sed 's/^[[:space:]]*//')
    done < <(
        find "$to/usr" -type f \( -path '*/bin/*' -o -path '*/sbin/*' -o -name '*.so' \)
        [ -z "$more" ] || echo "$more"
    )
    take "$from" "$to" 'lib*/ld-linux*'
}
