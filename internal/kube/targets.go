package kube

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// maxDeclarations bounds what is kept of the objects that declare one host.
const maxDeclarations = 16

// surroundings are what the objects that declare hosts refer to.
type surroundings struct {
	services map[inventory.ServiceRef]bool
	classes  classSet
	gateways map[string]gateway // by namespace/name
	// serviceKnown and gatewayKnown tell of a namespace whether what is not in
	// services and gateways is not there.
	serviceKnown, gatewayKnown func(namespace string) bool
	gatewayClasses             classSet
}

func (c *Cluster) surroundings(services []inventory.Service) surroundings {
	s := surroundings{
		services:       map[inventory.ServiceRef]bool{},
		classes:        classesOf(c.classes.snapshot()),
		gateways:       map[string]gateway{},
		gatewayClasses: classesOf(c.gatewayClasses.snapshot()),
		serviceKnown:   func(namespace string) bool { return reads(c.services, namespace) },
		gatewayKnown:   func(namespace string) bool { return reads(c.gateways, namespace) },
	}
	for _, service := range services {
		s.services[service.ServiceRef] = true
	}
	for _, f := range c.gateways {
		maps.Copy(s.gateways, f.snapshot())
	}
	return s
}

// reads tells whether all of a namespace is known.
func reads[T any](feeds []*feed[T], namespace string) bool {
	return slices.ContainsFunc(feeds, func(f *feed[T]) bool {
		return (f.namespace == "" || f.namespace == namespace) && f.whole()
	})
}

// classSet answers which controller serves a class.
type classSet struct {
	controllers map[string]string
	fallback    string // the default class; empty if there is none
}

// classesOf picks the default class as the API server does where several claim
// it: the youngest, then the first by name.
func classesOf(known map[string]class) classSet {
	set := classSet{controllers: map[string]string{}}
	var claims []class
	for _, k := range known {
		set.controllers[k.name] = k.controller
		if k.isDefault {
			claims = append(claims, k)
		}
	}
	slices.SortFunc(claims, func(a, b class) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.name, b.name))
	})
	if len(claims) > 0 {
		set.fallback = claims[0].name
	}
	return set
}

// host is a host that an object declares, and what the object says of it.
type host struct {
	name string
	inventory.Declaration
}

// hostsOf are the hosts of one object. An HTTPRoute has some at each Gateway that
// takes it.
func (s surroundings) hostsOf(d declaring) []host {
	said := inventory.Declaration{
		Object: d.String(), Service: d.service, Class: d.class, Controller: d.controller,
		StatusAddresses: slices.Clone(d.addresses), StatusHostnames: slices.Clone(d.hostnames),
		RecordAddresses: slices.Clone(d.pointAt), RecordHostnames: slices.Clone(d.pointAtBy), RecordTTL: d.ttl,
	}
	switch d.kind {
	case "HTTPRoute":
		return s.hostsOfRoute(d, said)
	case "Ingress":
		said.Class = cmp.Or(d.class, s.classes.fallback)
		said.Controller = s.classes.controllers[said.Class]
	case "Service":
		if len(d.pointAt)+len(d.pointAtBy) > 0 {
			// Its records are to lead elsewhere, if not to itself.
			said.Service = inventory.ServiceRef{}
		}
	}
	var all []host
	for _, name := range d.hosts {
		all = append(all, host{name, said})
	}
	return all
}

func (s surroundings) hostsOfRoute(d declaring, said inventory.Declaration) []host {
	var all []host
	for _, p := range d.parents {
		said := said
		said.Gateway = p.gateway
		g, there := s.gateways[p.gateway]
		names := d.hosts
		switch {
		case p.rejected != "":
			continue
		case there:
			names = g.hostsAt(p, d)
			said.Class, said.Controller = g.class, s.gatewayClasses.controllers[g.class]
			said.StatusAddresses, said.StatusHostnames = slices.Clone(g.addresses), slices.Clone(g.hostnames)
			said.RecordAddresses, said.RecordHostnames = slices.Clone(g.pointAt), slices.Clone(g.pointAtBy)
		case !p.accepted && s.gatewayMissing(p):
			continue
		}
		for _, name := range names {
			all = append(all, host{name, said})
		}
	}
	return all
}

