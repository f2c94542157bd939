package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/test/world"
)

// right is one thing that an account may do, or did: a verb on a resource of a group, in a
// namespace or in the whole cluster (""), and perhaps of one name only.
type right struct{ verb, group, resource, name, namespace string }

func (r right) String() string {
	return fmt.Sprintf("%s %s/%s %q in %q", r.verb, r.group, r.resource, r.name, r.namespace)
}

// covers tells whether a grant is one for a use.
func (r right) covers(use right) bool {
	return r.verb == use.verb && r.group == use.group && r.resource == use.resource &&
		(r.name == "" || r.name == use.name) && (r.namespace == "" || r.namespace == use.namespace)
}

// release is the chart, installed, and the real binary as one of its pods: with the
// arguments, the configuration and the ServiceAccount that the chart made.
type release struct {
	*watcher
	*cluster
	name       string // of the release and of its namespace
	namespaces []string
	tokenFile  string
	shards     int
	shard      int // of the pod
}

// install installs the chart with everything that needs a right, and starts what would be in
// the pod. The state that it finds is damaged.
func (s *stale) install(t *testing.T, name string, page netip.Addr, namespaces ...string) *release {
	t.Helper()
	r := &release{cluster: s.cluster, name: name, namespaces: namespaces, shards: 1}
	s.deploy(t, r)
	r.damage(t)
	r.watcher = r.pod(t, page)
	return r
}

