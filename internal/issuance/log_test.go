package issuance

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
)

// logged is what a log has of certificates, as one look brings it.
func logged(names []string, ca string, now time.Time, issued ...time.Time) []Seen {
	var all []Seen
	for n, at := range issued {
		all = append(all, Seen{At: now, Names: names, CA: ca, Serial: names[0] + "-" + string(rune('0'+n)), Issued: at, NotAfter: at.Add(90 * day), Log: "SSLMate"})
	}
	return all
}

func codes(fs []finding.Finding) string {
	var all []string
	for _, f := range fs {
		all = append(all, f.Severity.String()+" "+string(f.Code))
	}
	return strings.Join(all, ", ")
}

func TestWhatALogHasIsJudgedAsWhatIsServed(t *testing.T) {
	shop := []string{"shop.example", "*.shop.example"}
	h := History{}.Heard([]Reading{{Source: "SSLMate", Seen: logged(shop, letsEncrypt, at(33), every(8*time.Hour, 5)...)}})
	fs := Judge(Policy{Authorities: []string{"Example Trust"}}, at(33), h)
	if got := codes(fs); got != "critical issuance/rate-limit, warning issuance/reissue-loop, warning issuance/unexpected-issuer" {
		t.Fatalf("%s", got)
	}
	for _, f := range fs {
		if len(f.SeenAt) != 1 || f.SeenAt[0] != "Certificate Transparency: SSLMate" || f.Subject.Host != "" {
			t.Errorf("%s: seen at %q, subject %+v", f.Code, f.SeenAt, f.Subject)
		}
	}
}

// A certificate that a log has and that is served too is one.
func TestOneCertificateFromTwoSources(t *testing.T) {
	shop := []string{"shop.example"}
	served := serve(shop, letsEncrypt, 90*day, at(30), every(10*time.Hour, 3)...)
	inLog := logged([]string{"SHOP.example"}, letsEncrypt, at(30), every(10*time.Hour, 3)...)
	for n := range inLog {
		inLog[n].Serial, inLog[n].Issued = served[n*10].Serial, inLog[n].Issued.Add(-time.Hour) // set back
	}
	inLog[1].Serial, inLog[2].Serial = "shop.example-1", "shop.example-2"
	first := History{}.Remember(served).Heard([]Reading{{Seen: inLog}})
	second := History{}.Heard([]Reading{{Seen: inLog}}).Remember(served)
	for _, h := range []History{first, second} {
		if len(h.Sets) != 1 || len(h.Sets[0].Issuances) != 3 {
			t.Fatalf("%+v", h.Sets)
		}
		for n, i := range h.Sets[0].Issuances {
			if !i.Issued.Equal(every(10*time.Hour, 3)[n]) || len(i.Logs) != 1 || len(i.Hosts) != 1 {
				t.Errorf("%+v", i)
			}
		}
		if got := codes(Judge(Policy{}, at(30), h)); got != "warning issuance/rate-limit, warning issuance/reissue-loop" {
			t.Errorf("%s", got)
		}
	}
	// What comes twice changes nothing.
	if again := first.Heard([]Reading{{Seen: inLog}}); !reflect.DeepEqual(again, first) {
		t.Error("the same answer changed the history")
	}
}

func TestPositionsSurviveARestartAndAFailure(t *testing.T) {
	mine := []Position{{Source: "a", Domains: []string{"x.example"}, After: "7", At: at(1), Moved: at(2)}}
	log := []Position{{Source: "b", Domains: []string{"x.example"}, Size: 10, Next: 5, Root: "…", Moved: at(3)}}
	h := History{}.Heard([]Reading{{Source: "a", Positions: mine}, {Source: "b", Positions: log}})
	h = h.Heard([]Reading{{Source: "a", Failure: "it failed"}}).Remember(logged([]string{"x.example"}, "x", at(4), at(4)))
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back History
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Positions, append(mine, log...)) || !back.LastMoved().Equal(at(3)) {
		t.Errorf("%+v", back.Positions)
	}
	next := []Position{{Source: "a", Domains: []string{"x.example"}, After: "8"}}
	if got := h.Heard([]Reading{{Source: "a", Positions: next}}); len(got.Positions) != 2 || h.Positions[0].After != "7" {
		t.Errorf("%+v, and the receiver %+v", got.Positions, h.Positions)
	}
}

// What only a log told of is forgotten in its time too.
func TestWhatALogToldIsForgotten(t *testing.T) {
	h := History{}.Remember(logged([]string{"x.example"}, "x", at(0), at(0)))
	if h = h.Remember([]Seen{one(1, at(99*24))}); len(h.Sets) != 2 {
		t.Error("forgotten too soon")
	}
	if h = h.Remember([]Seen{one(1, at(101*24))}); len(h.Sets) != 1 {
		t.Errorf("%+v", h.Sets)
	}
}

func TestJudgeLogs(t *testing.T) {
	now := at(100)
	for _, c := range []struct {
		name string
		r    Reading
		want string // the finding
		note string
	}{
		{"read", Reading{At: at(99.5)}, "", "last read 30 min ago"},
		{"just read", Reading{At: now}, "", "read just now"},
		{"not read yet", Reading{}, "", "never read to the end yet"},
		{"more to come", Reading{Moved: at(99), More: true, Unreadable: 2}, "", "there is more to read; 2 entries could not be understood"},
		{"more to come after a while", Reading{At: at(95), Moved: at(100), More: true}, "", "there is more to read"},
		{"more to come for long", Reading{At: at(93), Moved: at(100), More: true}, "unknown issuance/log-unread", "there is more to read"},
		{"too slow for us from the beginning", Reading{More: true}, "unknown issuance/log-unread", "there is more to read"},
		{"too slow for us since", Reading{Moved: at(93), More: true}, "unknown issuance/log-unread", "there is more to read"},
		{"fails for a moment", Reading{At: at(95), Failure: "429"}, "info issuance/log-unread", "last read 5 h ago"},
		{"fails for long", Reading{At: at(93), Failure: "429"}, "unknown issuance/log-unread", "last read 7 h ago"},
		{"never answered", Reading{Failure: "\x1b[31mno"}, "unknown issuance/log-unread", "never read to the end yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.Source, c.r.FailureHint = "SSLMate", "wait"
			fs := JudgeLogs(now, []Reading{c.r})
			if got := codes(fs); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
			for _, f := range fs {
				if f.Subject.Source != "SSLMate" || (f.Hint != "wait") != (c.r.Failure == "") || f.Hint == "" || !strings.Contains(f.Observed, c.note) || strings.Contains(f.Observed, "\x1b") {
					t.Errorf("%+v", f)
				}
			}
			if notes := LogNotes(now, []Reading{c.r}); len(notes) != 1 || !strings.HasSuffix(notes[0], c.note) {
				t.Errorf("%q does not say %q", notes, c.note)
			}
		})
	}
}
