package notify

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"driftprobe/finding"
)

// facet is an incident of what clients of www meet.
func facet(name string, s finding.Severity) finding.Incident {
	i := facetOf(name, "www.shop.example")
	i.Severity, i.Subject = s, finding.Subject{Host: "www.shop.example"}
	return i
}

func facetOf(name string, hosts ...string) finding.Incident {
	i := incident(finding.Critical, hosts...)
	i.ID, i.Code, i.Subject = "http/"+name, finding.HTTPStatus, finding.Subject{}
	i.Effects = []finding.Finding{{SeenAt: []string{"192.0.2.1"}}}
	return i
}

// One trouble that shows another face at each look is told once, under the face that it has
// then, and is over when none of them is there.
func TestFacesOfOneTrouble(t *testing.T) {
	const half = 30 * time.Second
	p := Policy{ResolveAfter: time.Minute, Pending: map[finding.Severity]time.Duration{finding.Critical: 45 * time.Second, finding.Warning: 5 * time.Minute}}
	a, b, c := facet("503", finding.Critical), facet("body", finding.Critical), facet("404", finding.Critical)
	mild := facet("400", finding.Warning)
	tls := facet("expired", finding.Critical)
	tls.ID, tls.Code = "tls/expired", finding.TLSExpired
	ending := facet("expiring", finding.Warning)
	ending.ID, ending.Code = "tls/expiring", finding.TLSExpiring
	silent := facet("unreachable", finding.Critical)
	silent.Code = finding.HTTPUnreachable
	dead := silent
	dead.Effects = []finding.Finding{{SeenAt: []string{"192.0.2.2"}}}
	quiet := facet("unreachable", finding.Warning)
	quiet.Code = finding.HTTPUnreachable
	elsewhere := facet("elsewhere", finding.Critical)
	elsewhere.Hosts = []string{"api.shop.example"}
	dns := incident(finding.Critical, "www.shop.example")
	fresh := func(n int) []finding.Incident {
		return []finding.Incident{facet(fmt.Sprint("face", n), finding.Critical)}
	}
	none := []finding.Incident(nil)
	one := func(i finding.Incident) []finding.Incident { return []finding.Incident{i} }
	for _, test := range []struct {
		rule string
		// what is there at look n, each half a minute
		looks int
		at    func(n int) []finding.Incident
		want  []string
	}{
		{"two by turns", 40, func(n int) []finding.Incident { return one([]finding.Incident{a, b}[n%2]) }, []string{"1m0s firing http/503"}},
		{"three by turns", 40, func(n int) []finding.Incident { return one([]finding.Incident{a, b, c}[n%3]) }, []string{"1m0s firing http/404"}},
		{"what is never seen twice", 40, fresh, []string{"1m0s firing http/face2"}},
		{"an answer and a certificate", 40, func(n int) []finding.Incident { return one([]finding.Incident{a, tls}[n%2]) }, []string{"1m0s firing http/503"}},
		{"over when none is there", 20, func(n int) []finding.Incident {
			if n < 8 {
				return one([]finding.Incident{a, b}[n%2])
			}
			return none
		}, []string{"1m0s firing http/503", "5m0s resolved http/503"}},
		{"by turns and well between", 40, func(n int) []finding.Incident {
			return [][]finding.Incident{one(a), none, one(b), none}[n%4]
		}, []string{"6m0s firing http/503"}},
		{"one that stays is another trouble, and then the first is over", 40, func(n int) []finding.Incident {
			if n < 4 {
				return one(a)
			}
			return one(b)
		}, []string{"1m0s firing http/503", "7m0s firing http/body", "7m30s resolved http/503"}},
		{"many hostnames", 40, func(n int) []finding.Incident {
			return one([]finding.Incident{facetOf("503", many(100)...), facetOf("404", many(100)[60:]...)}[n%2])
		}, []string{"1m0s firing http/503"}},
		{"two at once are two", 8, func(int) []finding.Incident { return []finding.Incident{a, b} }, []string{"1m0s firing http/503", "1m0s firing http/body"}},
		{"by turns, and then both at once", 14, func(n int) []finding.Incident {
			if n < 9 {
				return one([]finding.Incident{a, b}[n%2])
			}
			return []finding.Incident{a, b}
		}, []string{"1m0s firing http/503", "5m30s firing http/body"}},
		{"what was there all the time is not in its place", 40, func(n int) []finding.Incident {
			if n > 20 && n < 24 {
				return []finding.Incident{a, ending}
			}
			return one(ending)
		}, []string{"5m0s firing tls/expiring", "11m30s firing http/503", "13m0s resolved http/503"}},
		{"a mild face keeps no time for a bad one", 9, func(n int) []finding.Incident {
			if n == 8 {
				return one(a)
			}
			return one(mild)
		}, nil},
		{"a bad face keeps time for a mild one", 20, func(n int) []finding.Incident {
			if n%5 == 4 {
				return fresh(n)
			}
			return one(mild)
		}, []string{"5m0s firing http/400"}},
		{"what is told as mild hides nothing that is bad", 20, func(n int) []finding.Incident {
			if n < 11 {
				return one(mild)
			}
			return fresh(n)
		}, []string{"5m0s firing http/400", "6m30s firing http/face13"}},
		{"one hostname hides nothing of many", 10, func(n int) []finding.Incident {
			if n < 3 {
				return one(facetOf("503", many(1)...))
			}
			return one(facetOf(fmt.Sprint("face", n), many(100)...))
		}, []string{"1m0s firing http/503", "2m30s firing http/face5"}},
		{"what fails now and then keeps open nothing of many", 12, func(n int) []finding.Incident {
			if n < 3 {
				return one(facetOf("503", many(100)...))
			}
			return one(facetOf(fmt.Sprint("blip", n), many(100)[n]))
		}, []string{"1m0s firing http/503", "2m30s resolved http/503"}},
		{"over only when what is still there was told", 20, func(n int) []finding.Incident {
			switch {
			case n < 3:
				return one(a)
			case n == 4:
				return []finding.Incident{a, b}
			}
			return one(b)
		}, []string{"1m0s firing http/503", "6m30s firing http/body", "8m0s resolved http/503"}},
		{"what stays on few of many is told when the rest is over", 20, func(n int) []finding.Incident {
			if n < 3 {
				return one(facetOf("503", many(100)...))
			}
			return one(facetOf("404", many(100)[:5]...))
		}, []string{"1m0s firing http/503", "2m30s resolved http/503", "2m30s firing http/404"}},
		{"what was in the place of another for long is forgotten", 380, func(n int) []finding.Incident {
			switch {
			case n == 0 || n == 350:
				return one(facetOf("404", many(2)...))
			case n < 200:
				return one(facetOf("503", many(2)[:1]...))
			}
			return none
		}, []string{"1m0s firing http/503", "1h41m0s resolved http/503"}},
		{"what is there on one hostname and comes to another", 20, func(n int) []finding.Incident {
			if n < 3 {
				return []finding.Incident{facetOf("503", many(2)[:1]...), facetOf("404", many(2)[1:]...)}
			}
			return [][]finding.Incident{{facetOf("404", many(2)...)}, {facetOf("404", many(2)[1:]...), facetOf("503", many(2)[:1]...)}}[n/4%2]
		}, []string{"1m0s firing http/503", "1m0s firing http/404"}},
		{"a certificate that nobody presents is as it was", 20, func(n int) []finding.Incident {
			if n > 11 && n < 17 {
				return one(silent)
			}
			return one(ending)
		}, []string{"5m0s firing tls/expiring", "7m0s firing http/unreachable", "9m30s resolved http/unreachable"}},
		{"a certificate that another address does not present", 16, func(n int) []finding.Incident {
			if n > 11 {
				return one(dead)
			}
			return []finding.Incident{ending, dead}
		}, []string{"1m0s firing http/unreachable", "5m0s firing tls/expiring", "7m0s resolved tls/expiring"}},
		{"a certificate that nobody presents hides nothing", 40, func(n int) []finding.Incident {
			switch {
			case n < 12:
				return one(ending)
			case n%2 == 0:
				return one(quiet)
			}
			return []finding.Incident{mild, ending}
		}, []string{"5m0s firing tls/expiring", "11m0s firing http/unreachable"}},
		{"another hostname is another trouble", 13, func(n int) []finding.Incident { return one([]finding.Incident{a, elsewhere}[n%2]) }, []string{"6m0s firing http/503"}},
		{"a record is another trouble", 12, func(n int) []finding.Incident {
			if n < 4 {
				return one(dns)
			}
			return one(a)
		}, []string{"1m0s firing " + moved, "3m0s resolved " + moved, "3m0s firing http/503"}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			var s State
			var said []string
			for n := range test.looks {
				after := time.Duration(n) * half
				look := at{after: after, what: test.at(n)}
				for _, i := range look.what {
					places, _ := seenOn(i)
					look.found = append(look.found, finding.Finding{Code: i.Code, Severity: i.Severity, Subject: finding.Subject{Host: i.Hosts[0]}, SeenAt: places})
				}
				next, messages := Next(p, s, look.report())
				for _, m := range messages {
					said = append(said, fmt.Sprintf("%s %s %s", after, m.Kind, m.Incident.ID))
				}
				s = stored(t, next)
			}
			if !slices.Equal(said, test.want) {
				t.Errorf("said %q\nwant %q", said, test.want)
			}
		})
	}
}

