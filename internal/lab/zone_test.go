package lab

import (
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

var errAddrNotAvail = &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}

var testZone = `
$ORIGIN z.test.
$TTL 300
@        IN SOA ns1 admin 1 2 3 4 60
@        IN NS ns1
@        IN A 192.0.2.1
ns1      IN A 192.0.2.53
a.b.ent  IN A 192.0.2.2
alias    IN CNAME a.b.ent
away     IN CNAME www.other.test.
dangling IN CNAME nothing.ent
loop     IN CNAME loop2
loop2    IN CNAME loop
*.wild   IN A 192.0.2.3
x.wild   IN TXT "x"
*.cwild  IN CNAME @
child    IN NS ns.child
child    IN NS ns.elsewhere.test.
child    IN DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
ns.child IN A 192.0.2.54
moved    IN DNAME b.ent
into     IN CNAME www.child
x.moved  IN DNAME elsewhere.test.
y.moved  IN NS ns.elsewhere.test.
z.child  IN DNAME b.ent
long     IN DNAME ` + strings.Repeat("l", 60) + "." + strings.Repeat("m", 60) + "." + strings.Repeat("n", 60) + `.test.
`

func TestZoneAnswers(t *testing.T) {
	const soa = "z.test. 60 IN SOA ns1.z.test. admin.z.test. 1 2 3 4 60"
	referral := []string{
		"child.z.test. 300 IN DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000",
		"child.z.test. 300 IN NS ns.child.z.test.", "child.z.test. 300 IN NS ns.elsewhere.test.",
	}
	glue := []string{"ns.child.z.test. 300 IN A 192.0.2.54"}
	z := must[*Zone](t)(NewZone(testZone))
	for _, tc := range []struct {
		rule, name    string
		qtype         uint16
		rcode         int
		aa            bool
		answer, ns, x []string
	}{
		{"an RRset", "z.test.", dns.TypeA, 0, true, []string{"z.test. 300 IN A 192.0.2.1"}, nil, nil},
		{"the case of the question is kept", "Z.Test.", dns.TypeA, 0, true, []string{"Z.Test. 300 IN A 192.0.2.1"}, nil, nil},
		{"NODATA has the SOA with the smaller TTL", "z.test.", dns.TypeAAAA, 0, true, nil, []string{soa}, nil},
		{"an empty non-terminal exists", "ent.z.test.", dns.TypeA, 0, true, nil, []string{soa}, nil},
		{"NXDOMAIN", "no.z.test.", dns.TypeA, 3, true, nil, []string{soa}, nil},
		{"CNAME is followed", "alias.z.test.", dns.TypeA, 0, true,
			[]string{"a.b.ent.z.test. 300 IN A 192.0.2.2", "alias.z.test. 300 IN CNAME a.b.ent.z.test."}, nil, nil},
		{"CNAME itself", "alias.z.test.", dns.TypeCNAME, 0, true, []string{"alias.z.test. 300 IN CNAME a.b.ent.z.test."}, nil, nil},
		{"CNAME out of the zone", "away.z.test.", dns.TypeA, 0, true, []string{"away.z.test. 300 IN CNAME www.other.test."}, nil, nil},
		{"CNAME to nothing is NXDOMAIN", "dangling.z.test.", dns.TypeA, 3, true,
			[]string{"dangling.z.test. 300 IN CNAME nothing.ent.z.test."}, []string{soa}, nil},
		{"a wildcard", "q.r.wild.z.test.", dns.TypeA, 0, true, []string{"q.r.wild.z.test. 300 IN A 192.0.2.3"}, nil, nil},
		{"a wildcard does not cover what exists", "x.wild.z.test.", dns.TypeA, 0, true, nil, []string{soa}, nil},
		{"a wildcard does not cover below what exists", "y.x.wild.z.test.", dns.TypeA, 3, true, nil, []string{soa}, nil},
		{"a wildcard CNAME", "q.cwild.z.test.", dns.TypeA, 0, true,
			[]string{"q.cwild.z.test. 300 IN CNAME z.test.", "z.test. 300 IN A 192.0.2.1"}, nil, nil},
		{"a delegation", "www.child.z.test.", dns.TypeA, 0, false, nil, referral, glue},
		{"the delegation's own name", "child.z.test.", dns.TypeNS, 0, false, nil, referral, glue},
		{"glue is not an answer", "ns.child.z.test.", dns.TypeA, 0, false, nil, referral, glue},
		{"DS is the parent's", "child.z.test.", dns.TypeDS, 0, true, referral[:1], nil, nil},
		{"DNAME moves names below", "a.moved.z.test.", dns.TypeA, 0, true, []string{
			"a.b.ent.z.test. 300 IN A 192.0.2.2", "a.moved.z.test. 300 IN CNAME a.b.ent.z.test.", "moved.z.test. 300 IN DNAME b.ent.z.test."}, nil, nil},
		{"DNAME does not move its own name", "moved.z.test.", dns.TypeA, 0, true, nil, []string{soa}, nil},
		{"a DNAME hides one below it", "b.x.moved.z.test.", dns.TypeA, 3, true, []string{
			"b.x.moved.z.test. 300 IN CNAME b.x.b.ent.z.test.", "moved.z.test. 300 IN DNAME b.ent.z.test."}, []string{soa}, nil},
		{"a DNAME hides a delegation below it", "a.y.moved.z.test.", dns.TypeA, 3, true, []string{
			"a.y.moved.z.test. 300 IN CNAME a.y.b.ent.z.test.", "moved.z.test. 300 IN DNAME b.ent.z.test."}, []string{soa}, nil},
		{"a delegation hides a DNAME below it", "a.z.child.z.test.", dns.TypeA, 0, false, nil, referral, glue},
		{"a DNAME that makes a name too long is YXDOMAIN", strings.Repeat("a.", 40) + "long.z.test.", dns.TypeA, dns.RcodeYXDomain, true,
			[]string{"long.z.test. 300 IN DNAME " + strings.Repeat("l", 60) + "." + strings.Repeat("m", 60) + "." + strings.Repeat("n", 60) + ".test."}, nil, nil},
		{"CNAME into a delegation", "into.z.test.", dns.TypeA, 0, true, []string{"into.z.test. 300 IN CNAME www.child.z.test."}, referral, glue},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			reply := new(dns.Msg)
			z.Answer(reply, dns.Question{Name: tc.name, Qtype: tc.qtype, Qclass: dns.ClassINET})
			equal(t, "rcode", reply.Rcode, tc.rcode)
			equal(t, "AA", reply.Authoritative, tc.aa)
			equal(t, "answer", lines(reply.Answer), append([]string{}, tc.answer...))
			equal(t, "authority", lines(reply.Ns), append([]string{}, tc.ns...))
			equal(t, "additional", lines(reply.Extra), append([]string{}, tc.x...))
		})
	}
}

