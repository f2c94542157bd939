package dnscheck

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// again finds out why the servers of a step disagree. Each server that speaks is
// asked for the SOA of the zone, which all names of the zone share for keepWildcard;
// so ten thousand names of a zone whose secondary lags cost one question a server
// more. If the serials do not explain the difference, each is asked once more what is
// in dispute: a server that then gives other data than it did takes turns.
//
// A record that is changed between the two questions looks the same. That is one
// look, whose Addresses are then those before and after the change; the next look
// says what is.
func (w *walk) again(ctx context.Context, s *Step, name string) {
	s.Rotates = s.Rotates || s.givesTwoAliases()
	disputed := slices.DeleteFunc([]Type{A, AAAA}, func(t Type) bool { return !s.disagrees(t) })
	if len(disputed) == 0 {
		return
	}
	w.serials(ctx, s)
	if s.lag().explains {
		return
	}
	second := make([]Answer, len(s.Answers))
	var asked sync.WaitGroup
	for i, a := range s.Answers {
		if !a.hasData() || !slices.Contains(disputed, a.Type) || !w.spendAgain() {
			continue
		}
		w.do(&asked, func() {
			second[i], _ = w.askOne(ctx, canonical(s.Zone), a.Server, question{name: name, qtype: qtypeOf(a.Type)})
		})
	}
	asked.Wait()
	for i, a := range second {
		if a.hasData() && !sameData(&a, &s.Answers[i]) {
			s.Rotates = true
			s.join(i, a)
		}
		if a.Outcome == Alias {
			w.follow(ctx, canonical(a.Target))
		}
	}
	slices.SortStableFunc(s.Answers, compareAnswers)
}

const (
	// insistences is how often a silent server is asked once more.
	insistences = 3
	// surelySilent is a number of questions in a row that nobody leaves unanswered who is
	// there: where 70 % of all packets get lost that is one chance in 40,000.
	surelySilent = 30
)

// insist asks once more the servers of a step that said nothing while another one
// spoke, as packets get lost: it is to be known who is silent, and what the others have.
// Who has long been silent is not asked again.
func (w *walk) insist(ctx context.Context, s *Step, name string) {
	deadline, _ := ctx.Deadline()
	soon, cancel := context.WithTimeout(ctx, time.Until(deadline)*2/3)
	defer cancel()
	var asked sync.WaitGroup
	for server, answers := range s.mute() {
		w.do(&asked, func() {
			for range insistences {
				if w.r.wire.servers.unanswered(server.Address) < surelySilent && soon.Err() == nil {
					w.askSilent(soon, s.Zone, name, answers)
				}
			}
		})
	}
	asked.Wait()
	for i := range s.Answers {
		if a := &s.Answers[i]; a.Outcome == Silent {
			a.Unanswered = w.r.wire.servers.unanswered(a.Server.Address)
		}
	}
}

// mute are the servers of a step that only were silent, if another one spoke, each with
// its answers.
func (s *Step) mute() map[Server][]*Answer {
	mute := map[Server][]*Answer{}
	for i := range s.Answers {
		mute[s.Answers[i].Server] = append(mute[s.Answers[i].Server], &s.Answers[i])
	}
	maps.DeleteFunc(mute, func(_ Server, answers []*Answer) bool {
		return slices.ContainsFunc(answers, func(a *Answer) bool { return a.Outcome != Silent })
	})
	if !slices.ContainsFunc(s.Answers, func(a Answer) bool { return a.Outcome.Speaks() }) {
		return nil
	}
	return mute
}

// askSilent puts the questions once more that one server leaves unanswered.
func (w *walk) askSilent(ctx context.Context, zone, name string, answers []*Answer) {
	var asked sync.WaitGroup
	for _, a := range answers {
		if a.Outcome != Silent {
			continue
		}
		w.do(&asked, func() {
			got, _ := w.askOne(ctx, canonical(zone), a.Server, question{name: name, qtype: qtypeOf(a.Type), brief: true})
			if got.Outcome == Silent || got.Outcome == unasked {
				return
			}
			got.Again = true
			*a = got
			if got.Outcome == Alias {
				w.follow(ctx, canonical(got.Target))
			}
		})
	}
	asked.Wait()
}

// givesTwoAliases tells whether one server gave two aliases of the name in this look:
// one for each type. As a name has but one (RFC 2181 §10.1), they take turns.
func (s *Step) givesTwoAliases() bool {
	given := map[Server]string{}
	for _, a := range s.Answers {
		if a.Outcome != Alias {
			continue
		}
		if target, known := given[a.Server]; known && target != a.Target {
			return true
		}
		given[a.Server] = a.Target
	}
	return false
}

// hasData tells whether an answer gives records.
func (a *Answer) hasData() bool { return a.Outcome == OK || a.Outcome == Alias }

// join takes in what the server of the answer at i gave the second time.
func (s *Step) join(i int, second Answer) {
	first := &s.Answers[i]
	if first.Outcome != OK || second.Outcome != OK {
		s.Answers = append(s.Answers, second)
		return
	}
	all := slices.Concat(first.Addresses, second.Addresses)
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all)
	first.Addresses = slices.Clip(all[:min(len(all), addressLimit)])
	first.TTL = max(first.TTL, second.TTL)
	if first.Odd == nil {
		first.Odd = second.Odd
	}
}

// serials asks each server that speaks for the zone's SOA.
func (w *walk) serials(ctx context.Context, s *Step) {
	zone := canonical(s.Zone)
	var servers []Server
	for _, a := range s.Answers {
		if a.Outcome.Speaks() && !slices.Contains(servers, a.Server) {
			servers = append(servers, a.Server)
		}
	}
	found := make([]Answer, len(servers))
	var asked sync.WaitGroup
	for i, server := range servers {
		w.do(&asked, func() {
			found[i] = w.askShared(ctx, zone, server, question{name: zone, qtype: dns.TypeSOA}, w.spendAgain)
		})
	}
	asked.Wait()
	for i := range s.Answers {
		a := &s.Answers[i]
		if at := slices.Index(servers, a.Server); at >= 0 && found[at].Outcome == OK {
			a.Serial, a.Primary = found[at].Serial, found[at].Primary
		}
	}
}
