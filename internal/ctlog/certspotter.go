package ctlog

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"driftprobe/internal/issuance"
)

const (
	// DefaultURL is SSLMate's public service.
	DefaultURL = "https://api.certspotter.com"
	// hourly is how many questions an hour we allow ourselves without a key, of the 100
	// that are free, and keyed with one.
	hourly, keyed = 90, 900
	// maxPages bounds what one look reads of one domain, maxPage one answer in bytes, and
	// maxIssuances those in it.
	maxPages     = 10
	maxPage      = 8 << 20
	maxIssuances = 2000
	maxCursor    = 256
	// maxAway bounds the domains that are not asked for now and whose positions are kept,
	// and away the time: after a week no limit counts what was missed.
	maxAway = 100
	away    = 7 * 24 * time.Hour
	// again is the least time between two looks at one domain, also over restarts.
	again = 10 * time.Minute
)

// CertSpotterSettings say how SSLMate's service is reached.
type CertSpotterSettings struct {
	// URL is the API's base; empty: DefaultURL.
	URL string
	// Key returns the API key, "" for none. It is called for each look, so that a rotated
	// key is used at once. Its error must name the place and not the content. nil: none.
	Key func() (string, error)
	// Transport is http.DefaultTransport if it is nil.
	Transport http.RoundTripper
}

// CertSpotter asks SSLMate's CT Search API which certificates were issued.
// https://sslmate.com/help/reference/ct_search_api_v1
type CertSpotter struct {
	origin origin
	key    func() (string, error)

	mu sync.Mutex
	// asked are the moments of the questions in the last hour.
	asked []time.Time
	// wait is why the service is left alone for a while, and refused the key that met it:
	// another key has limits of its own.
	wait     *failure
	refused  string
	failures int
}

// NewCertSpotter prepares the source and asks nobody.
func NewCertSpotter(s CertSpotterSettings) (*CertSpotter, error) {
	if s.URL == "" {
		s.URL = DefaultURL
	}
	o, err := newOrigin("SSLMate", s.URL, s.Transport)
	if err != nil {
		return nil, err
	}
	if s.Key == nil {
		s.Key = func() (string, error) { return "", nil }
	}
	return &CertSpotter{origin: o, key: s.Key}, nil
}

// Name is that of its readings.
func (s *CertSpotter) Name() string { return s.origin.name }

// Read asks for what is new since the positions, those domains first that were read the
// longest ago. It asks only for domains below a public suffix: the others are nobody's
// business.
func (s *CertSpotter) Read(ctx context.Context, domains []string, from []issuance.Position) issuance.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	reading := issuance.Reading{Source: s.Name()}
	positions := positionsOf(s.Name(), listed(domains), from)
	key, err := s.key()
	key = strings.TrimSpace(key)
	switch {
	case err != nil:
		reading.Failure, reading.FailureHint = "the key could not be read: "+err.Error(), "check certificates.ct.certspotter.key_file"
	case !plausible(key):
		reading.Failure, reading.FailureHint = "the key holds characters that no key has", "check certificates.ct.certspotter.key_file"
	default:
		s.readAll(ctx, key, positions, &reading)
	}
	reading.At = s.origin.now().UTC()
	for _, p := range positions {
		if p.At.Before(reading.At) {
			reading.At = p.At
		}
		if at := last(p); at.After(reading.Moved) {
			reading.Moved = at
		}
	}
	reading.Positions = append(positions, s.unasked(domains, from)...)
	slices.SortStableFunc(reading.Positions, func(a, b issuance.Position) int { return strings.Compare(a.Domains[0], b.Domains[0]) })
	return reading
}

// unasked are the positions of domains that are not asked for now, the newest first: a host
// that is away for a while, as while it is moved, does not make us read it all again.
func (s *CertSpotter) unasked(domains []string, from []issuance.Position) []issuance.Position {
	var all []issuance.Position
	for _, p := range from {
		if p.Source == s.Name() && len(p.Domains) == 1 && !slices.Contains(domains, p.Domains[0]) && s.origin.now().Sub(last(p)) < away {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b issuance.Position) int { return last(b).Compare(last(a)) })
	return all[:min(len(all), maxAway)]
}

// last is when a position was worth something last.
func last(p issuance.Position) time.Time {
	if p.Moved.After(p.At) {
		return p.Moved
	}
	return p.At
}

// readAll reads each domain until a failure that holds for all.
func (s *CertSpotter) readAll(ctx context.Context, key string, positions []issuance.Position, r *issuance.Reading) {
	for n := range positions {
		p := &positions[n]
		if since := s.origin.now().Sub(p.At); since >= 0 && since < again {
			continue
		}
		f := s.readDomain(ctx, key, p, r)
		switch {
		case f == nil:
			continue
		case f.ours:
			r.More = true
			return
		case r.Failure == "":
			r.Failure, r.FailureHint = f.what, f.hint
		}
		if f.theirs || f.key {
			return
		}
	}
}

