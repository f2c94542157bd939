#!/usr/bin/env bash
# Prints deploy/driftprobe.yaml: the chart's output, without what only Helm reads. Helm is
# the one in PATH, or the one that test/apiserver/build.sh keeps.
set -euo pipefail
cd "$(dirname "$0")"
tools=${DRIFTPROBE_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/driftprobe-tools}
PATH=$tools/helm-v3.22.0:$PATH
cat <<'HEADER'
# driftprobe in a cluster: one replica that watches every Service of type LoadBalancer and
# the hosts of every Ingress and of the routes of the Gateway API and Traefik.
#
# Generated from deploy/chart by "make manifests": change the chart, not this file. To deploy
# it, put your image into deploy/kustomization.yaml, and: kubectl apply -k deploy
HEADER
helm template driftprobe chart --namespace driftprobe --values manifest-values.yaml --skip-tests | sed '/^# Source: /d'
