package dnscheck

import (
	"strings"

	"github.com/miekg/dns"
)

// Inside the package names are canonical: lower case, with the final dot.
// Observations hold them bare.

// isName tells whether a text is a domain name: labels of at most 63 octets, and at
// most 255 on the wire (RFC 1035 section 2.3.4). The library lets two more pass.
func isName(text string) bool {
	if _, ok := dns.IsDomainName(text); !ok {
		return false
	}
	var wire [255]byte
	_, err := dns.PackDomainName(dns.Fqdn(text), wire[:], 0, nil, false)
	return err == nil
}

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