// What is told of a trouble counts from its first face.
func TestATroubleBeganWithItsFirstFace(t *testing.T) {
	p := Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: time.Minute}}
	var s State
	for n := range 3 {
		next, messages := Next(p, s, at{after: time.Duration(n) * 30 * time.Second, what: []finding.Incident{facet(fmt.Sprint(n), finding.Critical)}}.report())
		if len(messages) == 1 && !messages[0].FirstSeen.Equal(start) || len(messages) == 0 == (n == 2) {
			t.Errorf("look %d: %+v", n, messages)
		}
		s = stored(t, next)
	}
}

// While it shows other faces, and none is told, its reminders come.
func TestATroubleThatTurnsIsToldAgain(t *testing.T) {
	p := Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0}, ResolveAfter: time.Minute, Repeat: time.Hour}
	var s State
	var said []string
	for n := range 200 {
		next, messages := Next(p, s, at{after: time.Duration(n) * 30 * time.Second, what: []finding.Incident{facet(fmt.Sprint(n), finding.Critical)}}.report())
		for _, m := range messages {
			said = append(said, fmt.Sprintf("%d %s %s", n/2, m.Kind, m.Incident.ID))
		}
		s = stored(t, next)
	}
	if want := []string{"0 firing http/0", "60 repeat http/0"}; !slices.Equal(said, want) || len(s.Incidents) > 3 {
		t.Errorf("said %q, want %q; %d are tracked", said, want, len(s.Incidents))
	}
}

