package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// released is a Service of the release that the lab's Traefik is part of.
func released(name, kind string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %s, labels: {app.kubernetes.io/instance: edge}}
spec: {type: %s, selector: {app.kubernetes.io/name: traefik}, ports: [{port: 443}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: traefik, labels: {app.kubernetes.io/instance: edge}}
`, name, kind)
}

func TestLintAgainstTheCluster(t *testing.T) {
	s := newStage(t, time.Hour)
	live := s.Kube.Get("Service", "traefik", "traefik")
	live["metadata"].(map[string]any)["labels"] = map[string]any{"app.kubernetes.io/name": "traefik", "app.kubernetes.io/instance": "edge"}
	live["spec"].(map[string]any)["selector"] = map[string]any{"app.kubernetes.io/name": "traefik"}
	s.must(s.Kube.Apply(live))
	config := s.whole()
	lint := func(text string, more ...string) outcome {
		file := s.file("rendered.yaml", text)
		return s.run(append([]string{"lint", "--against", "cluster", "--config", config, file}, more...)...)
	}
	asked := func() int { return s.Tree.Servers("shop.example.")[0].Queries.Len() }

	before := asked()
	lint(released("traefik", "LoadBalancer"), "--namespace", "traefik").exits(exitClean)
	lint(released("traefik-edge", "LoadBalancer"), "--namespace", "other").exits(exitClean)
	lint(strings.ReplaceAll(released("web", "ClusterIP"), "edge", "shop"), "--namespace", "traefik").exits(exitClean)
	if n := asked() - before; n > 0 {
		t.Errorf("%d questions to name servers, and nothing would move", n)
	}
	risk := fmt.Sprintf("it leaves %s; %d hostnames lead to it", s.OldAddr, len(s.Hosts))
	lint(released("traefik-edge", "LoadBalancer"), "--namespace", "traefik").exits(exitFound).says(
		"CRITICAL this gives up the load balancer of traefik/traefik", "traefik/traefik-edge, which selects the same pods",
		risk, "TTL 3600 s: clients fail for up to 60 min", "rendered.yaml:1")
	lint(released("traefik", "NodePort"), "--namespace", "traefik").exits(exitFound).says("its type becomes NodePort", risk)
	lint("kind: ConfigMap\napiVersion: v1\nmetadata: {name: x, labels: {app.kubernetes.io/instance: edge}}\n", "--namespace", "traefik").exits(exitFound).says("it is deleted", risk)

	narrow := s.configuration("narrow.yaml", strings.Replace(s.cluster(), "{", "{namespaces: [shop], ", 1))
	s.run("lint", "--against", "cluster", "--config", narrow, "--namespace", "traefik", s.file("rendered.yaml", released("x", "ClusterIP"))).
		exits(exitUnknown).says("could not be compared with the Services in traefik", "kubernetes.namespaces")
	s.Kube.SetAllowed("services", false)
	lint(released("traefik-edge", "LoadBalancer"), "--namespace", "traefik").exits(exitUnknown).says("could not be compared with the cluster", "grant list and watch on services")
}

func TestLintAgainstNoCluster(t *testing.T) {
	d := newDesk(t)
	file := d.file("rendered.yaml", released("traefik", "LoadBalancer"))
	off := d.file("off.yaml", "kubernetes: {enabled: false}\n")
	o := d.run("lint", "--against", "cluster", "--config", off, file).exits(exitUsage)
	if !strings.Contains(o.err, "turns Kubernetes off") {
		t.Error(o.err)
	}
	d.env["HOME"] = d.folder
	o = d.run("lint", "--against", "cluster", file).exits(exitUsage)
	if !strings.Contains(o.err, "kubeconfig") || !strings.Contains(o.err, "hint:") {
		t.Error(o.err)
	}
	d.run("lint", "--namespace", "x", file).exits(exitClean)
}
