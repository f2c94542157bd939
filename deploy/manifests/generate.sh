#!/usr/bin/env bash
# Prints a file of this folder, driftprobe.yaml or networkpolicy.yaml: the chart's output,
# without what only Helm reads. Helm is the one in PATH, or the one that
# test/apiserver/build.sh keeps.
set -euo pipefail
cd "$(dirname "$0")"
tools=${DRIFTPROBE_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/driftprobe-tools}
PATH=$tools/helm-v3.22.0:$PATH
case $1 in
driftprobe.yaml)
  cat <<'HEADER'
# driftprobe in a cluster: one replica that watches every Service of type LoadBalancer and
# the hosts of every Ingress and of the routes of the Gateway API and Traefik.
#
# Generated from deploy/chart by "make manifests": change the chart, not this file. To deploy
# it, put your image into kustomization.yaml, and: kubectl apply -k deploy/manifests
HEADER
  more=()
  ;;
networkpolicy.yaml)
  cat <<'HEADER'
# What driftprobe needs of the network and nothing else, for who names this file in
# kustomization.yaml. 8443 is where Traefik's pods listen: a load balancer's address leads a
# pod straight to them. Has your ingress controller another port, put it in its place.
#
# Generated from deploy/chart by "make manifests": change the chart, not this file.
HEADER
  more=(--set networkPolicy.enabled=true --show-only templates/networkpolicy.yaml)
  ;;
*)
  echo "usage: $0 driftprobe.yaml|networkpolicy.yaml" >&2
  exit 2
  ;;
esac
helm template driftprobe ../chart --namespace driftprobe --values values.yaml --skip-tests "${more[@]}" | sed '/^# Source: /d'