// Who wants to know of one face only is not served by what others were told of another.
func TestAFaceForOthersIsTold(t *testing.T) {
	p := Policy{
		Pending: map[finding.Severity]time.Duration{finding.Critical: 45 * time.Second}, ResolveAfter: time.Minute,
		Routes: []Route{{Sink: "all"}, {Sink: "cluster", Namespaces: []string{"traefik"}}},
	}
	turn := []finding.Incident{facet("503", finding.Critical), facet("dead", finding.Critical)}
	turn[1].Subject.Namespace = "traefik"
	var s State
	var said []string
	for n := range 20 {
		next, messages := Next(p, s, at{after: time.Duration(n) * 30 * time.Second, what: turn[n%2 : n%2+1]}.report())
		for _, m := range messages {
			said = append(said, fmt.Sprintf("%d %s %s to %s", n, m.Kind, m.Incident.ID, m.To))
		}
		s = stored(t, next)
	}
	if want := []string{"2 firing http/503 to [all]", "3 firing http/dead to [all cluster]"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// What flaps, and then turns for half an hour, is stable.
func TestATroubleThatTurnsIsStable(t *testing.T) {
	p := Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0}, FlapAfter: 1}
	_, said := play(t, p, func() (all []at) {
		for n := range 70 {
			all = append(all, at{after: time.Duration(n) * 30 * time.Second, what: []finding.Incident{facet(fmt.Sprint(n%2), finding.Critical)}})
		}
		return all
	}())
	if want := []string{"0s flapping critical", "30m0s repeat critical"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// A clock that is set back leaves faces in their order.
func TestFacesWhenTheClockIsSetBack(t *testing.T) {
	p := Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 45 * time.Second}, ResolveAfter: time.Minute}
	var s State
	var said []string
	for n := range 40 {
		after := time.Duration(n) * 30 * time.Second
		if n >= 4 {
			after -= time.Hour
		}
		next, messages := Next(p, s, at{after: after, what: []finding.Incident{facet(fmt.Sprint(n%8), finding.Critical)}}.report())
		for _, m := range messages {
			said = append(said, fmt.Sprintf("%d %s %s", n, m.Kind, m.Incident.ID))
		}
		s = stored(t, next)
	}
	if want := []string{"2 firing http/2"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}