// readDomain follows the pages of one domain to the end, or as far as one look goes.
func (s *CertSpotter) readDomain(ctx context.Context, key string, p *issuance.Position, r *issuance.Reading) *failure {
	domain := p.Domains[0]
	for range maxPages {
		if !s.mayAsk(key) {
			return nil // the next hour goes on; how old the answer is shows
		}
		page, f := s.page(ctx, key, domain, p.After)
		if f != nil {
			return f
		}
		if len(page) == 0 && p.After == "" {
			return failed("nothing, if no certificate was ever logged for it", "%s knows no certificate below %s: that is unknown, not none", s.Name(), domain)
		}
		if len(page) == 0 {
			p.At = s.origin.now().UTC()
			return nil
		}
		for _, i := range page {
			seen, ok := read(i.Certificate, s.origin.now().UTC())
			if !ok {
				r.Unreadable++
				continue
			}
			if seen.Log = s.Name(); below(seen.Names, p.Domains) {
				r.Seen = append(r.Seen, seen)
			}
		}
		last := page[len(page)-1].ID
		if last == p.After {
			return failed("it is asked again in the next round", "%s gives the same page again and again", s.Name())
		}
		p.After, p.Moved = last, s.origin.now().UTC()
	}
	r.More = true
	return nil
}

// page asks for one page.
func (s *CertSpotter) page(ctx context.Context, key, domain, after string) ([]entry, *failure) {
	if s.wait != nil && s.refused == key && s.origin.now().Before(s.wait.until) {
		return nil, s.wait
	}
	query := url.Values{"domain": {domain}, "include_subdomains": {"true"}, "expand": {"cert_der"}}
	if after != "" {
		query.Set("after", after)
	}
	s.asked = append(s.asked, s.origin.now())
	body, f := s.origin.get(ctx, "/v1/issuances?"+query.Encode(), key, maxPage)
	if f == nil {
		var page []entry
		if page, f = parsePage(body); f == nil {
			s.failures, s.wait = 0, nil
			return page, nil
		}
	}
	s.rest(f, key)
	return nil, f
}

// rest notes how long the service is left alone after it failed. Half of it is chance, so
// that many probes do not come back together.
func (s *CertSpotter) rest(f *failure, key string) {
	if !f.theirs {
		return
	}
	if f.until.IsZero() {
		most := min(firstRest<<min(s.failures, 6), maxRest)
		f.until = s.origin.now().Add(most/2 + rand.N(most/2))
		s.failures++
	}
	s.wait, s.refused = f, key
}

// mayAsk tells whether one more question is within our own limit.
func (s *CertSpotter) mayAsk(key string) bool {
	now := s.origin.now()
	s.asked = slices.DeleteFunc(s.asked, func(at time.Time) bool { return now.Sub(at) >= time.Hour || at.After(now) })
	limit := hourly
	if key != "" {
		limit = keyed
	}
	return len(s.asked) < limit
}

// entry is one issuance in the API's words, as far as it is read. The certificate is the
// precertificate where the certificate itself was not logged.
type entry struct {
	ID          string `json:"id"`
	Certificate []byte `json:"cert_der"`
}

// parsePage reads one answer: an array of issuances, in the order of their discovery.
func parsePage(body []byte) ([]entry, *failure) {
	const hint = "check certificates.ct.certspotter.api_url, and that no proxy answers instead"
	var page []entry
	if err := json.Unmarshal(body, &page); err != nil || page == nil {
		f := failed(hint, "SSLMate's answer could not be understood")
		f.theirs = true
		return nil, f
	}
	if len(page) > maxIssuances {
		return nil, failed(hint, "SSLMate's answer has more than %d issuances", maxIssuances)
	}
	for _, e := range page {
		if e.ID == "" || len(e.ID) > maxCursor {
			return nil, failed(hint, "SSLMate's answer has an issuance without an id")
		}
	}
	return page, nil
}

// positionsOf are those of the domains, the longest ago first.
func positionsOf(source string, domains []string, from []issuance.Position) []issuance.Position {
	var all []issuance.Position
	for _, domain := range domains {
		p := issuance.Position{Source: source, Domains: []string{domain}}
		for _, old := range from {
			if old.Source == source && slices.Equal(old.Domains, p.Domains) {
				p = old
			}
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b issuance.Position) int { return a.At.Compare(b.At) })
	return all
}

// listed are the domains below a suffix of the public list.
func listed(domains []string) []string {
	return slices.DeleteFunc(slices.Clone(domains), func(domain string) bool {
		suffix, icann := publicsuffix.PublicSuffix(domain)
		return !icann && !strings.Contains(suffix, ".")
	})
}

// plausible tells whether a key can stand in a header, or is none.
func plausible(key string) bool {
	return !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
}