// deploy makes the release and the token of its ServiceAccount.
func (s *stale) deploy(t *testing.T, r *release) {
	t.Helper()
	s.Apply(t, "", fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}}", r.name))
	r.tokenFile = filepath.Join(t.TempDir(), "token")
	r.helm(t, "install", s.values(t, r, "4s"))
	if err := os.WriteFile(r.tokenFile, []byte(r.Token(t, r.name, r.name+"-driftprobe")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// state is the name of the pod's ConfigMap.
func (r *release) state() string {
	name := r.name + "-driftprobe-state"
	if r.shard > 0 {
		name += fmt.Sprintf("-shard-%d", r.shard)
	}
	return name
}

// pod starts what a pod of the Deployment would be.
func (r *release) pod(t *testing.T, page netip.Addr) *watcher {
	t.Helper()
	var d struct {
		Spec struct {
			Template struct {
				Spec struct{ Containers []struct{ Args []string } }
			}
		}
	}
	name := r.name + "-driftprobe"
	if r.shards > 1 {
		name += fmt.Sprintf("-shard-%d", r.shard)
	}
	r.object(t, world.Path("apps/v1", "Deployment", r.name, name), &d)
	var part []string
	for _, a := range d.Spec.Template.Spec.Containers[0].Args {
		if strings.HasPrefix(a, "--shard=") {
			part = append(part, a)
		}
	}
	return serveAt(t, page, r.configured(t), part...)
}

// values are those of the release: two replicas, as only those need a Lease.
func (s *stale) values(t *testing.T, r *release, repeat string) string {
	t.Helper()
	only := ""
	if len(r.namespaces) > 0 {
		only = "static" // the one that a client reads; the other release may read any
	}
	return fmt.Sprintf(`
replicas: 2
shards: %d
namespaces: [%s]
rbac: {configMaps: [%s]}
config:
  interval: 1s
  timeout: 1s
  dns: {root_servers: [%s], resolvers: [%s], interval: 1s, timeout: 1s}
  tls: {ca_file: %q}
  probe: {allow_addresses: [127.0.0.0/8]}
  kubernetes: {kubeconfig: %q}
  alerts: {pending: {critical: 1s}, repeat: %s}
`, r.shards, strings.Join(r.namespaces, ", "), only, s.w.Root, s.w.Resolver.Addr, s.w.CA.RootFile, s.Kubeconfig(t, s.At.String(), r.tokenFile), repeat)
}

func (r *release) helm(t *testing.T, verb, values string) {
	t.Helper()
	ok(t, values, "helm", verb, r.name, "../deploy/chart", image, "--values=-", "--namespace="+r.name, "--kubeconfig="+r.AdminKubeconfig(t))
}

// damage puts what nobody can read in the place of the state.
func (r *release) damage(t *testing.T) {
	t.Helper()
	r.Apply(t, r.name, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, binaryData: {state.json.gz: bm9uc2Vuc2U=}}", r.state()))
}

// configured is the configuration as the pod finds it.
func (r *release) configured(t *testing.T) string {
	t.Helper()
	var m struct{ Data map[string]string }
	r.object(t, world.Path("v1", "ConfigMap", r.name, r.name+"-driftprobe"), &m)
	return m.Data["driftprobe.yaml"]
}

// object reads what is at a path.
func (c *cluster) object(t *testing.T, path string, into any) {
	t.Helper()
	text, err := c.Request(t.Context(), http.MethodGet, path, "", nil)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// granted is what the Roles and ClusterRoles of the release allow. Those in the namespaces
// that it reads are one text, and so one grant: that one of them is used is enough.
func (r *release) granted(t *testing.T) []right {
	t.Helper()
	var all []right
	for _, kind := range []string{"ClusterRole", "Role"} {
		var list struct {
			Items []struct {
				Metadata struct{ Namespace string }
				Rules    []struct{ APIGroups, Resources, ResourceNames, Verbs []string }
			}
		}
		r.object(t, world.Path("rbac.authorization.k8s.io/v1", kind, "", "")+"?labelSelector=app.kubernetes.io/instance%3D"+r.name, &list)
		for _, role := range list.Items {
			for _, rule := range role.Rules {
				names := rule.ResourceNames
				if len(names) == 0 {
					names = []string{""}
				}
				for _, verb := range rule.Verbs {
					for _, group := range rule.APIGroups {
						for _, resource := range rule.Resources {
							for _, name := range names {
								all = append(all, right{verb, group, resource, name, r.where(role.Metadata.Namespace)})
							}
						}
					}
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b right) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// where is a namespace, and the same for all that the release reads.
func (r *release) where(namespace string) string {
	if slices.Contains(r.namespaces, namespace) {
		return strings.Join(r.namespaces, "|")
	}
	return namespace
}

// used is what the release asked the API server for, and what of it was refused. Discovery
// is apart: every account may read it (system:discovery).
func (r *release) used(t *testing.T) (allowed, refused []right) {
	t.Helper()
	discovery := regexp.MustCompile(`^/apis/[-.a-z0-9]+/v[0-9a-z]+$`)
	for _, a := range r.Accesses(t) {
		o := a.ObjectRef
		switch {
		case a.User.Username != "system:serviceaccount:"+r.name+":"+r.name+"-driftprobe":
			continue
		case o.Resource == "":
			if a.Verb != "get" || !discovery.MatchString(a.RequestURI) {
				t.Errorf("%s: it asked to %s %s", r.name, a.Verb, a.RequestURI)
			}
			continue
		case o.Subresource != "":
			o.Resource += "/" + o.Subresource
		}
		use := right{a.Verb, o.APIGroup, o.Resource, o.Name, r.where(o.Namespace)}
		if a.ResponseStatus.Code == http.StatusForbidden {
			if !slices.Contains(refused, use) {
				refused = append(refused, use)
			}
		} else {
			allowed = append(allowed, use)
		}
	}
	return allowed, refused
}

// unused are grants that no use needed. A use needs the narrowest that covers it.
func unused(granted, used []right) []right {
	needed := map[right]bool{}
	for _, use := range used {
		var narrowest right
		for _, g := range granted {
			if g.covers(use) && (narrowest.verb == "" || g.name != "" || narrowest.name == "" && g.namespace != "") {
				narrowest = g
			}
		}
		needed[narrowest] = true
	}
	return slices.DeleteFunc(slices.Clone(granted), func(g right) bool { return needed[g] })
}

// TestUnusedRightsAreFound tests the test.
func TestUnusedRightsAreFound(t *testing.T) {
	t.Parallel()
	wide, named, made := right{verb: "get", resource: "configmaps"}, right{"get", "", "configmaps", "state", "own"}, right{"create", "", "configmaps", "", "own"}
	granted := []right{wide, named, made}
	state, other := right{"get", "", "configmaps", "state", "own"}, right{"get", "", "configmaps", "static", "shop"}
	for _, test := range []struct{ used, want []right }{
		{nil, granted},
		{[]right{state}, []right{wide, made}},
		{[]right{other}, []right{named, made}},
		{[]right{state, other, {"create", "", "configmaps", "state", "own"}}, nil},
		{[]right{{"create", "", "configmaps", "state", "shop"}, {"get", "apps", "configmaps", "x", "own"}}, granted},
	} {
		if got := unused(granted, test.used); !slices.Equal(got, test.want) {
			t.Errorf("%v: unused %v, want %v", test.used, got, test.want)
		}
	}
}

// TestTheRightsUsedAreTheRightsGranted runs the real binary as two releases of the chart, one
// for the whole cluster and one with Roles in two namespaces: with the configuration, the
// ServiceAccount and the rights that the chart made. Both tell the post-mortem, remember it
// over an upgrade, and use each of their rights; nothing is refused but what only a
// ClusterRole can grant.
//
// At its end "helm test" is run on one of them, once well and once killed.
func TestTheRightsUsedAreTheRightsGranted(t *testing.T) {
	t.Parallel()
	s := startFurnished(t)
	wide, narrow := s.install(t, "wide", s.w.Net.Addr(40)), s.install(t, "narrow", s.w.Net.Addr(41), "shop", "traefik")
	releases := []*release{wide, narrow}
	for _, r := range releases {
		r.await(t, "all hosts, and nothing wrong", func(now report) bool {
			return now.Coverage.Hosts == len(shopHosts()) && len(serious(now)) == 0
		})
	}
	s.replace(t)
	for _, r := range releases {
		checkReplaced(t, s.w, r.await(t, "the post-mortem", postMortem))
	}

	for _, r := range releases {
		r.kill(t)
		r.helm(t, "upgrade", s.values(t, r, "3s"))
		r.goesOn(t, func(now report) bool { return postMortem(now) && len(now.all("lb/replaced")) == 1 })
	}
	for _, r := range releases {
		r.spends(t)
	}
	wide.helmTest(t, clean)
	wide.kill(t)
	wide.helmTest(t, found)
}

// goesOn starts it anew after its Service was replaced: nobody but its memory knows the old
// address. Then it starts once more, with a memory that is damaged.
func (r *release) goesOn(t *testing.T, fits func(report) bool) {
	t.Helper()
	r.object(t, world.Path("v1", "ConfigMap", r.name, r.state()), &struct{}{})
	r.watcher = r.pod(t, r.page())
	r.await(t, "the post-mortem after an upgrade", fits)
	r.kill(t)
	r.damage(t)
	// As with an API server that cannot stream lists.
	r.env = append(r.env, "KUBE_FEATURE_WatchListClient=false")
	r.start(t)
}

// startFurnished has all kinds of objects that it needs rights for.
func startFurnished(t *testing.T) *stale {
	t.Helper()
	s := startStale(t)
	s.Definitions(t, "gatewayclasses.yaml", "gateways.yaml", "httproutes.yaml", "grpcroutes.yaml", "tlsroutes.yaml", "listenersets.yaml",
		"traefik.yaml", "certificaterequests.yaml", "orders.yaml")
	// Clients of a certificate authority, one with a ConfigMap that is to be read.
	for _, k := range keepers() {
		if k.name == "claim" || k.name == "file-items" {
			s.Apply(t, "traefik", k.yaml())
		}
	}
	s.Apply(t, "traefik", `{apiVersion: v1, kind: ConfigMap, metadata: {name: static}, data: {traefik.yml: "certificatesResolvers: {le: {acme: {storage: /data/acme.json}}}"}}`)
	return s
}

// postMortem fits the report of the outage.
func postMortem(r report) bool {
	all := serious(r)
	return len(all) == 1 && all[0].Severity == "critical" && len(r.all("dns/stale-record")) == len(shopHosts())
}

// serious are the incidents that are more than information, which a release with Roles only
// has of the classes that it may not read.
func serious(r report) []incident {
	return slices.DeleteFunc(slices.Clone(r.Incidents), func(i incident) bool { return i.Severity == "info" })
}

// replace deletes the Service and makes it again, with another address.
func (s *stale) replace(t *testing.T) {
	t.Helper()
	s.Delete(t, world.ServicePath("traefik", "traefik"))
	s.Gone(t, world.ServicePath("traefik", "traefik"))
	s.old.Stop(t)
	s.Apply(t, "", traefikService)
	s.Patch(t, world.ServicePath("traefik", "traefik")+"/status", statusOf(s.w.New))
}

// page is the address of its page.
func (r *release) page() netip.Addr {
	return netip.MustParseAddrPort(strings.TrimPrefix(r.url, "http://")).Addr()
}

// spends waits until each right that it has was used, and fails for what was refused.
func (r *release) spends(t *testing.T) {
	t.Helper()
	granted := r.granted(t)
	if len(granted) < 40 {
		t.Fatalf("%s: only %d rights: %v", r.name, len(granted), granted)
	}
	var left []right
	err := world.PollEvery(t, time.Second, time.Minute, func(context.Context) error {
		used, _ := r.used(t)
		if left = unused(granted, used); len(left) > 0 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: granted and not used: %v", r.name, left)
	}
	used, refused := r.used(t)
	for _, use := range used {
		if !slices.ContainsFunc(granted, func(g right) bool { return g.covers(use) }) {
			t.Errorf("%s: used, and the chart does not grant it: %s", r.name, use)
		}
	}
	for _, use := range refused {
		// Classes belong to the whole cluster: docs/kubernetes.md, "With Roles only".
		if classes := use.resource == "ingressclasses" || use.resource == "gatewayclasses"; len(r.namespaces) == 0 || !classes {
			t.Errorf("%s: forbidden: %s", r.name, use)
		}
	}
	t.Logf("%s: %d rights granted, %d not used; %d requests, refused %v", r.name, len(granted), len(left), len(used), refused)
}