func (s surroundings) gatewayMissing(p parent) bool {
	namespace, _, _ := strings.Cut(p.gateway, "/")
	_, there := s.gateways[p.gateway]
	return !there && s.gatewayKnown(namespace)
}

// unfit says which references of an object lead nowhere.
func (s surroundings) unfit(d declaring) []inventory.Notice {
	var all []inventory.Notice
	if pin := d.service; d.kind != "Service" && pin != (inventory.ServiceRef{}) && s.serviceKnown(pin.Namespace) && !s.services[pin] {
		all = append(all, d.noticeOf(quoted("annotation "+annotationService, pin.String()), "there is no such Service of type LoadBalancer"))
	}
	for _, p := range d.parents {
		g, there := s.gateways[p.gateway]
		switch {
		case p.rejected != "":
			all = append(all, d.noticeOf(quoted("parentRef", p.gateway), "the Gateway's controller does not accept the route: "+p.rejected))
		case s.gatewayMissing(p):
			all = append(all, d.noticeOf(quoted("parentRef", p.gateway), "there is no such Gateway"))
		case there && d.named && len(d.hosts) > 0 && len(g.hostsAt(p, d)) == 0:
			all = append(all, d.noticeOf(quoted("parentRef", p.gateway), "none of its listeners takes a hostname of the route"))
		}
	}
	return all
}

// targets makes one target for each host and path, in the order of their keys.
// declared is in order too, and so are the declarations of each target.
func targets(declared []declaring, known surroundings, port uint16) []inventory.Target {
	byKey := map[string]*inventory.Target{}
	wishesOf := map[string][]wishes{}
	for _, d := range declared {
		for _, h := range known.hostsOf(d) {
			key := "https://" + authority(h.name, port) + d.path
			if d.tlsOnly {
				key = "tls://" + authority(h.name, port) + "/"
			}
			t := byKey[key]
			if t == nil {
				t = &inventory.Target{Key: key, Host: h.name, Port: port, Path: d.path, TLSOnly: d.tlsOnly}
				byKey[key] = t
			}
			t.Declarations = append(t.Declarations, h.Declaration)
			wishesOf[key] = append(wishesOf[key], d.wishes)
		}
	}
	list := make([]inventory.Target, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		t := *byKey[key]
		agreed(&t, wishesOf[key])
		t.Origin, t.Declarations = origin(t.Declarations)
		list = append(list, t)
	}
	return list
}

// agreed takes over what every object that declares the target asks for: one of
// several tenants must not excuse another's faults.
func agreed(t *inventory.Target, asked []wishes) {
	first := asked[0]
	same := func(w wishes) bool { return slices.Equal(w.status, first.status) }
	if !slices.ContainsFunc(asked, func(w wishes) bool { return !same(w) }) {
		t.Expect.Status = slices.Clone(first.status)
	}
	soonest := func(a, b wishes) int { return a.moveUntil.Compare(b.moveUntil) }
	t.MoveUntil = slices.MinFunc(asked, soonest).moveUntil
}

// origin names the objects, the first of them, and bounds what is kept of them. More
// than that are kept as one that says nothing, so that whoever declares a host very
// often can make unknown what fronts it, and not more.
func origin(ds []inventory.Declaration) (string, []inventory.Declaration) {
	var names []string
	for _, d := range ds {
		if !slices.Contains(names, d.Object) {
			names = append(names, d.Object)
		}
	}
	if over := len(ds) - maxDeclarations; over > 0 {
		ds = append(ds[:maxDeclarations:maxDeclarations], inventory.Declaration{Object: fmt.Sprintf("%d more objects", over)})
	}
	return finding.List(names, 3), ds
}

func authority(host string, port uint16) string {
	if port == 443 {
		return host
	}
	return fmt.Sprintf("%s:%d", host, port)
}
