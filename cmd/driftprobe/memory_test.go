package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/config"
	"driftprobe/dnscheck"
	"driftprobe/internal/issuance"
	"driftprobe/internal/lab"
	"driftprobe/internal/snapshot"
	"driftprobe/internal/state"
	"driftprobe/lbcheck"
)

func openState(t *testing.T, path string) *state.Store {
	t.Helper()
	f, _, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func save(t *testing.T, a *alertStore, value string) {
	t.Helper()
	if err := a.Save("notify", []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, what string, s interface{ Load(string) ([]byte, error) }, want string) {
	t.Helper()
	got, err := s.Load("notify")
	if err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", what, got, err, want)
	}
}

func TestAlertsAreTakenUpFromTheFileAtTheStart(t *testing.T) {
	file := openState(t, filepath.Join(t.TempDir(), "state.json"))
	if err := file.Save("notify", []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	var a alertStore
	holds(t, "without a file", &a, "")
	a.use(file)
	holds(t, "with a file", &a, "1")
}

// An incident that was told must end as one that was told, whatever a reload does
// to state.file.
func TestAlertsOutliveAReloadThatNamesAnotherFile(t *testing.T) {
	folder := t.TempDir()
	first, second := openState(t, filepath.Join(folder, "a")), openState(t, filepath.Join(folder, "b"))
	if err := second.Save("notify", []byte(`"old"`)); err != nil {
		t.Fatal(err)
	}
	var a alertStore
	a.use(first)
	save(t, &a, `1`)
	a.use(second)
	holds(t, "after the reload", &a, "1")
	save(t, &a, `2`)
	holds(t, "the new file", second, "2")
	holds(t, "the old file", first, "1")
	a.use(nil)
	save(t, &a, `3`)
	holds(t, "without a file", &a, "3")
	a.use(first)
	holds(t, "with a file again", &a, "3")
}

// state.File goes back to the former value when it cannot write; after a reload
// that would tell everything again.
func TestAlertsOutliveAReloadWhenTheDiskIsFull(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var a alertStore
	a.use(openState(t, filepath.Join(folder, "state.json")))
	save(t, &a, `1`)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if a.Save("notify", []byte(`2`)) == nil {
		t.Error("a file that cannot be written is no error")
	}
	holds(t, "after the failure", &a, "2")
}

func TestGenerationsShareAStateFileByItsPath(t *testing.T) {
	folder, all, log := t.TempDir(), memories{}, slog.New(slog.DiscardHandler)
	at := func(path string) *state.Store {
		m, err := all.open(t.Context(), process{}, config.Config{State: config.State{File: path}}, "test", log)
		if err != nil {
			t.Fatal(err)
		}
		return m.store
	}
	open := func(name string) *state.Store { return at(filepath.Join(folder, name)) }
	first, other := open("a"), open("b")
	if first == other || open("a") != first || open("b") != other {
		t.Error("a path is opened twice, or two paths once")
	}
	if at("") != nil {
		t.Error("no path gives a file")
	}
}

// drawer is a place with little room.
type drawer struct {
	room    int
	content []byte
}

func (d *drawer) String() string        { return "drawer" }
func (d *drawer) Aside() string         { return "floor" }
func (d *drawer) Read() ([]byte, error) { return d.content, nil }
func (d *drawer) SetAside() error       { return nil }
func (d *drawer) Write(content []byte) error {
	if len(content) > d.room {
		return state.ErrTooLarge
	}
	d.content = bytes.Clone(content)
	return nil
}

// longHistory is of hosts that each drained at another time.
func longHistory(now time.Time, hosts int) (h snapshot.History) {
	for i := range hosts {
		h.Records.Sightings = append(h.Records.Sightings, dnscheck.Sighting{
			Host: fmt.Sprintf("h%04d.shop.example", i), Address: netip.MustParseAddr("203.0.113.1"),
			FirstSeen: now.Add(-time.Hour), LastSeen: now.Add(-time.Duration(i) * time.Second),
		})
	}
	return h
}

func TestAHistoryThatDoesNotFitIsCut(t *testing.T) {
	now := time.Now()
	all := longHistory(now, 2000)
	place := &drawer{room: 200 << 10}
	store := state.New(place)
	cut, err := remember(store, all, now)
	if err != nil || cut == 0 {
		t.Fatalf("cut %d, %v; want a part", cut, err)
	}
	if n := len(all.Records.Sightings); n != 2000 || all.Records.Sightings[0].Host == "" {
		t.Errorf("the snapshot's own history has %d sightings", n)
	}
	again := recalled(t, store)
	if len(again.History.Records.Sightings) < 200 || again.History.Records.Sightings[0].Host != "h0000.shop.example" {
		t.Errorf("%d sightings are left; want the newest", len(again.History.Records.Sightings))
	}
	if cut, err := remember(store, longHistory(now, 10), now); cut != 0 || err != nil {
		t.Errorf("one that fits: cut %d, %v", cut, err)
	}
}

// issuedOften has as many certificates, and one set of names that was ordered twice.
func issuedOften(now time.Time, hosts int) issuance.History {
	var seen []issuance.Seen
	for n := range hosts {
		name := fmt.Sprintf("h%04d.shop.example", n)
		s := issuance.Seen{
			At: now.Add(-time.Duration(hosts-n) * time.Second), Host: name, Address: netip.MustParseAddr("203.0.113.1"),
			Names: []string{name}, CA: "Let's Encrypt", Serial: "1", Issued: now.Add(-time.Hour).UTC(), NotAfter: now.UTC(),
		}
		seen = append(seen, s)
		if n == 0 {
			s.Serial = "2"
			seen = append(seen, s)
		}
	}
	return issuance.History{}.Remember(seen)
}

func TestCertificatesOutliveARestart(t *testing.T) {
	now := time.Now().Round(0).UTC()
	all := snapshot.History{Certificates: issuedOften(now, 3)}
	store := openState(t, filepath.Join(t.TempDir(), "state.json"))
	if _, err := remember(store, all, now); err != nil {
		t.Fatal(err)
	}
	again := recalled(t, store)
	if !reflect.DeepEqual(again.History.Certificates, all.Certificates) {
		t.Errorf("%+v\nis not\n%+v", again.History.Certificates, all.Certificates)
	}
}

// Of certificates those go first that were ordered once.
func TestCertificatesDoNotPushOutTheRest(t *testing.T) {
	now := time.Now().Round(0).UTC()
	all := longHistory(now, 100)
	all.Certificates = issuedOften(now, 2000)
	store := state.New(&drawer{room: 200 << 10})
	if cut, err := remember(store, all, now); err != nil || cut == 0 {
		t.Fatalf("cut %d, %v; want a part", cut, err)
	}
	again := recalled(t, store)
	if len(again.History.Records.Sightings) != 100 || len(again.History.Certificates.Sets) < 10 {
		t.Errorf("%d sightings, %d sets are left", len(again.History.Records.Sightings), len(again.History.Certificates.Sets))
	}
	if !slices.ContainsFunc(again.History.Certificates.Sets, func(s issuance.Set) bool { return len(s.Issuances) == 2 }) {
		t.Error("the one that was ordered again is forgotten")
	}
}

// What is left when nothing more can be cut must not be tried for ever.
func TestAHistoryThatCannotBeCutIsAnError(t *testing.T) {
	now := time.Now()
	var all snapshot.History
	for n := range 5000 {
		all.Addresses.Sightings = append(all.Addresses.Sightings, lbcheck.Sighting{Balancer: fmt.Sprint(n)})
	}
	if _, err := remember(state.New(&drawer{room: 100 << 10}), all, now); !errors.Is(err, state.ErrTooLarge) {
		t.Errorf("%v, want that it is too large", err)
	}
}

// Alerts that cannot be kept are told again; of a history only the times are lost. As
// much of it is kept as fits beside them, however little that is.
func TestAlertsTakeTheRoomOfTheHistory(t *testing.T) {
	now := time.Now()
	const room = 200 << 10
	for _, beside := range []int{5 << 10, 10 << 10, 30 << 10, 50 << 10, 60 << 10, 70 << 10, 100 << 10} {
		store := state.New(&drawer{room: room})
		if _, err := remember(store, longHistory(now, 2000), now); err != nil {
			t.Fatal(err)
		}
		var a alertStore
		a.use(store)
		large := `"` + strings.Repeat("x", room-beside) + `"`
		save(t, &a, large)
		holds(t, "the store", store, large)
		cut, err := remember(store, longHistory(now, 2000), now)
		if err != nil || cut == 0 {
			t.Errorf("cut %d, %v; want what fits into %d bytes", cut, err, beside)
		}
		holds(t, "the store with the history", store, large)
		again := recalled(t, store)
		if n := len(again.History.Records.Sightings); n < beside/400 {
			t.Errorf("%d sightings are left in %d bytes", n, beside)
		}
	}
}

// The API server is away at the start: what was kept there is not overwritten unseen
// when it is back.
func TestStateOfAClusterThatDoesNotAnswerAtTheStart(t *testing.T) {
	d := newDesk(t)
	k, err := lab.NewKubernetes("lab-token")
	d.must(err)
	defer func() { d.must(k.Close()) }()
	cfg := config.Config{State: config.State{ConfigMap: "ours/state"}}
	cfg.Kubernetes.Kubeconfig = d.file("kubeconfig", string(k.Kubeconfig()))
	open := func(ctx context.Context, log *slog.Logger) *state.Store {
		t.Helper()
		m, err := memories{}.open(ctx, d.process(new(syncBuffer), new(syncBuffer)), cfg, "test", log)
		d.must(err)
		return m.store
	}
	d.must(open(t.Context(), slog.New(slog.DiscardHandler)).Save("notify", []byte(`"before"`)))
	holds(t, "taken up", open(t.Context(), slog.New(slog.DiscardHandler)), `"before"`)

	d.must(k.Stop())
	ended, end := context.WithCancel(t.Context())
	end() // it would be tried for seconds
	var log bytes.Buffer
	store := open(ended, slog.New(slog.NewTextHandler(&log, nil)))
	if !strings.Contains(log.String(), "going on without what was kept") {
		t.Errorf("it does not say that the state can't be read:\n%s", log.String())
	}
	if store.Save("notify", []byte(`"meanwhile"`)) == nil {
		t.Error("Save to a server that is away succeeded")
	}
	d.must(k.Start())
	for limit := time.Now().Add(30 * time.Second); store.Save("notify", []byte(`"after"`)) != nil && time.Now().Before(limit); {
		runtime.Gosched() // it is tried again after a second
	}
	holds(t, "after its return", open(t.Context(), slog.New(slog.DiscardHandler)), `"after"`)
	if k.Get("ConfigMap", "ours", "state-corrupt") == nil {
		t.Error("what was kept before is gone")
	}
}

func TestWhoTakesOverForgetsWhatItTold(t *testing.T) {
	store := state.New(&drawer{room: 1 << 10})
	var a alertStore
	a.use(store)
	save(t, &a, `1`)
	if err := store.Save("notify", []byte(`2`)); err != nil { // by another process
		t.Fatal(err)
	}
	holds(t, "before", &a, "1")
	a.forget()
	holds(t, "after", &a, "2")
}

// Who leads again begins with what it told itself, unless another has told since.
func TestWhoLeadsAgainKeepsWhatItTold(t *testing.T) {
	const same, other = "ours/state", "ours/other"
	for rule, c := range map[string]struct {
		meanwhile   func(d *desk, k *lab.Kubernetes, ours *alertStore, another *state.Store)
		place, want string
	}{
		"nothing has happened": {func(*desk, *lab.Kubernetes, *alertStore, *state.Store) {}, same, "1"},
		"another has told": {func(d *desk, _ *lab.Kubernetes, _ *alertStore, another *state.Store) {
			d.must(another.Save("notify", []byte("2")))
		}, same, "2"},
		"what another wrote is damaged": {func(d *desk, k *lab.Kubernetes, _ *alertStore, another *state.Store) {
			d.must(another.Save("notify", []byte("2")))
			written := k.Get("ConfigMap", "ours", "state")
			written["binaryData"] = map[string]any{"state.json.gz": "AAAA"}
			d.must(k.Apply(written))
		}, same, "1"},
		"the last could not be kept": {func(_ *desk, _ *lab.Kubernetes, ours *alertStore, _ *state.Store) {
			ours.data["notify"] = []byte("2")
		}, same, "2"},
		"the place is another, which is empty": {func(*desk, *lab.Kubernetes, *alertStore, *state.Store) {}, other, "1"},
		"the place is another, and refused":    {func(_ *desk, k *lab.Kubernetes, _ *alertStore, _ *state.Store) { k.SetAllowed("configmaps", false) }, other, "1"},
	} {
		t.Run(rule, func(t *testing.T) {
			d := newDesk(t)
			k, err := lab.NewKubernetes("lab-token")
			d.must(err)
			defer func() { d.must(k.Close()) }()
			var cfg config.Config
			cfg.Kubernetes.Kubeconfig, cfg.Kubernetes.Lease = d.file("kubeconfig", string(k.Kubeconfig())), "ours/lease"
			cfg.Alerts.MinSeverity = "critical"
			ended, end := context.WithCancel(t.Context())
			end() // it speaks for no time, and asks once
			s := &server{log: slog.New(slog.DiscardHandler), self: "we", memories: memories{}}
			open := func(all memories, self, place string) memory {
				cfg.State.ConfigMap = place
				m, err := all.open(ended, d.process(new(syncBuffer), new(syncBuffer)), cfg, self, s.log)
				d.must(err)
				return m
			}
			speak := func(place string) {
				d.must(s.speak(ended, &generation{cfg: cfg, parts: new(parts), memory: open(s.memories, "we", place)}, new(voice)))
			}
			speak(same)
			save(t, &s.alerts, "1")
			c.meanwhile(d, k, &s.alerts, open(memories{}, "another", same).store)
			speak(c.place)
			holds(t, "what is told", &s.alerts, c.want)
		})
	}
}

func TestATroubleThatStandsIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	out := slog.New(slog.NewTextHandler(&log, nil))
	var n standing
	for _, trouble := range []string{"", "full", "full", "", "", "full"} {
		n.note(out, "not kept", trouble)
	}
	if got := strings.Count(log.String(), "\n"); got != 3 {
		t.Errorf("%d lines, want 3:\n%s", got, log.String())
	}
}

func TestJudgeBoundsWhatItReads(t *testing.T) {
	many := func(n int) []byte { return bytes.Repeat([]byte("0,"), n) }
	valid, err := json.Marshal(map[string]any{"snapshot": map[string]any{"version": 1}})
	if err != nil {
		t.Fatal(err)
	}
	for rule, c := range map[string]struct {
		data []byte
		says string
	}{
		"an honest document":                        {valid, ""},
		"values that would take far more than they": {many(maxValues + 1), "more than"},
		"no more values than allowed":               {many(maxValues), "invalid character"},
	} {
		t.Run(rule, func(t *testing.T) {
			_, _, err := readSnapshot(bytes.NewReader(c.data), "it")
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
