{{- define "driftprobe.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "driftprobe.fullname" -}}
{{- $name := include "driftprobe.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "driftprobe.selector" -}}
app.kubernetes.io/name: {{ include "driftprobe.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Of what "helm test" makes: not driftprobe's own, whose Service must not lead there. */ -}}
{{- define "driftprobe.testLabels" -}}
app.kubernetes.io/name: {{ include "driftprobe.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "driftprobe.labels" -}}
{{- mergeOverwrite (deepCopy .Values.labels) (include "driftprobe.selector" . | fromYaml) | toYaml -}}
{{- end -}}

{{- define "driftprobe.metadata" -}}
name: {{ include "driftprobe.fullname" . }}
labels: {{- include "driftprobe.labels" . | nindent 2 }}
{{- with .Values.annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "driftprobe.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "driftprobe.fullname" .) -}}
{{- end -}}

{{- define "driftprobe.image" -}}
{{- $at := required "set image.repository to where the image of driftprobe is" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $at .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $at (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- /* The configuration: what the values know, and over it what the user says. */ -}}
{{- define "driftprobe.config" -}}
{{- $own := .Values.config -}}
{{- if hasKey $own "state" }}{{ fail "config.state: use state.kind" }}{{ end -}}
{{- if hasKey $own "shard" }}{{ fail "config.shard: use shards" }}{{ end -}}
{{- if and (gt (int .Values.shards) 1) (eq .Values.state.kind "volume") }}{{ fail "several shards cannot share a volume: use state.kind=configmap" }}{{ end -}}
{{- range list "lease" "namespaces" -}}
{{- if hasKey ($own.kubernetes | default dict) . }}{{ fail (printf "config.kubernetes.%s: use replicas and namespaces" .) }}{{ end -}}
{{- end -}}
{{- $kubernetes := dict -}}
{{- with .Values.namespaces }}{{ $_ := set $kubernetes "namespaces" . }}{{ end -}}
{{- $all := dict "kubernetes" $kubernetes -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- if ne .Values.state.kind "configmap" }}{{ fail "several replicas share their state: use state.kind=configmap" }}{{ end -}}
{{- $_ := set $kubernetes "lease" (printf "%s/%s" .Release.Namespace (include "driftprobe.fullname" .)) -}}
{{- end -}}
{{- if eq .Values.state.kind "configmap" -}}
{{- $_ := set $all "state" (dict "configmap" (printf "%s/%s-state" .Release.Namespace (include "driftprobe.fullname" .))) -}}
{{- else if eq .Values.state.kind "volume" -}}
{{- $_ := set $all "state" (dict "file" "/state/state.json") -}}
{{- end -}}
{{- if .Values.digitalocean.existingSecret -}}
{{- $_ := set $all "digitalocean" (dict "token_file" (printf "/secrets/digitalocean/%s" .Values.digitalocean.key)) -}}
{{- end -}}
{{- if .Values.slack.existingSecret -}}
{{- $_ := set $all "alerts" (dict "slack" (dict "webhook_url_file" (printf "/secrets/slack/%s" .Values.slack.key))) -}}
{{- end -}}
{{- mergeOverwrite $all (deepCopy $own) | toYaml -}}
{{- end -}}

{{- /* What each shard calls its own: "name, name-shard-1, …", with the suffix, if there is one,
       behind each (its context is a dict of "root", "name" and "suffix"). */ -}}
{{- define "driftprobe.ofShards" -}}
{{- $suffix := .suffix | default "" -}}
{{- $names := list (printf "%s%s" .name $suffix) -}}
{{- range $shard := untilStep 1 (int .root.Values.shards) 1 }}{{ $names = append $names (printf "%s-shard-%d%s" $.name $shard $suffix) }}{{ end -}}
{{- join ", " $names -}}
{{- end -}}

{{- /* Nine tenths of the memory limit, for the garbage collector; empty without a limit. */ -}}
{{- define "driftprobe.gomemlimit" -}}
{{- with (.Values.resources.limits | default dict).memory -}}
{{- $n := regexFind "^[0-9]+" . | int -}}
{{- if hasSuffix "Gi" . }}{{ $n = mul $n 1024 }}{{ end -}}
{{- printf "%dMiB" (div (mul $n 9) 10) -}}
{{- end -}}
{{- end -}}

{{- /* What is read where the hosts are, for a Role or a ClusterRole (its context is a dict
       of the root, as "root", and whether it holds in the whole "cluster"). */ -}}
{{- define "driftprobe.rules" -}}
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses{{ if .cluster }}, ingressclasses{{ end }}]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
# Rights for what a cluster does not have do no harm.
- apiGroups: [gateway.networking.k8s.io]
  resources: [{{ if .cluster }}gatewayclasses, {{ end }}gateways, listenersets, httproutes, grpcroutes, tlsroutes]
  verbs: [list, watch]
- apiGroups: [traefik.io]
  resources: [ingressroutes, ingressroutetcps]
  verbs: [list, watch]
{{- if .root.Values.rbac.certificates }}
# Where certificates are kept, and what orders them too often. Leave any of it out, and
# only that is not seen. A right to get knows no labels: unless rbac.configMaps names some, it
# is for every ConfigMap, and the one that a client of a certificate authority reads is asked for.
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [list, watch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [configmaps]
  {{- with .root.Values.rbac.configMaps }}
  resourceNames: [{{ join ", " . }}]
  {{- end }}
  verbs: [get]
- apiGroups: [cert-manager.io]
  resources: [certificaterequests]
  verbs: [list, watch]
- apiGroups: [acme.cert-manager.io]
  resources: [orders]
  verbs: [list, watch]
{{- end }}
{{- if .root.Values.rbac.events }}
# The incidents of a load balancer, for kubectl describe service.
- apiGroups: [""]
  resources: [events]
  verbs: [create, get, update]
{{- end }}
{{- end -}}
