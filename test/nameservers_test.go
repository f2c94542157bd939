package test

import (
	"fmt"
	"strings"
	"testing"

	"driftprobe/test/world"
)

// healthy starts a world in which api.shop.example is published right, and
// returns a configuration that expects just that.
func healthy(t *testing.T) (*world.World, string) {
	t.Helper()
	w := world.Start(t)
	world.Serve(t, w.Shop, "api 60 IN A "+w.New.String())
	w.Balancer(t, w.New, w.CA.Issue(t, "api.shop.example"))
	return w, configuration(t, w, "", fmt.Sprintf("{host: api.shop.example, addresses: [%q]}", w.New))
}

func TestOneServerOfThreeFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*testing.T, *world.Authority){
		"a server that refuses connections is degraded and nothing else": func(t *testing.T, a *world.Authority) { a.Stop(t) },
		"a server that is silent is degraded and nothing else":           func(t *testing.T, a *world.Authority) { a.Pause(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, config := healthy(t)
			fail(t, w.Shop[1])
			l := once(t, found, "--config", config)
			l.none(t, "dns/stale-record", "dns/missing-record", "dns/no-record", "dns/inconsistent", "dns/unresolvable")
			degraded := l.all("dns/nameserver-degraded")
			if len(degraded) != 1 || degraded[0].Severity != "warning" {
				t.Fatalf("want one warning about one server: %s", indent(degraded))
			}
			text := degraded[0].text()
			wantText(t, "the finding", text, w.Shop[1].Addr.String())
			for _, other := range []*world.Authority{w.Shop[0], w.Shop[2]} {
				if strings.Contains(degraded[0].Subject.Server, other.Addr.String()) {
					t.Errorf("%s is blamed too: %s", other.Name, text)
				}
			}
		})
	}
}

func TestEveryServerFails(t *testing.T) {
	t.Parallel()
	never := []string{"dns/stale-record", "dns/missing-record", "dns/no-record", "dns/inconsistent", "dns/cached-stale", "dns/draining"}
	for name, c := range map[string]struct {
		fail     func(*testing.T, *world.World)
		code     int
		severity string
	}{
		"stopped while caches still answer: it is unknown what is published": {
			func(t *testing.T, w *world.World) {
				w.Resolver.Prime(t, "api.shop.example")
				for _, a := range w.Shop {
					a.Stop(t)
				}
			}, unknowable, "unknown",
		},
		"stopped and the caches are silent: it is unknown who fails": {
			func(t *testing.T, w *world.World) {
				for _, a := range w.Shop {
					a.Stop(t)
				}
			}, unknowable, "unknown",
		},
		"abandoned by the provider, and the caches say so: users fail": {
			func(t *testing.T, w *world.World) {
				for _, a := range w.Shop {
					a.Abandon(t)
				}
				w.Resolver.AwaitFailure(t, "api.shop.example")
			}, found, "critical",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, config := healthy(t)
			c.fail(t, w)
			l := once(t, c.code, "--config", config)
			l.none(t, never...)
			if f := l.one(t, "dns/unresolvable", "api.shop.example"); f.Severity != c.severity {
				t.Errorf("severity %s, want %s: %s", f.Severity, c.severity, f.Summary)
			}
		})
	}
}

func TestServersThatDisagree(t *testing.T) {
	t.Parallel()
	w, config := healthy(t)
	knot := w.Shop[1]
	knot.Serve(t, "api 60 IN A "+w.Old.String())
	l := once(t, found, "--config", config)
	l.one(t, "dns/inconsistent", "api.shop.example")
	l.none(t, "dns/nameserver-degraded", "dns/missing-record", "dns/unresolvable")
	f := l.one(t, "dns/stale-record", "api.shop.example")
	wantText(t, "the finding", f.text(), w.Old.String(), w.New.String(), "1 of 3")
	if seen := strings.Join(f.SeenAt, " "); !strings.Contains(seen, knot.Addr.String()) || strings.Contains(seen, w.Shop[0].Addr.String()) {
		t.Errorf("seen at %q, want only %s (%s)", f.SeenAt, knot.Name, knot.Addr)
	}
}
