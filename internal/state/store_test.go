package state

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// shelf is a place in memory that can fail.
type shelf struct {
	content, aside []byte
	fault          error
}

func (s *shelf) String() string { return "shelf" }
func (s *shelf) Aside() string  { return "aside" }
func (s *shelf) Read() ([]byte, error) {
	return s.content, s.fault
}

func (s *shelf) Write(content []byte) error {
	if s.fault == nil {
		s.content = append([]byte(nil), content...)
	}
	return s.fault
}

func (s *shelf) SetAside() error {
	if s.fault == nil {
		s.aside, s.content = s.content, nil
	}
	return s.fault
}

func TestWhatCouldNotBeReadIsKeptAsideAndNotOverwritten(t *testing.T) {
	p := &shelf{content: []byte(`{"version":1,"values":{"a":1}}`), fault: errors.New("gone")}
	s := New(p)
	if warning, err := s.Reread(); !errors.Is(err, p.fault) || warning != nil {
		t.Fatalf("Reread = %v, %v, want %v", warning, err, p.fault)
	}
	if err := s.Save("b", []byte("2")); !errors.Is(err, p.fault) {
		t.Fatalf("Save = %v, want %v", err, p.fault)
	}
	p.fault = nil
	save(t, s, "b", "2")
	if string(p.aside) != `{"version":1,"values":{"a":1}}` {
		t.Errorf("kept aside: %q", p.aside)
	}
	save(t, s, "b", "3")
	if string(p.aside) != `{"version":1,"values":{"a":1}}` {
		t.Errorf("after another Save: %q", p.aside)
	}
}

func TestRereadTakesWhatAnotherHasWritten(t *testing.T) {
	p := &shelf{}
	s := New(p)
	save(t, s, "a", "1")
	if p.aside != nil {
		t.Errorf("an empty place was kept aside: %q", p.aside)
	}
	p.content = []byte(`{"version":1,"values":{"b":2}}`)
	if warning, err := s.Reread(); warning != nil || err != nil {
		t.Fatal(warning, err)
	}
	wantValue(t, s, "a", "")
	wantValue(t, s, "b", "2")
	p.fault = errors.New("gone")
	if _, err := s.Reread(); err == nil {
		t.Fatal("Reread of a place that fails succeeded")
	}
	wantValue(t, s, "b", "2")
}

// stuck is a shelf whose writes wait until they are let go.
type stuck struct {
	shelf
	letGo chan struct{}
}

func (s *stuck) Write(content []byte) error {
	<-s.letGo
	return s.shelf.Write(content)
}

// A disk that hangs is an error like one that is full: nobody waits for it for ever.
func TestAPlaceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &stuck{letGo: make(chan struct{}, 10)}
		s := New(p)
		p.letGo <- struct{}{}
		save(t, s, "a", "1")
		began := time.Now()
		for range 3 {
			if err := s.Save("a", []byte("2")); !errors.Is(err, errHangs) {
				t.Fatalf("Save = %v, want %v", err, errHangs)
			}
		}
		if _, err := s.Reread(); !errors.Is(err, errHangs) || s.Close() != nil || s.Foreign() {
			t.Errorf("Reread = %v, want %v", err, errHangs)
		}
		if d := time.Since(began); d != patience {
			t.Errorf("they took %s together, want %s", d, patience)
		}
		wantValue(t, s, "a", "1")
		close(p.letGo)
		for err := errHangs; errors.Is(err, errHangs); { // no Wait: the race detector is to see what orders them
			runtime.Gosched()
			_, err = s.Reread()
		}
		wantValue(t, s, "a", "2")
		save(t, s, "a", "3")
		wantValue(t, s, "a", "3")
		if want := "{\"version\":1,\"values\":{\"a\":3}}\n"; string(p.content) != want {
			t.Errorf("the place has %q, want %q", p.content, want)
		}
	})
}

func TestOneValueCanBeGivenUpForAnother(t *testing.T) {
	p := &shelf{}
	s := New(p)
	save(t, s, "a", "1")
	save(t, s, "b", "2")
	p.fault = errors.New("gone")
	if err := s.SaveInstead("b", []byte("3"), "a"); err == nil {
		t.Fatal("SaveInstead in a place that fails succeeded")
	}
	wantValue(t, s, "a", "1")
	p.fault = nil
	if err := s.SaveInstead("b", []byte("3"), "a"); err != nil {
		t.Fatal(err)
	}
	wantValue(t, s, "a", "")
	wantValue(t, s, "b", "3")
}
