package issuance

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
)

const day = 24 * time.Hour

var edge = netip.MustParseAddr("192.0.2.10")

// serve makes the looks at one host: each certificate is seen from when it is issued, every
// hour, until the next one is or the end has come.
func serve(names []string, ca string, lifetime time.Duration, until time.Time, issued ...time.Time) []Seen {
	var all []Seen
	for n, from := range issued {
		to := until
		if n+1 < len(issued) {
			to = issued[n+1]
		}
		for now := from.Add(time.Minute); !now.After(to); now = now.Add(time.Hour) {
			all = append(all, Seen{
				At: now, Host: strings.TrimPrefix(names[0], "*."), Address: edge, Names: names, CA: ca,
				Serial: fmt.Sprintf("%s-%d", names[0], n), Issued: from, NotAfter: from.Add(lifetime),
			})
		}
	}
	return all
}

func every(pace time.Duration, n int) []time.Time {
	var all []time.Time
	for i := range n {
		all = append(all, start.Add(time.Duration(i)*pace))
	}
	return all
}

func TestJudge(t *testing.T) {
	shop := []string{"shop.example", "*.shop.example"}
	for _, c := range []struct {
		name   string
		policy Policy
		seen   []Seen
		now    time.Time
		// want has a line for each finding: severity, code, and a part of its text.
		want [][3]string
	}{
		{name: "one certificate", seen: serve(shop, letsEncrypt, 90*day, at(24), at(0)), now: at(24)},
		{name: "two in a day are an accident", seen: serve(shop, letsEncrypt, 90*day, at(24), every(12*time.Hour, 2)...), now: at(24)},
		{
			name: "the post-mortem, on the third day", seen: serve(shop, letsEncrypt, 90*day, at(30), every(10*time.Hour, 3)...), now: at(30),
			want: [][3]string{
				{"warning", "issuance/rate-limit", "at least 3 of 5 used"},
				{"warning", "issuance/reissue-loop", "at this pace an order is refused 2026-11-18 12:00 UTC"},
			},
		},
		{
			name: "the post-mortem, the last one", seen: serve(shop, letsEncrypt, 90*day, at(33), every(8*time.Hour, 5)...), now: at(33),
			want: [][3]string{
				{"critical", "issuance/rate-limit", "all 5 used: the next order is refused"},
				{"warning", "issuance/reissue-loop", "5 in a week"},
			},
		},
		{
			name: "the post-mortem, a week later with a volume", seen: serve(shop, letsEncrypt, 90*day, at(33+168), every(8*time.Hour, 5)...), now: at(33 + 168),
		},
		{
			name: "planned renewals of a certificate of six days", now: at(80 * 9),
			seen: serve(shop, letsEncrypt, 160*time.Hour, at(80*9), every(80*time.Hour, 9)...),
		},
		{
			name: "planned renewals of a certificate of 90 days", now: start.Add(200 * day),
			seen: serve(shop, letsEncrypt, 90*day, start.Add(200*day), every(60*day, 4)...),
		},
		{
			name: "one more name is another set", now: at(49),
			seen: slices.Concat(
				serve([]string{"a.example"}, letsEncrypt, 90*day, at(24), every(12*time.Hour, 2)...),
				serve([]string{"a.example", "b.example"}, letsEncrypt, 90*day, at(49), at(25), at(37))),
		},
		{
			name: "another order and case of the names is the same set", now: at(31),
			seen: slices.Concat(
				serve([]string{"a.example", "b.example"}, letsEncrypt, 90*day, at(20), at(0), at(10)),
				serve([]string{"B.example", "a.EXAMPLE"}, letsEncrypt, 90*day, at(31), at(20), at(30))),
			want: [][3]string{
				{"warning", "issuance/rate-limit", "at least 4 of 5 used"},
				{"warning", "issuance/reissue-loop", "4 in a week"},
			},
		},
		{
			name: "another authority has another budget, and is only counted", now: at(33),
			seen: serve(shop, "Example Trust", 90*day, at(33), every(8*time.Hour, 5)...),
			want: [][3]string{{"warning", "issuance/reissue-loop", "by Example Trust"}},
		},
		{
			name: "another authority whose limit is configured", now: at(33),
			policy: Policy{SameNames: map[string]Limit{"Example Trust": {Tokens: 10, Every: day}}},
			seen:   serve(shop, "Example Trust", 90*day, at(33), every(8*time.Hour, 5)...),
			want:   [][3]string{{"warning", "issuance/reissue-loop", ""}},
		},
		{
			name: "the staging environment is not limited so", now: at(33),
			seen: serve(shop, "(STAGING) Let's Encrypt", 90*day, at(33), every(8*time.Hour, 5)...),
			want: [][3]string{{"warning", "issuance/reissue-loop", ""}},
		},
		{
			name: "another set is served since", now: at(49),
			seen: slices.Concat(
				serve(shop, letsEncrypt, 90*day, at(33), every(8*time.Hour, 5)...),
				serve([]string{"shop.example", "*.shop.example", "spare.example"}, letsEncrypt, 90*day, at(49), at(34))),
		},
		{
			name: "another set is served at one of two hosts", now: at(49),
			seen: slices.Concat(
				serve(shop, letsEncrypt, 90*day, at(33), every(8*time.Hour, 5)...),
				elsewhere(serve(shop, letsEncrypt, 90*day, at(33), at(32))),
				serve([]string{"shop.example", "*.shop.example", "spare.example"}, letsEncrypt, 90*day, at(49), at(34))),
			want: [][3]string{
				{"warning", "issuance/rate-limit", "at least 4 of 5 used"},
				{"warning", "issuance/reissue-loop", ""},
			},
		},
		{
			name: "three replicas with a client each", now: at(24),
			seen: slices.Concat(replica(shop, 0), replica(shop, 1), replica(shop, 2)),
			want: [][3]string{{"warning", "issuance/rate-limit", "at least 3 of 5 used"}},
		},
		{
			name: "another set is served since, and the last of these was met by no probe", now: at(49),
			seen: slices.Concat(
				serve(shop, letsEncrypt, 90*day, at(33), every(8*time.Hour, 4)...),
				[]Seen{{At: at(34), Names: shop, CA: letsEncrypt, Serial: "unmet", Issued: at(33), NotAfter: at(33).Add(90 * day), Log: "SSLMate"}},
				serve([]string{"shop.example", "*.shop.example", "spare.example"}, letsEncrypt, 90*day, at(49), at(35))),
		},
		{
			name: "another set is served since, and somebody orders these on", now: at(49),
			seen: slices.Concat(
				serve(shop, letsEncrypt, 90*day, at(33), every(8*time.Hour, 4)...),
				serve([]string{"shop.example", "*.shop.example", "spare.example"}, letsEncrypt, 90*day, at(49), at(35)),
				[]Seen{{At: at(48), Names: shop, CA: letsEncrypt, Serial: "unmet", Issued: at(47), NotAfter: at(47).Add(90 * day), Log: "SSLMate"}}),
			want: [][3]string{
				{"warning", "issuance/rate-limit", "at least 4 of 5 used"},
				{"warning", "issuance/reissue-loop", ""},
			},
		},
		{
			name: "an authority that nobody expects, and its certificate has ended", now: at(24),
			policy: Policy{Authorities: []string{letsEncrypt}},
			seen:   serve(shop, "Example Trust", day, at(24), at(0)),
		},
		{
			name: "an authority that nobody expects", now: at(24),
			policy: Policy{Authorities: []string{letsEncrypt}},
			seen:   serve(shop, "Example \x1b[31mTrust", 90*day, at(24), at(0)),
			want:   [][3]string{{"warning", "issuance/unexpected-issuer", `issued by Example \x1b[31mTrust`}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(c.policy, c.now, History{}.Remember(c.seen))
			wantFindings(t, got, c.want)
		})
	}
}

