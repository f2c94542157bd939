package kube

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
)

// The annotations that are read from Ingresses, routes and Services. Whoever can write one of those objects can write them, so they choose
// only among what there is, and none of them makes us connect to a special-purpose
// address. A value that cannot be used is a Notice; the object is watched without.
//
//	driftprobe.io/ignore              "true": the hosts of this object, or this Service, are not looked at
//	driftprobe.io/service             namespace/name of the Service of type LoadBalancer in front (not on a Service)
//	driftprobe.io/path                what to ask for, "/healthz"; without it "/"
//	driftprobe.io/expect-status       the right statuses, "200,204,301-308"
//	driftprobe.io/planned-move-until  end of an announced move, RFC 3339, at most 31 days ahead
//
//	external-dns.kubernetes.io/hostname  more hosts, with commas
//	external-dns.kubernetes.io/target    where the records are to point, addresses or a hostname (on the Gateway for its routes)
//	external-dns.kubernetes.io/ttl       TTL of the records, "300" or "5m"
//
// The older prefix external-dns.alpha.kubernetes.io/ is read where the newer one
// says nothing.
const (
	ownPrefix             = "driftprobe.io/"
	annotationIgnore      = ownPrefix + "ignore"
	annotationService     = ownPrefix + "service"
	annotationPath        = ownPrefix + "path"
	annotationStatus      = ownPrefix + "expect-status"
	annotationMoveUntil   = ownPrefix + "planned-move-until"
	externalDNS           = "external-dns.kubernetes.io/"
	externalDNSOlder      = "external-dns.alpha.kubernetes.io/"
	externalDNSController = "dns-controller"
)

const (
	maxMove   = 31 * 24 * time.Hour // how far ahead a move may end
	maxList   = 16 << 10            // bytes of an annotation that holds a list of hosts
	maxRanges = 16                  // ranges of statuses
	maxPlaces = 16                  // places where records are to point
)

// wishes are what an object's annotations ask for.
type wishes struct {
	service   inventory.ServiceRef
	path      string // "/" if none is asked for
	status    []inventory.StatusRange
	moveUntil time.Time
	pointAt   []netip.Addr
	pointAtBy []string // hostnames
	ttl       uint32
	// external is the prefix of the annotations that tell external-dns a TTL or
	// hostnames, and pointedBy of the one that tells it where to point them; empty if
	// there is none.
	external, pointedBy string
}

// annotate reads the annotations. It is false if the object asks to be left alone.
func (d *declaring) annotate(annotations map[string]any, now time.Time) bool {
	d.path = "/"
	ignored := false
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		value, ok := annotations[key].(string)
		if !ok || !strings.HasPrefix(key, ownPrefix) {
			continue
		}
		if key == annotationIgnore {
			ignored = value == "true"
		}
		if why := d.wish(key, value, now); why != "" {
			d.notice(quoted("annotation "+key, value), why)
		}
	}
	d.forExternalDNS(annotations)
	return !ignored
}

// wish takes one of our own annotations, or says why it can't be used.
func (d *declaring) wish(key, value string, now time.Time) (why string) {
	if len(value) > maxValue {
		return fmt.Sprintf("it is longer than %d bytes", maxValue)
	}
	switch key {
	case annotationIgnore:
		if value != "true" && value != "false" {
			return `write "true" or "false"`
		}
	case annotationService:
		namespace, name, _ := strings.Cut(value, "/")
		if d.kind == "Service" {
			return "a Service fronts its hosts itself"
		}
		if !isLabel(namespace) || !isLabel(name) {
			return "write namespace/name"
		}
		d.service = inventory.ServiceRef{Namespace: namespace, Name: name}
	case annotationPath:
		if !isPath(value) {
			return `write a path as in a URL: "/healthz"`
		}
		d.path = value
	case annotationStatus:
		ranges, ok := statusRanges(value)
		if !ok {
			return `write codes from 100 to 599 and ranges of them: "200,301-308"`
		}
		d.status = ranges
	case annotationMoveUntil:
		end, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return "write the end as RFC 3339 has it: 2026-11-24T12:00:00Z"
		}
		if end.Sub(now) > maxMove {
			return "it ends more than 31 days ahead"
		}
		d.moveUntil = end.UTC()
	default:
		return "there is no such annotation"
	}
	return ""
}

