#!/usr/bin/env bash
# Builds what the tests on a real cluster run: etcd, kube-apiserver, kubectl and helm,
# with the definitions of the custom resources. All of it comes from the Go module proxy.
# The first build takes ten minutes or more; what is there is not built again.
# It prints the folder, which the tests find under DRIFTPROBE_TOOLS too.
set -euo pipefail
export GOTOOLCHAIN=local GOWORK=off LC_ALL=C

kubernetes=v1.37.2
staging=v0.37.2 # k8s.io/api and its kin, of the same release
etcd=v3.7.0     # the one that this Kubernetes is built with
gateway=v1.6.3
traefik=v3.7.13
prometheus=v0.85.0 # its operator
certmanager=v1.21.2
helm=v3.22.0
kubescore=v1.20.0
actionlint=v1.7.12

tools=${DRIFTPROBE_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/driftprobe-tools}
folder=$tools/kube-apiserver-${kubernetes#v}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# source_of downloads a module and prints its folder.
source_of() {
  (cd "$work" && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
}

# program NAME PACKAGE FLAGS… builds a package of the module in the work folder.
program() {
  local name=$1 package=$2
  shift 2
  (cd "$work" && CGO_ENABLED=0 go build -mod=mod -trimpath "$@" -o "$name.new" "$package")
  mv "$work/$name.new" "$folder/$name"
}

if [ ! -x "$folder/etcd" ]; then
  printf 'module build\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/server/v3 %s\n' "$etcd" >"$work/go.mod"
  program etcd go.etcd.io/etcd/server/v3 -ldflags '-s -w'
fi

# kubernetes_program NAME FLAGS… builds a program of Kubernetes itself.
kubernetes_program() {
  rm -f "$work/go.sum"
  {
    printf 'module build\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes %s\n\n' "$kubernetes"
    sed -n "s|^\t\(k8s.io/[a-z-]*\) => ./staging/.*|replace \1 => \1 $staging|p" "$(source_of "k8s.io/kubernetes@$kubernetes")/go.mod"
  } >"$work/go.mod"
  local stamp=k8s.io/component-base/version
  program "$1" "k8s.io/kubernetes/cmd/$1" \
    -ldflags "-s -w -X $stamp.gitVersion=$kubernetes -X $stamp.gitMajor=1 -X $stamp.gitMinor=37"
}
for name in kube-apiserver kubectl; do
  if [ ! -x "$folder/$name" ]; then kubernetes_program "$name"; fi
done

if [ ! -x "$tools/helm-$helm/helm" ]; then
  GOBIN="$tools/helm-$helm" go install "helm.sh/helm/v3/cmd/helm@$helm"
fi

if [ ! -x "$tools/kube-score-$kubescore/kube-score" ]; then
  GOBIN="$tools/kube-score-$kubescore" go install "github.com/zegl/kube-score/cmd/kube-score@$kubescore"
fi

if [ ! -x "$tools/actionlint-$actionlint/actionlint" ]; then
  GOBIN="$tools/actionlint-$actionlint" go install "github.com/rhysd/actionlint/cmd/actionlint@$actionlint"
fi

if [ ! -e "$folder/crds/listenersets.yaml" ]; then
  mkdir -p "$folder/crds"
  definitions=$(source_of "sigs.k8s.io/gateway-api@$gateway")/config/crd/standard
  for kind in gatewayclasses gateways httproutes grpcroutes tlsroutes listenersets; do
    install -m 644 "$definitions/gateway.networking.k8s.io_$kind.yaml" "$folder/crds/$kind.yaml"
  done
  install -m 644 "$(source_of "github.com/traefik/traefik/v3@$traefik")/docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml" "$folder/crds/traefik.yaml"
fi

if [ ! -e "$folder/crds/orders.yaml" ]; then
  definitions=$(source_of "github.com/prometheus-operator/prometheus-operator@$prometheus")/example/prometheus-operator-crd
  for kind in servicemonitors podmonitors prometheusrules; do
    install -m 644 "$definitions/monitoring.coreos.com_$kind.yaml" "$folder/crds/$kind.yaml"
  done
  # The rest of each template is what the chart's values put around the definition.
  definitions=$(source_of "github.com/cert-manager/cert-manager@$certmanager")/deploy/charts/cert-manager/templates
  for kind in cert-manager.io_certificaterequests acme.cert-manager.io_orders; do
    sed '/{{/d' "$definitions/crd-$kind.yaml" >"$folder/crds/${kind##*_}.yaml"
  done
fi
echo "$folder"