// replica is one of several servers, each of which orders for itself.
func replica(names []string, n int) []Seen {
	all := serve(names, letsEncrypt, 90*day, at(24), at(float64(n)))
	for i := range all {
		all[i].Address = netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
		all[i].Serial = fmt.Sprint("replica ", n)
	}
	return all
}

// elsewhere is the same, seen for another host.
func elsewhere(all []Seen) []Seen {
	for i := range all {
		all[i].Host, all[i].Serial = "www.shop.example", fmt.Sprint(all[i].Names[0], "-4")
	}
	return all
}

func wantFindings(t *testing.T, got []finding.Finding, want [][3]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d findings, want %d", len(got), len(want))
	}
	for n, f := range got {
		text := f.Summary + " | " + f.Expected + " | " + f.Observed
		t.Logf("%s %s %s %v: %s", f.Severity, f.Code, f.Subject, f.SeenAt, text)
		if n < len(want) && (f.Severity.String() != want[n][0] || string(f.Code) != want[n][1] || !strings.Contains(text, want[n][2])) {
			t.Errorf("finding %d is not %q", n, want[n])
		}
		if f.Hint == "" || f.Expected == "" || f.Observed == "" {
			t.Errorf("%s leaves something empty", f.Code)
		}
	}
}

// The moments are those of the rule: after five at once in eight-hour steps the next is
// allowed when the first token is back.
func TestTheFindingNamesTheNextToken(t *testing.T) {
	h := History{}.Remember(serve([]string{"shop.example"}, letsEncrypt, 90*day, at(33), every(8*time.Hour, 5)...))
	f := Judge(Policy{}, at(33), h)[0]
	if !f.ClearBy.Equal(at(33.6)) || !strings.Contains(f.Observed, "one more is allowed from 2026-11-17 09:36 UTC") {
		t.Errorf("clear by %v: %s", f.ClearBy, f.Observed)
	}
	h = History{}.Remember(serve([]string{"shop.example"}, letsEncrypt, 90*day, at(50), every(24*time.Hour, 3)...))
	if f := Judge(Policy{}, at(50), h)[0]; !strings.Contains(f.Observed, "at this pace an order is refused 2026-12-01 00:00 UTC") {
		t.Error(f.Observed)
	}
}

// A client can have the same names from two authorities, and names can begin alike.
func TestEachSetHasAnIdentityOfItsOwn(t *testing.T) {
	var names []string
	for n := range 12 {
		names = append(names, fmt.Sprintf("host-%d.shop.example", n))
	}
	sets := []Seen{
		{Names: names[:1], CA: letsEncrypt}, {Names: names[:1], CA: "ZeroSSL"}, {Names: names[:1]},
		{Names: names, CA: letsEncrypt}, {Names: append(slices.Clone(names), "spare.shop.example"), CA: letsEncrypt}, {Names: names, CA: "ZeroSSL"},
	}
	for n := range sets {
		sets[n].At, sets[n].Serial, sets[n].Host = at(0), "1", "shop.example"
	}
	told := map[string]bool{}
	for _, s := range (History{}).Remember(sets).Sets {
		told[s.Identity()] = true
	}
	if len(told) != len(sets) {
		t.Errorf("%d identities of %d sets: %v", len(told), len(sets), told)
	}
}
