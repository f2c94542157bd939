package kube

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
)

// workloads are those that order certificates, with all that is known of them.
func (c *Cluster) workloads() []inventory.Workload {
	most := c.clients.most()
	var all []inventory.Workload
	for _, k := range c.ordering() {
		w := k.workload
		if n := most[scaler{kind: w.Kind, namespace: w.Namespace, name: w.Name}]; !w.PerNode {
			w.Replicas = max(w.Replicas, n)
		}
		w.Pods = c.clients.podsOf(w)
		all = append(all, w)
	}
	return all
}

// ordering are the clients that do order, as far as their files and the Services in front
// of them tell. Caddy behind another proxy orders nothing.
func (c *Cluster) ordering() []client {
	known, _ := c.clients.known()
	services := c.Balanced()
	var all []client
	for _, k := range known {
		w := copied(k.workload).Fronted(services)
		for n, container := range w.Containers {
			if f, ok := fileOf(w, container); ok {
				w.Containers[n].Config = c.clients.settings(f)
			}
		}
		w.Containers = slices.DeleteFunc(w.Containers, func(c inventory.Container) bool { return !issuance.Orders(w, c) })
		if len(w.Containers) > 0 {
			all = append(all, client{workload: w, selector: k.selector})
		}
	}
	return all
}

// most is to how many pods each workload may be scaled.
func (s *acmeClients) most() map[scaler]int {
	all := map[scaler]int{}
	for _, f := range s.scalers {
		for _, v := range f.values() {
			n := v.most
			v.most = 0
			all[v] = max(all[v], n)
		}
	}
	return all
}

// Balanced are the Services of type LoadBalancer as they are declared, by name: also those
// that ask not to be looked at.
func (c *Cluster) Balanced() []inventory.Balanced {
	var all []inventory.Balanced
	for _, f := range c.services {
		for _, b := range f.values() {
			all = append(all, b.declared)
		}
	}
	slices.SortStableFunc(all, func(a, b inventory.Balanced) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// podsOf are a workload's pods by name, the newest maxPods; nil if they are not known.
func (s *acmeClients) podsOf(w inventory.Workload) []inventory.Pod {
	f := s.pods.of(podsOf(w))
	if f == nil || !f.whole() {
		return nil
	}
	all := f.values()
	slices.SortStableFunc(all, func(a, b inventory.Pod) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name))
	})
	all = all[:min(len(all), maxPods)]
	slices.SortStableFunc(all, func(a, b inventory.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (s *acmeClients) settings(f file) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.files[f].settings)
}

// note keeps what was read of a file. Of one that cannot be read any more the last content
// stays.
func (s *acmeClients) note(f file, now content, signal func()) {
	s.mu.Lock()
	old := s.files[f]
	if now.failed != (failure{}) {
		now.settings, now.known = old.settings, old.known
		if old.failed != (failure{}) {
			now.since = old.since
		}
	}
	s.files[f] = now
	s.mu.Unlock()
	if old.failed != now.failed || !reflect.DeepEqual(old.settings, now.settings) {
		signal()
	}
}

// unread are the configuration files that could not be read, those with one reason as one
// gap; and the workloads over a bound.
func (s *acmeClients) unread() []inventory.Gap {
	s.mu.Lock()
	files := maps.Clone(s.files)
	s.mu.Unlock()
	byName := func(a, b file) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Keys[0], b.Keys[0]), cmp.Compare(a.program, b.program))
	}
	var gaps []inventory.Gap
	for _, f := range slices.SortedFunc(maps.Keys(files), byName) {
		was := files[f]
		if was.failed == (failure{}) {
			continue
		}
		what := "ConfigMap " + f.namespace + "/" + f.Name
		n := slices.IndexFunc(gaps, func(g inventory.Gap) bool { return g.Why == was.failed.why && g.Held == was.known })
		if n < 0 {
			gaps = append(gaps, inventory.Gap{
				Source: "kubernetes", Resources: []string{"configmaps"}, What: what, Why: was.failed.why, Hint: was.failed.hint,
				Since: was.since.UTC(), Held: was.known,
			})
		} else if !strings.Contains(gaps[n].What, what) {
			gaps[n].What += ", " + what
		}
	}
	return append(gaps, s.excess()...)
}

// excess says which workloads are over a bound.
func (s *acmeClients) excess() []inventory.Gap {
	var gaps []inventory.Gap
	add := func(what, why, hint string) {
		gaps = append(gaps, inventory.Gap{Source: "kubernetes", Resources: []string{"deployments"}, What: what, Why: why, Hint: hint})
	}
	known, over := s.known()
	if over > 0 {
		add(fmt.Sprintf("%d of the workloads that order certificates", over), fmt.Sprintf("at most %d are looked at", maxClients),
			"watch a part of the namespaces with each driftprobe (kubernetes.namespaces)")
	}
	var huge []string
	for _, k := range known {
		if k.huge {
			huge = append(huge, k.workload.String())
		}
	}
	if len(huge) > 0 {
		add(finding.List(huge, 3), fmt.Sprintf("what it says of certificates is larger than %d KiB", maxClient>>10), "give it fewer arguments, variables and mounts")
	}
	return gaps
}
