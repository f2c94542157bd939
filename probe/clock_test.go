package probe

import (
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

// TestWhoseClockIsWrong: the other machines of a target are witnesses; a machine's
// address of the other family is not.
func TestWhoseClockIsWrong(t *testing.T) {
	at := func(addr string, ahead time.Duration) Observation {
		return seen(address(addr), lasting(time.Hour, 90*day), func(o *Observation) { o.HTTP.Date = noon().Add(ahead) })
	}
	const right, wrong = 0, 3 * time.Hour
	const server, ours = "the server's is likelier wrong, as 1 other address agrees with ours", "ours is likelier wrong, as 1 other address agrees with the server"
	for name, c := range map[string]struct {
		all  []Observation
		want string // of the first
	}{
		"alone":                               {[]Observation{at("203.0.113.1:443", wrong)}, "authorities do not sign for the future"},
		"both addresses of one machine":       {[]Observation{at("203.0.113.1:443", wrong), at("[2001:db8::1]:443", wrong)}, "authorities do not sign for the future"},
		"both addresses of one, seen from v6": {[]Observation{at("[2001:db8::1]:443", wrong), at("203.0.113.1:443", wrong)}, "authorities do not sign for the future"},
		"another machine agrees with it":      {[]Observation{at("203.0.113.1:443", wrong), at("203.0.113.2:443", wrong)}, ours},
		"another machine of two families agrees with us": {
			[]Observation{at("203.0.113.1:443", wrong), at("203.0.113.2:443", right), at("[2001:db8::1]:443", wrong), at("[2001:db8::2]:443", right)}, server,
		},
		"two machines of two families agree": {
			[]Observation{at("203.0.113.1:443", wrong), at("203.0.113.2:443", wrong), at("[2001:db8::1]:443", wrong), at("[2001:db8::2]:443", wrong)}, ours,
		},
		"one each": {
			[]Observation{at("203.0.113.1:443", wrong), at("203.0.113.2:443", wrong), at("203.0.113.3:443", right)}, "authorities do not sign for the future",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := ""
			for _, f := range Judge(Policy{}, noon(), shop(), inventory.Expected{}, c.all) {
				if f.Code == "tls/not-yet-valid" && strings.Contains(c.all[0].Address.String(), f.Subject.Address) {
					text = f.Observed
				}
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("%q, want %q", text, c.want)
			}
		})
	}
}
