package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/internal/state"
)

func connected(t *testing.T, k *lab.Kubernetes, log *bytes.Buffer) *Client {
	t.Helper()
	s := Settings{Kubeconfig: kubeconfig(t, k)}
	if log != nil {
		s.Log = slog.New(slog.NewTextHandler(log, nil))
	}
	c, err := Connect(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stateOf is a place as a process of this name has it.
func stateOf(t *testing.T, k *lab.Kubernetes, writer string, leads func() bool) *ConfigMap {
	t.Helper()
	return connected(t, k, nil).ConfigMap(t.Context(), "ours", "state", writer, leads)
}

func write(t *testing.T, m *ConfigMap, content string) {
	t.Helper()
	if err := m.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
}

func wantContent(t *testing.T, m *ConfigMap, want string) {
	t.Helper()
	if got, err := m.Read(); err != nil || string(got) != want {
		t.Errorf("Read = %q, %v; want %q", got, err, want)
	}
}

func TestAConfigMapKeepsTheContent(t *testing.T) {
	k := newServer(t)
	m := stateOf(t, k, "one", nil)
	if got, err := m.Read(); got != nil || err != nil {
		t.Fatalf("Read of nothing = %q, %v", got, err)
	}
	write(t, m, "first")
	write(t, m, "second")
	wantContent(t, stateOf(t, k, "two", nil), "second")
	wantContent(t, m, "second")
	if k.Get("ConfigMap", "ours", "state")["metadata"].(object)["annotations"].(object)[writerAnnotation] != "one" {
		t.Error("it does not say who wrote it")
	}
}

// What another process wrote is news once, and not each time that it is read.
func TestAnothersContentIsNewsOnce(t *testing.T) {
	k := newServer(t)
	m, rival := stateOf(t, k, "one", nil), stateOf(t, k, "two", nil)
	news := func(what string, want bool) {
		t.Helper()
		if _, err := m.Read(); err != nil || m.Foreign() != want {
			t.Errorf("%s: foreign is %v, %v; want %v", what, m.Foreign(), err, want)
		}
	}
	write(t, rival, "before us")
	news("at the start", true)
	news("again", false)
	wantContent(t, rival, "before us")
	write(t, rival, "meanwhile")
	news("when it wrote", true)
	write(t, m, "ours")
	news("when we wrote", false)
}

func TestAConfigMapOfUsersHasNoContent(t *testing.T) {
	k := newServer(t, object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"namespace": "ours", "name": "state"}})
	m := stateOf(t, k, "one", nil)
	if got, err := m.Read(); got != nil || err != nil {
		t.Fatalf("Read = %q, %v", got, err)
	}
	write(t, m, "first")
	wantContent(t, m, "first")
}

// What is too large must be said, and what is there must stay.
func TestAConfigMapHoldsAMebibyte(t *testing.T) {
	m := stateOf(t, newServer(t), "one", nil)
	write(t, m, "small")
	random := make([]byte, maxConfigMap+1)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	if err := m.Write(random); !errors.Is(err, state.ErrTooLarge) {
		t.Errorf("Write of a mebibyte that cannot be compressed: %v", err)
	}
	wantContent(t, m, "small")
	write(t, m, strings.Repeat("x", 10<<20))
}

func TestUnusableContentIsKeptInAnotherConfigMap(t *testing.T) {
	var newer bytes.Buffer
	zip := gzip.NewWriter(&newer)
	if _, err := zip.Write([]byte(`{"version":7,"values":[1]}`)); err != nil || zip.Close() != nil {
		t.Fatal(err)
	}
	for rule, content := range map[string]string{
		"no gzip": "garbage", "half of it": "\x1f\x8b\x08\x00\x00\x00", "of a newer version": newer.String(),
	} {
		t.Run(rule, func(t *testing.T) {
			encoded := base64.StdEncoding.EncodeToString([]byte(content))
			k := newServer(t, object{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"namespace": "ours", "name": "state"},
				"binaryData": object{stateKey: encoded},
			})
			s := state.New(stateOf(t, k, "one", nil))
			warning, err := s.Reread()
			if err != nil || warning == nil || !strings.Contains(warning.Error(), "ours/state-corrupt") {
				t.Fatalf("%v, %v; want a warning that names where it is kept", warning, err)
			}
			if err := s.Save("a", []byte("1")); err != nil {
				t.Fatal(err)
			}
			aside := k.Get("ConfigMap", "ours", "state-corrupt")
			if aside == nil || aside["binaryData"].(object)[stateKey] != encoded {
				t.Errorf("kept aside: %v", aside)
			}
		})
	}
}

// stopped expects that the place does not write, because another does.
func stopped(t *testing.T, m *ConfigMap) {
	t.Helper()
	m.failed = m.failed.Add(-retryLast)
	if err := m.Write([]byte("too early")); err == nil || !strings.Contains(err.Error(), m.rival+" writes it too") {
		t.Fatalf("Write = %v, want that another writes it too", err)
	}
}

// passes lets time pass for the place.
func passes(m *ConfigMap, d time.Duration) {
	m.failed, m.since = m.failed.Add(-max(d, retryLast)), m.since.Add(-d)
}

