package ctlog

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/issuance"
)

// api behaves as SSLMate documents: pages in the order of discovery, after an id.
type api struct {
	t       *testing.T
	size    int // of a page
	by      map[string][]entry
	queries []url.Values
	keys    []string
	// answer, if not nil, may answer instead, and tells whether it did.
	answer func(w http.ResponseWriter, r *http.Request) bool
	now    time.Time
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	a.queries, a.keys = append(a.queries, query), append(a.keys, r.Header.Get("Authorization"))
	if r.URL.Path != "/v1/issuances" || query.Get("include_subdomains") != "true" || !slices.Contains(query["expand"], "cert_der") {
		a.t.Errorf("asked %s", r.URL)
	}
	if a.answer != nil && a.answer(w, r) {
		return
	}
	all := a.by[query.Get("domain")]
	if after := query.Get("after"); after != "" {
		n := slices.IndexFunc(all, func(e entry) bool { return e.ID == after })
		all = all[n+1:]
	}
	page := make([]map[string]any, 0)
	for _, e := range all[:min(len(all), a.size)] {
		page = append(page, map[string]any{"id": e.ID, "tbs_sha256": "…", "cert_der": e.Certificate, "not_before": "2026-11-20T11:00:00Z", "revoked": nil})
	}
	if err := json.NewEncoder(w).Encode(page); err != nil {
		a.t.Error(err)
	}
}

func newAPI(t *testing.T) (*api, *CertSpotter) {
	a := &api{t: t, size: 2, by: map[string][]entry{}, now: start()}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	s, err := NewCertSpotter(CertSpotterSettings{URL: server.URL + "/", Key: func() (string, error) { return "", nil }})
	if err != nil {
		t.Fatal(err)
	}
	s.origin.now = func() time.Time { return a.now }
	return a, s
}

func (a *api) issued(ca authority, domain string, n int) {
	for range n {
		serial := int64(len(a.by[domain]) + 1)
		a.by[domain] = append(a.by[domain], entry{fmt.Sprint(1000 + serial), ca.issue(serial, timestamps(a.t, start().Add(time.Minute), start(), start().Add(time.Hour)), "www."+domain)})
	}
}

func TestSSLMateIsReadOn(t *testing.T) {
	a, s := newAPI(t)
	ca := newAuthority(t, "Let's Encrypt")
	a.issued(ca, "shop.example.com", 5)
	a.by["shop.example.com"] = append(a.by["shop.example.com"],
		entry{"2001", []byte("no certificate")}, entry{"2002", ca.issue(99, nil, "elsewhere.example.com")})
	domains := []string{"corp.internal", "shop.example.com"}

	first := s.Read(t.Context(), domains, nil)
	if first.Failure != "" || first.More || len(first.Seen) != 5 || first.Unreadable != 1 || !first.At.Equal(start()) {
		t.Fatalf("%+v", first)
	}
	if got := first.Seen[0]; got.Serial != "1" || got.CA != "Let's Encrypt" || !got.Issued.Equal(start()) || got.Log != "SSLMate" || got.Host != "" {
		t.Errorf("%+v", got)
	}
	if len(first.Positions) != 1 || first.Positions[0].After != "2002" || len(a.queries) != 5 {
		t.Errorf("%d questions, then at %+v", len(a.queries), first.Positions)
	}
	a.now = a.now.Add(again - time.Second)
	if s.Read(t.Context(), domains, first.Positions); len(a.queries) != 5 {
		t.Error("it was asked again too soon")
	}
	a.now = a.now.Add(time.Minute)
	a.by["shop.example.com"] = append(a.by["shop.example.com"], entry{"3001", ca.issue(0xabc, poison(), "shop.example.com")})
	second := s.Read(t.Context(), domains, first.Positions)
	if len(second.Seen) != 1 || second.Seen[0].Serial != "abc" || second.Failure != "" || !second.At.Equal(a.now) {
		t.Errorf("%+v", second)
	}
	if !slices.ContainsFunc(a.queries, func(q url.Values) bool { return q.Get("after") == "2002" }) {
		t.Errorf("not read on: %v", a.queries)
	}
	for _, q := range a.queries {
		if q.Get("domain") != "shop.example.com" {
			t.Errorf("SSLMate was told of %s", q.Get("domain"))
		}
	}
}

// The end of a look is nothing that the service has done.
func TestTheEndOfALookIsNoFailureOfSSLMate(t *testing.T) {
	a, s := newAPI(t)
	a.issued(newAuthority(t, "x"), "example.com", 4)
	ctx, cancel := context.WithCancel(t.Context())
	s.origin.http.Transport = cutOff{cancel, "issuances"}
	if first := s.Read(ctx, []string{"example.com"}, nil); first.Failure != "" || !first.More || !first.At.IsZero() {
		t.Errorf("%+v", first)
	}
	s.origin.http.Transport = nil
	if second := s.Read(t.Context(), []string{"example.com"}, nil); second.Failure != "" || second.More || len(second.Seen) != 4 {
		t.Errorf("it was left alone: %+v", second)
	}
}

