package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"driftprobe/test/world"
)

func readKept(state string) (kept, error) {
	var file struct {
		Values struct{ History struct{ Certificates kept } }
	}
	data, err := os.ReadFile(state)
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	return file.Values.History.Certificates, err
}

// awaitNext waits until the state says how many entries were read.
func awaitNext(t *testing.T, state string, next int) {
	t.Helper()
	err := world.Poll(t, time.Minute, func(context.Context) error {
		k, err := readKept(state)
		if err == nil && (len(k.Positions) != 1 || k.Positions[0].Next != next) {
			err = fmt.Errorf("the state has %+v", k.Positions)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// startWatching runs the program until it is killed.
func startWatching(t *testing.T, config string) (kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "--config", config, "--web.listen-address", "127.0.0.1:0")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Errorf("it had ended before it was killed: %v\n%s", err, stderr.String())
		}
	})
}

// TestALogIsReadOnAfterKill reads a log of Tessera with 10,000 entries: over kill -9,
// nothing twice, and nothing that is not signed.
func TestALogIsReadOnAfterKill(t *testing.T) {
	t.Parallel()
	l := startTransparency(t)
	state := filepath.Join(t.TempDir(), "state.json")
	config := l.config(t, state)

	// One look reads 16 tiles. The tiles after them do not come.
	const first = 16 * 256
	l.set(nil, func(ctx context.Context, path string) {
		if strings.HasPrefix(path, "tile/data/") && path >= "tile/data/016" {
			<-ctx.Done()
		}
	})
	kill := startWatching(t, config)
	defer kill()
	awaitNext(t, state, first)
	kill()
	if tiles := l.read(); len(tiles) < 16 || !slices.Equal(tiles[:16], slices.Compact(slices.Sorted(slices.Values(tiles[:16])))) {
		t.Errorf("read %v", tiles)
	}

	l.set(nil, nil)
	kill = startWatching(t, config)
	defer kill()
	awaitNext(t, state, logEntries)
	kill()
	var want []string
	for n := 16; n < logEntries/256; n++ {
		want = append(want, fmt.Sprintf("%03d", n))
	}
	want = append(want, fmt.Sprintf("%03d.p/%d", logEntries/256, logEntries%256))
	if tiles := l.read(); !slices.Equal(tiles, want) {
		t.Errorf("after kill -9 it read\n%v, want\n%v", tiles, want)
	}
	checkShop(t, state)

	l.set(nil, nil)
	seen := execute(t, "--once", "-o", "json", "--config", config)
	seen.report = seen.parse(t)
	if tiles := l.read(); len(tiles) != 0 {
		t.Errorf("nothing is new, and it read %v", tiles)
	}
	for code, severity := range map[string]string{"issuance/rate-limit": "critical", "issuance/unexpected-issuer": "warning"} {
		n := slices.IndexFunc(seen.Findings, func(f finding) bool { return f.Code == code })
		if n < 0 {
			t.Fatalf("no %s from the log alone:\n%s", code, indent(seen.Findings))
		}
		if f := seen.Findings[n]; f.Severity != severity || !strings.Contains(strings.Join(f.SeenAt, " "), "Certificate Transparency: 127.0.0.1:") {
			t.Errorf("%s", indent(f))
		}
	}
	checkLies(t, l, state)
}

// checkShop wants the five certificates of shop.example, and none of the others.
func checkShop(t *testing.T, state string) {
	t.Helper()
	k, err := readKept(state)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Sets) != 1 || !slices.Equal(k.Sets[0].Names, []string{"shop.example", "www.shop.example"}) || len(k.Sets[0].Issuances) != len(shopEntries()) {
		t.Fatalf("kept %+v", k.Sets)
	}
	for n, entry := range shopEntries() {
		if serial := fmt.Sprintf("%x", entry+1); k.Sets[0].Issuances[n].Serial != serial {
			t.Errorf("issuance %d has serial %s, want %s", n, k.Sets[0].Issuances[n].Serial, serial)
		}
	}
}

// checkLies wants each lie refused with a clear word, and the good checkpoint kept.
func checkLies(t *testing.T, l *transparency, state string) {
	good, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	instead := func(text []byte) func(string, []byte) []byte {
		return func(path string, content []byte) []byte {
			if path == "checkpoint" {
				return text
			}
			return content
		}
	}
	for _, lie := range []struct {
		name, says string
		anew       bool // with an empty state
		change     func(string, []byte) []byte
	}{
		{"a shrunk tree", "5000 entries, after 10000", false, instead(l.signer.checkpoint(t, 5000, [32]byte{1}))},
		{"another root", "does not begin with the 10000", false, instead(l.signer.checkpoint(t, logEntries, [32]byte{1}))},
		{"a longer tree that is none", "which its checkpoint promises, is not there", false, instead(l.signer.checkpoint(t, logEntries+1, [32]byte{1}))},
		{"a bad signature", "not signed by the log's key", false, func(path string, content []byte) []byte {
			if path == "checkpoint" {
				content = bytes.Replace(content, []byte("\n10000\n"), []byte("\n10001\n"), 1)
			}
			return content
		}},
		{"a truncated tile", "tile 3 of its entries: an entry is cut off", true, func(path string, content []byte) []byte {
			if path == "tile/data/003" {
				content = content[:len(content)-100]
			}
			return content
		}},
		{"an altered tile", "entry 768 is not the one that was signed", true, func(path string, content []byte) []byte {
			if path == "tile/data/003" {
				content = bytes.Clone(content)
				content[5] ^= 1
			}
			return content
		}},
	} {
		t.Run(lie.name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "state.json")
			if !lie.anew {
				if err := os.WriteFile(state, good, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l.set(lie.change, nil)
			defer l.set(nil, nil)
			seen := execute(t, "--once", "-o", "json", "--config", l.config(t, state))
			seen.report = seen.parse(t)
			n := slices.IndexFunc(seen.Findings, func(f finding) bool { return f.Code == "issuance/log-unread" })
			if n < 0 || !strings.Contains(seen.Findings[n].Observed, lie.says) || seen.Findings[n].Hint == "" {
				t.Fatalf("no finding says %q:\n%s", lie.says, indent(seen.Findings))
			}
			k, err := readKept(state)
			if err != nil || len(k.Positions) != 1 || !lie.anew && k.Positions[0].Size != logEntries || lie.anew && k.Positions[0].Next != 3*256 {
				t.Errorf("then the state has %+v (%v)", k.Positions, err)
			}
		})
	}
}
