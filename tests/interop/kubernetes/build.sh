#!/bin/sh
# Builds the programs of Kubernetes 1.20 in the folder $1 (an absolute path), from Debian 12's source
# package with Debian's Go: six to ten minutes on two cores and 3 GB on disk, and nothing the second
# time. apt's own configuration stays as it is. Needs golang-1.19-go and patch.
set -eu
build=${1:?the folder to build in}
programs="kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl"

missing=""
for program in $programs; do
    [ -x "$build/bin/$program" ] || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

version=v1.20.2
go=/usr/lib/go-1.19/bin
[ -x "$go/go" ] || { echo "golang-1.19-go is missing: apt-get install golang-1.19-go" >&2; exit 1; }
mkdir -p "$build/bin" "$build/src" "$build/gopath/src/k8s.io"
cd "$build"

fetch() {
    lists=$build/apt
    mkdir -p "$lists/parts" "$lists/lists/partial" "$lists/cache/archives/partial"
    cat >"$lists/parts/source.sources" <<END
Types: deb-src
URIs: ${DEBIAN_MIRROR:-http://deb.debian.org/debian}
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
    own="-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=$lists/parts"
    own="$own -o Dir::State::Lists=$lists/lists -o Dir::Cache=$lists/cache"
    # shellcheck disable=SC2086 # one option a word
    apt-get $own -q update
    # shellcheck disable=SC2086
    apt-get $own -q source --download-only kubernetes
    apt-get -q download golang-github-modern-go-reflect2-dev
}

unpack() {
    mkdir -p debian reflect2
    tar xzf kubernetes_*.orig.tar.gz -C src --strip-components=1
    tar xJf kubernetes_*.debian.tar.xz -C debian
    dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb reflect2
    while read -r patch; do
        patch -d src -p1 -s <"debian/debian/patches/$patch"
    done <debian/debian/patches/series
    # The vendored reflect2 crashes when it is built by Go 1.18 or later.
    vendored=src/vendor/github.com/modern-go/reflect2
    rm -f $vendored/*.go $vendored/*.s
    cp reflect2/usr/share/gocode/src/github.com/modern-go/reflect2/*.go $vendored/
    cp reflect2/usr/share/gocode/src/github.com/modern-go/reflect2/*.s $vendored/
    rm -f $vendored/*_test.go
    ln -sfn "$build/src" gopath/src/k8s.io/kubernetes
    touch unpacked
}

compile() {
    for program in $missing; do
        echo "building $program"
        go build -trimpath -ldflags="$flags" -o "$build/bin/$program" "$root/cmd/$program"
    done
}

# One file of the source is generated, from every package that asks for it.
generate() {
    go build -o "$build/bin/openapi-gen" "$root/vendor/k8s.io/kube-openapi/cmd/openapi-gen"
    packages=$(
        {
            grep -rl '+k8s:openapi-gen=' --include='*.go' pkg
            cd staging/src
            grep -rl '+k8s:openapi-gen=' --include='*.go' k8s.io |
                grep -vE '^k8s.io/(code-generator|sample-apiserver)/' | sed 's#^#vendor/#'
        } | xargs -n1 dirname | LC_ALL=C sort -u | grep -vE '/testing|_examples|/test' |
            sed "s#^#$root/#" | paste -sd,
    )
    "$build/bin/openapi-gen" --logtostderr -i "$packages" -p "$root/pkg/generated/openapi" \
        -O zz_generated.openapi -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
        -r "$build/violations.txt"
    touch "$build/generated"
}

[ -n "$(find . -maxdepth 1 -name 'kubernetes_*.orig.tar.gz')" ] || fetch
[ -e unpacked ] || unpack
root=k8s.io/kubernetes
PATH=$go:$PATH GOPATH=$build/gopath GOCACHE=$build/gocache GO111MODULE=off CGO_ENABLED=0 GOPROXY=off
HOME=$build
export PATH GOPATH GOCACHE GO111MODULE CGO_ENABLED GOPROXY HOME
flags="-s -w"
for package in vendor/k8s.io/component-base/version vendor/k8s.io/client-go/pkg/version; do
    at=$root/$package
    flags="$flags -X $at.gitMajor=1 -X $at.gitMinor=20 -X $at.gitVersion=$version"
done
cd "$build/gopath/src/$root"
[ -e "$build/generated" ] || generate
compile
# Only the programs are worth their room.
cd "$build"
rm -rf apt debian generated gocache gopath reflect2 src unpacked violations.txt bin/openapi-gen \
    kubernetes_* golang-github-modern-go-reflect2-dev_*.deb