// The position of a domain that is away for a while is kept, for a week.
func TestADomainThatComesBackIsReadOn(t *testing.T) {
	a, s := newAPI(t)
	ca := newAuthority(t, "x")
	a.issued(ca, "one.example.com", 4)
	a.issued(ca, "two.example.com", 2)
	both := []string{"one.example.com", "two.example.com"}
	p := s.Read(t.Context(), both, nil).Positions
	a.now = a.now.Add(again)
	without := s.Read(t.Context(), both[1:], p)
	if len(without.Positions) != 2 || !without.At.Equal(a.now) {
		t.Fatalf("%+v", without)
	}
	a.now = a.now.Add(again)
	a.issued(ca, "one.example.com", 1)
	if back := s.Read(t.Context(), both, without.Positions); len(back.Seen) != 1 {
		t.Errorf("%d seen, want the new one", len(back.Seen))
	}
	a.now = a.now.Add(away)
	if late := s.Read(t.Context(), both[1:], without.Positions); len(late.Positions) != 1 {
		t.Errorf("%+v", late.Positions)
	}
	var many []issuance.Position
	for n := range 2 * maxAway {
		many = append(many, issuance.Position{Source: s.Name(), Domains: []string{fmt.Sprintf("d%03d.example.com", n)}, At: a.now.Add(time.Duration(-n) * time.Second)})
	}
	if kept := s.Read(t.Context(), nil, many).Positions; len(kept) != maxAway || kept[0].Domains[0] != "d000.example.com" {
		t.Errorf("%d positions are kept", len(kept))
	}
}

func TestPagesOfOneLookAreBounded(t *testing.T) {
	a, s := newAPI(t)
	a.issued(newAuthority(t, "x"), "example.com", 2*maxPages+1)
	first := s.Read(t.Context(), []string{"example.com"}, nil)
	if !first.More || len(first.Seen) != 2*maxPages || first.Failure != "" || !first.At.IsZero() {
		t.Fatalf("%d seen, %+v", len(first.Seen), first.Positions)
	}
	if rest := s.Read(t.Context(), []string{"example.com"}, first.Positions); rest.More || len(rest.Seen) != 1 {
		t.Errorf("%+v", rest)
	}
}

func TestWhatSSLMateRefuses(t *testing.T) {
	status := func(code int, header, value string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			if header != "" {
				w.Header().Set(header, value)
			}
			w.WriteHeader(code)
			fmt.Fprint(w, `{"code":"x","message":"secret-key was sent"}`)
			return true
		}
	}
	text := func(body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, body); return true }
	}
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request) bool
		says   string
		asked  int           // of two domains, in the first look
		rest   time.Duration // how long it is left alone at least
	}{
		{"limit", status(429, "Retry-After", "1800"), "used up (429): not asked again before 12:30:00", 1, 1799 * time.Second},
		{"limit without a time", status(429, "", ""), "used up (429)", 1, 59 * time.Second},
		{"limit until a date", status(429, "Retry-After", start().Add(time.Hour).Format(http.TimeFormat)), "before 13:00:00", 1, 3599 * time.Second},
		{"limit until the end of time", status(429, "Retry-After", "2147483647"), "(429)", 1, 23 * time.Hour},
		{"limit of no time", status(429, "Retry-After", "-5"), "(429)", 1, 999 * time.Millisecond},
		{"key", status(401, "", ""), "does not accept the key (401)", 1, 0},
		{"right", status(403, "", ""), "(403)", 1, 0},
		{"not a domain", status(400, "", ""), "answered 400", 2, 0},
		{"trouble", status(502, "", ""), "failed (502)", 1, 29 * time.Second},
		{"trouble with a time", status(503, "Retry-After", "600"), "failed (503)", 1, 599 * time.Second},
		{"elsewhere", status(302, "Location", "http://127.0.0.1:1/"), "answered 302", 2, 0},
		{"nothing", text("[]"), "unknown, not none", 2, 0},
		{"null", text("null"), "could not be understood", 1, 29 * time.Second},
		{"a page for people", text("<html>log in</html>"), "could not be understood", 1, 29 * time.Second},
		{"another shape", text(`{"code":"not_allowed"}`), "could not be understood", 1, 29 * time.Second},
		{"no ids", text(`[{"cert_der":""}]`), "without an id", 2, 0},
		{"a long id", text(`[{"id":"` + strings.Repeat("x", 1000) + `"}]`), "without an id", 2, 0},
		{"too many", text("[" + strings.TrimSuffix(strings.Repeat(`{"id":"1"},`, maxIssuances+1), ",") + "]"), "more than 2000", 2, 0},
		{"a huge page", text("[" + strings.Repeat(" ", maxPage+1)), "more than 8192 KiB", 2, 0},
		{"the same again", text(`[{"id":"1"}]`), "again and again", 4, 0},
		{"the end of the connection", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "[")
			return true
		}, "can't be reached", 1, 29 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, s := newAPI(t)
			s.key = func() (string, error) { return " secret-key\n", nil }
			a.answer = tt.answer
			domains := []string{"a.example.com", "b.example.com"}
			at := start().Add(-time.Hour)
			from := []issuance.Position{{Source: "SSLMate", Domains: domains[:1], At: at}, {Source: "SSLMate", Domains: domains[1:], At: at}}
			r := s.Read(t.Context(), domains, from)
			if !strings.Contains(r.Failure, tt.says) || r.FailureHint == "" || strings.Contains(r.Failure+r.FailureHint, "secret-key") {
				t.Errorf("%q does not say %q (%s)", r.Failure, tt.says, r.FailureHint)
			}
			if len(a.queries) != tt.asked || a.keys[0] != "Bearer secret-key" {
				t.Errorf("%d questions, want %d (%q)", len(a.queries), tt.asked, a.keys)
			}
			if !r.At.Equal(at) || len(r.Positions) != 2 {
				t.Errorf("the age of what is known is lost: %+v", r)
			}
			for _, p := range r.Positions {
				if !p.At.Equal(at) {
					t.Errorf("a failure passes for an answer: %+v", p)
				}
			}
			before := len(a.queries)
			if a.now = start().Add(tt.rest); tt.rest > 0 {
				if got := s.Read(t.Context(), domains, from); len(a.queries) != before || !strings.Contains(got.Failure, tt.says) {
					t.Errorf("asked within %s (%s)", tt.rest, got.Failure)
				}
			}
			a.now = a.now.Add(25 * time.Hour)
			if s.Read(t.Context(), domains, from); len(a.queries) == before {
				t.Error("never asked again")
			}
		})
	}
}

