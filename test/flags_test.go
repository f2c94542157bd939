package test

import (
	"testing"

	"driftprobe/test/world"
)

// TestAHostAndNoConfiguration is the first thing that a person tries, with the
// flags that lead to another root.
func TestAHostAndNoConfiguration(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	world.Serve(t, w.Shop, "@ 60 IN A "+w.New.String())
	w.Balancer(t, w.New, w.CA.Issue(t, "shop.example"))
	flags := []string{
		"--dns.root-servers", w.Root.String(), "--dns.port", "53", "--dns.resolvers", w.Resolver.Addr.String(),
		"--probe.allow-addresses", "127.0.0.0/8",
	}
	trusting := append([]string{"--tls.ca-file", w.CA.RootFile}, flags...)

	t.Run("a name that is well is clean, and the report says what was looked at", func(t *testing.T) {
		t.Parallel()
		l := once(t, clean, append(trusting, "shop.example")...)
		if l.Coverage.Hosts != 1 || l.Coverage.Servers != 3 {
			t.Errorf("covered %+v, want 1 host on 3 authoritative servers", l.Coverage)
		}
	})

	t.Run("the text names the address, and what could not be judged", func(t *testing.T) {
		t.Parallel()
		l := execute(t, append([]string{"--once"}, append(trusting, "shop.example")...)...)
		if l.code != clean {
			t.Errorf("exit code %d, want %d\n%s", l.code, clean, l.stderr)
		}
		wantText(t, "the output", l.stdout, "1 hostname", w.New.String(), "drift was not judged", "3 authoritative servers")
	})

	t.Run("a certificate of an authority that is not trusted is found", func(t *testing.T) {
		t.Parallel()
		l := once(t, found, append(flags, "shop.example")...)
		l.one(t, "tls/staging-certificate", "shop.example") // pebble is known by name
		l.none(t, "dns/stale-record", "http/unreachable")
	})
}
