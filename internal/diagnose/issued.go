package diagnose

import (
	"cmp"

	"driftprobe/internal/issuance"
	"driftprobe/probe"
)

// issued are the certificates that an authority has issued, among those that probes met.
// What stands at a stranger's address, or is for another name, was issued all the same;
// what nobody trusts may be made by anybody.
func issued(probes []probe.Observation) []issuance.Seen {
	all := make([]issuance.Seen, 0, len(probes))
	for _, o := range probes {
		if o.TLS == nil || len(o.TLS.Chain) == 0 || !o.TLS.Trust.Trusted || o.TLS.Chain[0].SelfSigned {
			continue
		}
		leaf := o.TLS.Chain[0]
		seen := issuance.Seen{
			At: o.At, Host: o.Host, Address: o.Address.Addr(), Names: leaf.Names, CA: cmp.Or(leaf.IssuerO, leaf.IssuerCN),
			Serial: leaf.Serial, Issued: leaf.Logged, NotAfter: leaf.NotAfter,
		}
		if seen.Issued.IsZero() {
			seen.Issued = leaf.NotBefore
		}
		all = append(all, seen)
	}
	return all
}