// forExternalDNS reads what external-dns is told, under both of its prefixes.
// https://kubernetes-sigs.github.io/external-dns/latest/docs/annotations/annotations/
func (d *declaring) forExternalDNS(annotations map[string]any) {
	if c, _, ok := externalAnnotation(annotations, "controller"); ok && c != externalDNSController {
		return
	}
	if value, key, ok := externalAnnotation(annotations, "hostname"); ok && d.fits(key, value) {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); name != "" {
				d.addHost("annotation "+key, name)
			}
			if _, ok := hostName(name); ok {
				d.external = strings.TrimSuffix(key, "hostname")
			}
		}
	}
	if value, key, ok := externalAnnotation(annotations, "ttl"); ok && len(value) <= maxValue {
		seconds, err := strconv.ParseUint(value, 10, 31)
		if span, spanErr := time.ParseDuration(value); err != nil && spanErr == nil && span >= time.Second && span < 1<<31*time.Second {
			seconds, err = uint64(span/time.Second), nil
		}
		if err != nil {
			d.notice(quoted("annotation "+key, value), `it is no TTL: "300" or "5m"`)
		}
		if d.ttl = uint32(seconds); seconds > 0 {
			d.external = strings.TrimSuffix(key, "ttl")
		}
	}
	d.pointAt, d.pointAtBy, d.pointedBy = d.recordTargets(annotations)
}

// recordTargets reads where external-dns is to point the records, and the prefix of the
// annotation that says so; empty if it says nothing that can be used.
func (d *declaring) recordTargets(annotations map[string]any) (addresses []netip.Addr, hostnames []string, by string) {
	value, key, ok := externalAnnotation(annotations, "target")
	if !ok || !d.fits(key, value) {
		return nil, nil, ""
	}
	addresses, hostnames = distinct(d.places(key, value))
	if len(addresses)+len(hostnames) > 0 {
		by = strings.TrimSuffix(key, "target")
	}
	return addresses, hostnames, by
}

// places reads the value of such an annotation.
func (d *declaring) places(key, value string) (addresses []netip.Addr, hostnames []string) {
	space := ipspace.New()
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		addr, err := netip.ParseAddr(part)
		name, named := hostName(part)
		switch {
		case part == "":
		case len(addresses)+len(hostnames) == maxPlaces:
			d.notice("annotation "+key, fmt.Sprintf("only %d places are looked at", maxPlaces))
			return addresses, hostnames
		case err == nil && space.Special(addr) != "":
			d.notice(quoted("annotation "+key, part), "it is a special-purpose address ("+space.Special(addr)+"), which only the configuration can allow")
		case err == nil:
			addresses = append(addresses, addr.WithZone("").Unmap())
		case named && !strings.HasPrefix(name, "*"):
			hostnames = append(hostnames, name)
		default:
			d.notice(quoted("annotation "+key, part), "it is neither an address nor a DNS name")
		}
	}
	return addresses, hostnames
}

// externalAnnotation returns an annotation of external-dns, and its key.
func externalAnnotation(annotations map[string]any, name string) (value, key string, ok bool) {
	for _, prefix := range []string{externalDNS, externalDNSOlder} {
		if value, ok := annotations[prefix+name].(string); ok {
			return value, prefix + name, true
		}
	}
	return "", "", false
}

// fits tells whether a list is of a length that an honest writer makes.
func (d *declaring) fits(key, value string) bool {
	if len(value) > maxList {
		d.notice("annotation "+key, fmt.Sprintf("it is longer than %d bytes", maxList))
	}
	return len(value) <= maxList
}

// isLabel tells whether the text can name a namespace or a Service (RFC 1123).
func isLabel(name string) bool {
	host, ok := hostName(name)
	return ok && host == name && !strings.ContainsAny(name, ".*")
}

// isPath tells whether the text is a path, with query or not, that can stand in a
// request as it is (RFC 3986 section 3.3).
func isPath(path string) bool {
	plain := func(r rune) bool { return r > ' ' && r < 0x7f && !strings.ContainsRune(`"#<>\^{|}`+"`", r) }
	return strings.HasPrefix(path, "/") && !strings.ContainsFunc(path, func(r rune) bool { return !plain(r) })
}

// statusRanges reads "200,204,301-308".
func statusRanges(text string) ([]inventory.StatusRange, bool) {
	parts := strings.Split(text, ",")
	if len(parts) > maxRanges {
		return nil, false
	}
	var all []inventory.StatusRange
	for _, part := range parts {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err != nil || err2 != nil || from < 100 || to > 599 || from > to {
			return nil, false
		}
		all = append(all, inventory.StatusRange{From: int(from), To: int(to)})
	}
	return all, true
}

func distinct(addresses []netip.Addr, hostnames []string) ([]netip.Addr, []string) {
	slices.SortFunc(addresses, netip.Addr.Compare)
	slices.Sort(hostnames)
	return slices.Compact(addresses), slices.Compact(hostnames)
}

// quoted names a field with its value, which is foreign text.
func quoted(field, value string) string { return field + " " + strconv.Quote(shortened(value)) }
