package dnscheck

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestADeadServerKeepsFewQuestionsWaiting(t *testing.T) {
	t.Parallel()
	heard := make(chan struct{}, 2*patientLimit)
	var slow []byte // the answer to the first question, which comes late
	p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte {
		heard <- struct{}{}
		switch {
		case slow == nil:
			slow = answerTo(packet)
		case asks(packet, numbered(100)):
			return [][]byte{slow}
		}
		return nil
	})
	x := newTestExchanger(t)
	locked(x.servers, func() { x.servers.entry(p.at).silences = deadAfter })
	// The full wait of this time is longer than the test may take.
	ctx, end := context.WithTimeout(t.Context(), time.Hour)
	defer end()
	var waiting sync.WaitGroup
	patient := make(chan reply, patientLimit)
	for i := range patientLimit {
		waiting.Go(func() { patient <- x.ask(ctx, p.at, numbered(i)) })
		<-heard
	}
	silent := func(i int) {
		t.Helper()
		if r := x.ask(ctx, p.at, numbered(i)); r.outcome != Silent {
			t.Errorf("got %+v, want silence", r)
		}
	}
	silent(99)
	if len(patient) != 0 {
		t.Error("a question that was to wait has ended")
	}
	// One that waits still hears the slow server, which then counts as alive.
	silent(100)
	if r := <-patient; r.msg == nil {
		t.Errorf("who waited: %+v", r)
	}
	end()
	waiting.Wait()
	locked(x.servers, func() {
		if s := x.servers.known[p.at].sock; s.patient != 0 || s.users != 0 {
			t.Errorf("%d wait, and %d use the socket", s.patient, s.users)
		}
	})
}

func TestAServerThatAnsweredHasAllPatienceAgain(t *testing.T) {
	t.Parallel()
	v := newServers(4, unlimitedRate)
	defer v.close()
	at := newPeer(t, echo).at
	take := func(want patience) *socket {
		t.Helper()
		s, got, err := v.acquire(at)
		if err != nil || got != want {
			t.Errorf("patience %d, want %d; %v", got, want, err)
		}
		return s
	}
	for range deadAfter {
		v.release(take(twice), twice, isSilent)
	}
	var held []*socket
	for range patientLimit {
		held = append(held, take(once))
	}
	v.release(take(briefly), briefly, isSilent)
	v.release(held[0], once, isSilent)
	v.release(take(once), once, speaks)
	v.release(take(twice), twice, noSign)
	for _, s := range held[1:] {
		v.release(s, once, noSign)
	}
}
