package trial

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/exchanges"
	"driftprobe/internal/lab/handshakes"
	"driftprobe/probe"
)

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// Handshakes looks at a row's host at each of the addresses, and judges.
func Handshakes(ctx context.Context, s handshakes.Situation, roots *x509.CertPool, at ...netip.AddrPort) []finding.Finding {
	p := probe.New(probe.Settings{Roots: roots, Allow: loopback(), Timeout: time.Minute, FetchIssuers: s.Fetch})
	target := inventory.Target{Key: "https://" + handshakes.Host + "/", Host: handshakes.Host, Path: "/"}
	var seen []probe.Observation
	for _, a := range at {
		target.Port = a.Port()
		seen = append(seen, p.Observe(ctx, probe.Request{Target: target, Address: a}))
	}
	return probe.Judge(probe.Policy{}, seen[0].At, target, inventory.Expected{}, seen)
}

// Exchange looks at a row that is served at the address, judges, and compares with what
// the row wants. At servers that never come to an end it looks again with more time until
// it is as wanted, since the machine may be slow too.
func Exchange(ctx context.Context, s exchanges.Situation, roots *x509.CertPool, at netip.AddrPort) (faults []string, err error) {
	request, err := Request(s, at)
	if err != nil {
		return nil, err
	}
	limit := time.Minute
	if s.Endless {
		limit = 250 * time.Millisecond
	}
	for ; limit <= time.Minute; limit *= 4 {
		o := prober(s, roots, at, limit).Observe(ctx, request)
		found := probe.Judge(probe.Policy{}, o.At, request.Target, inventory.Expected{}, []probe.Observation{o})
		faults = Unmet(s.Want, found)
		if len(s.Want) == 0 && !o.Answers(o.At) {
			faults = append(faults, fmt.Sprintf("it counts as no answer: %+v", o.Fault))
		}
		if len(faults) == 0 || !s.Endless {
			break
		}
	}
	return faults, nil
}

// Request is what the row asks for.
func Request(s exchanges.Situation, at netip.AddrPort) (probe.Request, error) {
	goal := inventory.Target{Host: exchanges.Host, Port: at.Port(), Path: exchanges.Path}
	read := json.NewDecoder(bytes.NewReader([]byte(cmp.Or(s.Target, "{}"))))
	read.DisallowUnknownFields()
	if err := read.Decode(&goal); err != nil {
		return probe.Request{}, fmt.Errorf("read the target of %q: %w", s.Name, err)
	}
	goal.Key = cmp.Or(goal.Scheme, "https") + "://" + exchanges.Host + exchanges.Path
	r := probe.Request{Target: goal, Address: at, Headers: http.Header{}}
	for name, value := range s.Header {
		r.Headers.Set(name, value)
	}
	if s.Body != "" {
		r.Body = []byte(s.Body)
	}
	return r, nil
}

func prober(s exchanges.Situation, roots *x509.CertPool, at netip.AddrPort, limit time.Duration) *probe.Prober {
	return probe.New(probe.Settings{Roots: roots, Allow: loopback(), Timeout: limit, Lookup: func(_ context.Context, host string) ([]netip.Addr, bool) {
		found, known := s.Finds[host]
		if !known {
			return nil, true
		}
		if a, err := netip.ParseAddr(found); err == nil {
			return []netip.Addr{a}, true
		}
		return []netip.Addr{at.Addr()}, true
	}})
}

// Unmet says where findings are not those that are wanted, all of them and no other, or
// not as findings must be.
func Unmet(want []lab.Want, found []finding.Finding) []string {
	faults := mismatches(want, found)
	for _, f := range found {
		if entry, known := finding.Lookup(f.Code); !known || entry.Fix == "" {
			faults = append(faults, string(f.Code)+" is not in the catalogue")
		}
		for _, part := range []string{f.Summary, f.Expected, f.Observed, f.Hint} {
			if part == "" || finding.Printable(part, 4000) != part {
				faults = append(faults, fmt.Sprintf("%s: a part is empty, long, or not printable: %q", f.Code, part))
			}
		}
	}
	return faults
}
