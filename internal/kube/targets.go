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
	gateways map[string]gateway     // by namespace/name
	sets     map[string]listenerSet // by namespace/name
	// serviceKnown, gatewayKnown and setKnown tell of a namespace whether what is not in
	// services, gateways and sets is not there.
	serviceKnown, gatewayKnown, setKnown func(namespace string) bool
	gatewayClasses                       classSet
	port                                 uint16
}

func (c *Cluster) surroundings(services []inventory.Service) surroundings {
	s := surroundings{
		services:       map[inventory.ServiceRef]bool{},
		classes:        classesOf(c.classes.snapshot()),
		gateways:       map[string]gateway{},
		sets:           map[string]listenerSet{},
		port:           c.port,
		gatewayClasses: classesOf(c.gatewayClasses.snapshot()),
		serviceKnown:   func(namespace string) bool { return reads(c.services, namespace) },
		gatewayKnown:   func(namespace string) bool { return reads(c.gateways, namespace) },
		setKnown:       func(namespace string) bool { return reads(c.listenerSets, namespace) },
	}
	for _, service := range services {
		s.services[service.ServiceRef] = true
	}
	for _, f := range c.gateways {
		maps.Copy(s.gateways, f.snapshot())
	}
	for _, f := range c.listenerSets {
		maps.Copy(s.sets, f.snapshot())
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
	slices.SortStableFunc(claims, func(a, b class) int {
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

// hostsOf are the hosts of one object. A route of the Gateway API has some at each
// Gateway that takes it.
func (s surroundings) hostsOf(d declaring) []host {
	said := inventory.Declaration{
		Object: d.String(), Service: d.service, Class: d.class, Controller: d.controller,
		StatusAddresses: slices.Clone(d.addresses), StatusHostnames: slices.Clone(d.hostnames),
		RecordAddresses: slices.Clone(d.pointAt), RecordHostnames: slices.Clone(d.pointAtBy), RecordTTL: d.ttl,
		ExternalDNS: cmp.Or(d.external, d.pointedBy),
	}
	switch d.kind {
	case "HTTPRoute", "GRPCRoute", "TLSRoute":
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
		at := s.placeOf(p)
		names := d.hosts
		switch {
		case p.rejected != "" || at.rejected != "" || !p.accepted && at.missing != "":
			continue
		case at.there:
			names = at.listeners.hostsAt(p, d, s.port)
		}
		said := said
		said.Gateway = at.gateway
		if g, there := s.gateways[at.gateway]; there {
			said.Class, said.Controller = g.class, s.gatewayClasses.controllers[g.class]
			said.StatusAddresses, said.StatusHostnames = slices.Clone(g.addresses), slices.Clone(g.hostnames)
			said.RecordAddresses, said.RecordHostnames = slices.Clone(g.pointAt), slices.Clone(g.pointAtBy)
			said.ExternalDNS = cmp.Or(d.external, g.pointedBy)
		}
		for _, name := range names {
			all = append(all, host{name, said})
		}
	}
	return all
}

// place is where a route is attached.
type place struct {
	listeners listeners
	there     bool   // listeners are known
	gateway   string // whose they are, namespace/name; empty if it is not known
	missing   string // says what is certainly not there
	rejected  string // why the place itself is not accepted
}

func (s surroundings) placeOf(p parent) place {
	namespace, _, _ := strings.Cut(p.name, "/")
	if p.kind == kindListenerSet {
		set, there := s.sets[p.name]
		switch {
		case there:
			return s.placeIn(set)
		case s.setKnown(namespace):
			return place{missing: "there is no such ListenerSet of a Gateway"}
		}
		return place{}
	}
	at := place{gateway: p.name}
	g, there := s.gateways[p.name]
	at.listeners, at.there = g.listeners, there
	if !there && s.gatewayKnown(namespace) {
		at.missing = "there is no such Gateway"
	}
	return at
}

// placeIn is that of routes in a ListenerSet.
func (s surroundings) placeIn(set listenerSet) place {
	at := place{gateway: set.gateway, listeners: set.listeners, there: true, rejected: set.rejected}
	namespace, _, _ := strings.Cut(set.gateway, "/")
	g, there := s.gateways[set.gateway]
	switch {
	case there && g.closed && !set.accepted && set.rejected == "":
		at.rejected = "spec.allowedListeners of " + shortened(set.gateway) + " allows none"
	case !there && s.gatewayKnown(namespace):
		at.missing = "there is no Gateway " + shortened(set.gateway) + ", of which it is a ListenerSet"
	}
	return at
}

// unfit says which references of an object lead nowhere.
func (s surroundings) unfit(d declaring) []inventory.Notice {
	var all []inventory.Notice
	if pin := d.service; d.kind != "Service" && pin != (inventory.ServiceRef{}) && s.serviceKnown(pin.Namespace) && !s.services[pin] {
		all = append(all, d.noticeOf(quoted("annotation "+annotationService, pin.String()), "there is no such Service of type LoadBalancer"))
	}
	for _, p := range d.parents {
		at := s.placeOf(p)
		why := ""
		switch {
		case p.rejected != "":
			why = "the Gateway's controller does not accept the route: " + p.rejected
		case at.rejected != "":
			why = "the ListenerSet is not accepted: " + at.rejected
		case at.missing != "":
			why = at.missing
		case at.there && d.named && len(d.hosts) > 0 && len(at.listeners.hostsAt(p, d, s.port)) == 0:
			why = "none of its listeners takes a hostname of the route"
			if d.tlsOnly {
				why += " (looked at are those of protocol TLS at port 443 or 8443)"
			}
		}
		if why != "" {
			all = append(all, d.noticeOf(quoted("parentRef", p.name), why))
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
