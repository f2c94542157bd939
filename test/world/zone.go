package world

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Zone is the text of one zone; its serial is set when it is written.
type Zone struct {
	// Origin has no final dot; "." is the root.
	Origin string
	// Servers maps name servers' host names, without final dot, to addresses.
	Servers map[string]netip.Addr
	// Records are in zone-file form, one each, names relative to the origin.
	Records []string
	// Delegations lists child zones, with glue.
	Delegations []Zone
	// NegativeTTL is the SOA's TTL and minimum, in seconds; 0 stands for 5.
	NegativeTTL int
	// TTL is that of the NS records and of the servers' addresses; 0 stands for 3600.
	TTL int
}

func servers(name string, addr netip.Addr) map[string]netip.Addr {
	return map[string]netip.Addr{name: addr}
}

// text is the zone file. RFC 1035 section 5.
func (z Zone) text(serial uint32) string {
	origin := strings.TrimSuffix(z.Origin, ".") + "."
	negative := z.NegativeTTL
	if negative == 0 {
		negative = 5
	}
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s\n$TTL 3600\n", origin)
	fmt.Fprintf(&b, "@ %d IN SOA ns1.%s hostmaster.%s %d 3600 600 86400 %d\n",
		negative, strings.TrimPrefix(origin, "."), strings.TrimPrefix(origin, "."), serial, negative)
	z.delegation(&b)
	for _, child := range z.Delegations {
		child.delegation(&b)
	}
	for _, r := range z.Records {
		b.WriteString(r + "\n")
	}
	return b.String()
}

// delegation writes the NS records of the zone and the addresses of its servers.
func (z Zone) delegation(b *strings.Builder) {
	ttl := cmp.Or(z.TTL, 3600)
	for name, addr := range z.Servers {
		fmt.Fprintf(b, "%s. %d IN NS %s.\n%s. %[2]d IN A %[5]s\n", strings.TrimSuffix(z.Origin, "."), ttl, name, name, addr)
	}
}

// fileName is a zone's file in a server's folder.
func fileName(origin string) string {
	if origin == "." {
		return "root.zone"
	}
	return origin + ".zone"
}

// write replaces the zone file at once: a server that reads it meanwhile sees
// the old one or the new one.
func (z Zone) write(t testing.TB, dir string, serial uint32) {
	t.Helper()
	path := filepath.Join(dir, fileName(z.Origin))
	if err := os.WriteFile(path+".new", []byte(z.text(serial)), 0o644); err != nil {
		t.Fatalf("write zone %s: %v", z.Origin, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatalf("write zone %s: %v", z.Origin, err)
	}
}

func writeFile(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
	return path
}

func makeDir(t testing.TB, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatalf("make %s: %v", path, err)
	}
	return path
}
