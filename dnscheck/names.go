package dnscheck

import (
	"strings"

	"github.com/miekg/dns"
)

// Inside the package names are canonical: lower case, with the final dot.
// Observations hold them bare.

func canonical(name string) string { return dns.CanonicalName(name) }

// bare drops the final dot; the root stays ".".
func bare(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}

// parentOf drops the first label; the parent of the root is the root.
func parentOf(name string) string {
	if next, end := dns.NextLabel(name, 0); !end {
		return name[next:]
	}
	return "."
}

// within tells whether name is zone or below it.
func within(zone, name string) bool { return dns.IsSubDomain(zone, name) }

// strictlyBelow tells whether name is below zone.
func strictlyBelow(zone, name string) bool { return zone != name && within(zone, name) }

// childToward is the ancestor of name, or name, that is one label below zone.
func childToward(zone, name string) string {
	labels := dns.Split(name)
	depth := dns.CountLabel(zone) + 1
	if depth > len(labels) {
		return name
	}
	return name[labels[len(labels)-depth]:]
}

// wildcardOf is the wildcard directly below name.
func wildcardOf(name string) string {
	if name == "." {
		return "*."
	}
	return "*." + name
}