func TestWriters(t *testing.T) {
	yes, no := func() bool { return true }, func() bool { return false }
	t.Run("one that wrote for the last time is followed", func(t *testing.T) {
		k := newServer(t)
		before, after := stateOf(t, k, "before", nil), stateOf(t, k, "after", nil)
		write(t, before, "1")
		wantContent(t, after, "1")
		write(t, before, "2")
		write(t, after, "3")
		write(t, after, "4")
		wantContent(t, after, "4")
	})
	t.Run("of two that go on, one stops", func(t *testing.T) {
		k := newServer(t)
		a, b := stateOf(t, k, "a", nil), stateOf(t, k, "b", nil)
		write(t, a, "a1")
		wantContent(t, b, "a1")
		write(t, b, "b1")
		write(t, a, "a2") // it might have been b's last
		write(t, b, "b2")
		err := a.Write([]byte("a3"))
		if err == nil || !strings.Contains(err.Error(), "b writes it too") {
			t.Fatalf("Write = %v, want that b writes it too", err)
		}
		asked := k.Requests.Len()
		if again := a.Write([]byte("a3")); again == nil || k.Requests.Len() != asked {
			t.Errorf("at once: %v with %d requests", again, k.Requests.Len()-asked)
		}
		a.failed = a.failed.Add(-retryLast)
		if again := a.Write([]byte("a3")); again == nil || again.Error() != err.Error() {
			t.Errorf("later: %v", again)
		}
		write(t, b, "b3")
		wantContent(t, b, "b3")
	})
	t.Run("one that made us stop and has ended is followed", func(t *testing.T) {
		k := newServer(t)
		before, after := stateOf(t, k, "before", nil), stateOf(t, k, "after", nil)
		write(t, before, "1")
		wantContent(t, after, "1")
		write(t, before, "2")
		write(t, after, "3")
		write(t, before, "4") // and ends
		stopped(t, after)
		passes(after, rivalGone-time.Second)
		stopped(t, after)
		passes(after, time.Second)
		write(t, after, "5")
		write(t, after, "6")
		wantContent(t, after, "6")
	})
	t.Run("one that goes on, however seldom it writes, is never followed", func(t *testing.T) {
		k := newServer(t)
		a, b := stateOf(t, k, "a", nil), stateOf(t, k, "b", nil)
		write(t, a, "a1")
		wantContent(t, b, "a1")
		write(t, b, "b1")
		write(t, a, "a2")
		write(t, b, "b2")
		for range 5 {
			stopped(t, a)
			passes(a, rivalGone-time.Second)
			write(t, b, "b3")
		}
		stopped(t, a)
		wantContent(t, b, "b3")
	})
	t.Run("who does not lead stops at once", func(t *testing.T) {
		k := newServer(t)
		old, leader := stateOf(t, k, "old", no), stateOf(t, k, "leader", yes)
		if _, err := old.Read(); err != nil {
			t.Fatal(err)
		}
		write(t, leader, "1")
		if err := old.Write([]byte("0")); err == nil || !strings.Contains(err.Error(), "leader writes it now") {
			t.Fatalf("Write = %v, want that another leads", err)
		}
		wantContent(t, leader, "1")
	})
	t.Run("who leads goes on", func(t *testing.T) {
		k := newServer(t)
		old, leader := stateOf(t, k, "old", no), stateOf(t, k, "leader", yes)
		write(t, old, "0")
		wantContent(t, leader, "0")
		for range 3 { // writes that were on their way
			write(t, old, "0")
			write(t, leader, "1")
			if _, err := old.Read(); err != nil {
				t.Fatal(err)
			}
		}
		wantContent(t, leader, "1")
	})
	t.Run("what people change beside it is nothing to us", func(t *testing.T) {
		k := newServer(t)
		m := stateOf(t, k, "one", nil)
		write(t, m, "1")
		for i := range 3 {
			label := k.Get("ConfigMap", "ours", "state")
			label["metadata"].(object)["labels"] = object{"by": strings.Repeat("x", i+1)}
			apply(t, k, label)
			write(t, m, "2")
		}
		if err := k.Delete("ConfigMap", "ours", "state"); err != nil {
			t.Fatal(err)
		}
		write(t, m, "3")
		wantContent(t, m, "3")
	})
	t.Run("an answer that was lost is no other writer", func(t *testing.T) {
		k := newServer(t)
		m := stateOf(t, k, "one", nil)
		write(t, m, "1")
		m.version = "100"
		write(t, m, "2")
		wantContent(t, m, "2")
	})
}

func TestFailuresAreExplainedAndNotRepeatedAtOnce(t *testing.T) {
	k := newServer(t)
	m := stateOf(t, k, "one", nil)
	k.SetAllowed("configmaps", false)
	err := m.Write([]byte("1"))
	if err == nil || !strings.Contains(err.Error(), "grant get, create and update on configmaps") || !strings.Contains(err.Error(), "namespace ours") {
		t.Errorf("without the right: %v", err)
	}
	k.SetAllowed("configmaps", true)
	asked := k.Requests.Len()
	if again := m.Write([]byte("1")); again == nil || again.Error() != err.Error() {
		t.Errorf("at once: %v, want the same", again)
	}
	if n := k.Requests.Len() - asked; n != 0 {
		t.Errorf("%d requests at once after a failure, want none", n)
	}
	m.failed = m.failed.Add(-retryLast)
	write(t, m, "1")

	k.SetFault(lab.HTTPFor(http.MethodPut, "/api/v1/namespaces/ours/configmaps", lab.KubeError(500, "InternalError", "etcdserver: leader changed")))
	if err := m.Write([]byte("2")); err == nil || !strings.Contains(err.Error(), "leader changed") {
		t.Errorf("of a server in trouble: %v", err)
	}
	k.SetFault(nil)
	m.failed = m.failed.Add(-retryLast)
	write(t, m, "3")
}