func TestAnotherKeyNeedNotWait(t *testing.T) {
	a, s := newAPI(t)
	a.answer = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(429); return true }
	s.Read(t.Context(), []string{"example.com"}, nil)
	s.key = func() (string, error) { return "new", nil }
	if s.Read(t.Context(), []string{"example.com"}, nil); !slices.Equal(a.keys, []string{"", "Bearer new"}) {
		t.Errorf("asked with %q", a.keys)
	}
	for _, bad := range []string{"two\nlines", "a b", "ü"} {
		s.key = func() (string, error) { return bad, nil }
		if r := s.Read(t.Context(), []string{"example.com"}, nil); len(a.keys) != 2 || r.Failure == "" || strings.Contains(r.Failure, bad) {
			t.Errorf("%q: %+v", bad, r)
		}
	}
	s.key = func() (string, error) { return "", fmt.Errorf("no file") }
	if r := s.Read(t.Context(), []string{"example.com"}, nil); len(a.keys) != 2 || !strings.Contains(r.Failure, "no file") {
		t.Errorf("%+v", r)
	}
}

// Without a key there are 100 questions an hour, and we take fewer.
func TestOurOwnLimit(t *testing.T) {
	a, s := newAPI(t)
	ca := newAuthority(t, "x")
	var domains []string
	for n := range 100 {
		domain := "d" + strconv.Itoa(100+n) + ".com"
		domains = append(domains, domain)
		a.by[domain] = []entry{{"1", ca.issue(1, nil, domain)}}
	}
	r := s.Read(t.Context(), domains, nil)
	if len(a.queries) != hourly || r.Failure != "" || r.More || !r.At.IsZero() {
		t.Fatalf("%d questions: %s", len(a.queries), r.Failure)
	}
	a.now = a.now.Add(15 * time.Minute)
	if r = s.Read(t.Context(), domains, r.Positions); len(a.queries) != hourly {
		t.Fatalf("%d questions in one hour", len(a.queries))
	}
	for range 3 {
		a.now = a.now.Add(time.Hour)
		r = s.Read(t.Context(), domains, r.Positions)
	}
	if r.At.IsZero() || len(a.queries) > 4*hourly {
		t.Errorf("after hours some were never asked for (%d questions)", len(a.queries))
	}
}

func TestSettingsOfSSLMate(t *testing.T) {
	for _, bad := range []string{"x", "https://", "https://u:p@x/", "https://x/?a=b", "\x00"} {
		if _, err := NewCertSpotter(CertSpotterSettings{URL: bad}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if s, err := NewCertSpotter(CertSpotterSettings{}); err != nil || s.origin.base != DefaultURL || s.Name() != "SSLMate" {
		t.Errorf("%+v, %v", s, err)
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`[{"id":"1","cert_der":"MAA="}]`))
	f.Add([]byte(`[{"id":1}]`))
	f.Add(newAuthority(f, "x").issue(1, timestamps(f, start()), "a.example"))
	f.Fuzz(func(t *testing.T, body []byte) {
		page, failure := parsePage(body)
		if (page == nil) == (failure == nil) {
			t.Errorf("%v and %v", page, failure)
		}
		for _, e := range page {
			if e.ID == "" || len(e.ID) > maxCursor {
				t.Errorf("id %q", e.ID)
			}
			read(e.Certificate, start())
		}
		if seen, ok := read(body, start()); ok && (len(seen.Names) > maxNames || seen.Serial == "") {
			t.Errorf("%+v", seen)
		}
	})
}