func TestZoneLoopEnds(t *testing.T) {
	z := must[*Zone](t)(NewZone(testZone))
	reply := new(dns.Msg)
	z.Answer(reply, dns.Question{Name: "loop.z.test.", Qtype: dns.TypeA})
	equal(t, "each step once", lines(reply.Answer), []string{"loop.z.test. 300 IN CNAME loop2.z.test.", "loop2.z.test. 300 IN CNAME loop.z.test."})
}

func TestZoneRootWildcardAndDNAME(t *testing.T) {
	z := must[*Zone](t)(NewZone(". 60 IN SOA a. b. 1 2 3 4 5\n*. 60 IN A 192.0.2.1\n"))
	reply := new(dns.Msg)
	z.Answer(reply, dns.Question{Name: "x.y.", Qtype: dns.TypeA})
	equal(t, "wildcard at the root", lines(reply.Answer), []string{"x.y. 60 IN A 192.0.2.1"})
	z = must[*Zone](t)(NewZone(". 60 IN SOA a. b. 1 2 3 4 5\n. 60 IN DNAME z.\n"))
	reply = new(dns.Msg)
	z.Answer(reply, dns.Question{Name: "x.", Qtype: dns.TypeA})
	equal(t, "DNAME at the root", lines(reply.Answer[:2]), []string{". 60 IN DNAME z.", "x. 60 IN CNAME x.z."})
	if len(reply.Answer) > 2*chainLimit {
		t.Errorf("a DNAME that grows the name gave %d records", len(reply.Answer))
	}
}

func TestZoneEditsLeaveTheOriginal(t *testing.T) {
	z := must[*Zone](t)(NewZone(testZone))
	changed := must[*Zone](t)(z.With("@ 5 IN A 192.0.2.9\n@ 5 IN A 192.0.2.8\nnew 5 IN A 192.0.2.7"))
	equal(t, "replaced", lines(changed.Records("z.test.", dns.TypeA)), []string{"z.test. 5 IN A 192.0.2.8", "z.test. 5 IN A 192.0.2.9"})
	equal(t, "added", len(changed.Records("new.z.test.", dns.TypeA)), 1)
	equal(t, "original", lines(z.Records("z.test.", dns.TypeA)), []string{"z.test. 300 IN A 192.0.2.1"})
	gone := z.Without("z.test.", dns.TypeANY)
	equal(t, "only the SOA stays", []int{len(gone.Records("z.test.", dns.TypeA)), len(gone.Records("z.test.", dns.TypeSOA))}, []int{0, 1})
	if len(z.All()) != len(gone.All())+2 {
		t.Errorf("%d records, then %d", len(z.All()), len(gone.All()))
	}
}

func TestNewZoneRefuses(t *testing.T) {
	for rule, text := range map[string]string{
		"no SOA":             "a. 1 IN A 192.0.2.1",
		"two SOAs":           "a. 1 IN SOA a. b. 1 2 3 4 5\nb. 1 IN SOA a. b. 1 2 3 4 5",
		"outside the apex":   "a. 1 IN SOA a. b. 1 2 3 4 5\nb. 1 IN A 192.0.2.1",
		"text that is wrong": "a. 1 IN A not-an-address",
	} {
		if _, err := NewZone(text); err == nil {
			t.Errorf("%s was accepted", rule)
		}
	}
}

func FuzzZone(f *testing.F) {
	f.Add(testZone, "a.b.moved.z.test.")
	f.Add(". 60 IN SOA a. b. 1 2 3 4 5\n. 60 IN DNAME .", "x.")
	f.Fuzz(func(t *testing.T, text, name string) {
		z, err := NewZone(text)
		if err != nil {
			return
		}
		if _, ok := dns.IsDomainName(name); !ok || !dns.IsSubDomain(z.Apex(), dns.Fqdn(name)) {
			return
		}
		for _, qtype := range []uint16{dns.TypeA, dns.TypeDS, dns.TypeANY} {
			reply := new(dns.Msg)
			z.Answer(reply, dns.Question{Name: dns.Fqdn(name), Qtype: qtype, Qclass: dns.ClassINET})
			if reply.Rcode == dns.RcodeNameError && !slices.ContainsFunc(reply.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA }) {
				t.Fatalf("NXDOMAIN without SOA: %v", reply)
			}
		}
	})
}
