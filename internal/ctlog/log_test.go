package ctlog

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/issuance"
)

func watched() []string { return []string{"shop.example"} }

func TestALogIsReadOn(t *testing.T) {
	l, ca := newStaticLog(t), newAuthority(t, "Example CA")
	logged := start().Add(-30 * time.Minute)
	l.add(tileLeaf(logged, ca.issue(0xa1, poison(), "www.shop.example", "shop.example"), true))
	l.fill(299)
	l.add(tileLeaf(logged, ca.issue(0xa2, nil, "other.example"), false))
	l.fill(5000)
	r := l.reader()

	first := r.Read(t.Context(), watched(), nil)
	if first.Failure != "" || !first.More || first.Positions[0].Next != maxTiles*width || !first.At.IsZero() {
		t.Fatalf("%+v", first)
	}
	if len(first.Seen) != 1 || first.Unreadable != maxTiles*width-2 {
		t.Fatalf("%d seen, %d unreadable", len(first.Seen), first.Unreadable)
	}
	got := first.Seen[0]
	if got.Serial != "a1" || got.CA != "Example CA" || !got.Issued.Equal(logged) || got.Log != r.Name() || !slices.Equal(got.Names, []string{"www.shop.example", "shop.example"}) {
		t.Errorf("%+v", got)
	}
	second := r.Read(t.Context(), watched(), first.Positions)
	if second.Failure != "" || second.More || second.Positions[0].Next != 5000 || !second.At.Equal(start()) || len(second.Seen) != 0 {
		t.Fatalf("%+v", second)
	}

	// The certificate itself follows its precertificate.
	l.add(tileLeaf(start(), ca.issue(0xa1, nil, "www.shop.example", "shop.example"), false))
	l.asked = nil
	third := l.reader().Read(t.Context(), watched(), second.Positions)
	if third.Failure != "" || len(third.Seen) != 1 || third.Unreadable != 0 || third.Positions[0].Next != 5001 {
		t.Fatalf("%+v", third)
	}
	for _, path := range l.asked {
		if strings.HasPrefix(path, "tile/data/") && path != "tile/data/019.p/137" {
			t.Errorf("%s was read again", path)
		}
	}
	h := issuance.History{}.Heard([]issuance.Reading{first}).Heard([]issuance.Reading{second}).Heard([]issuance.Reading{third})
	if len(h.Sets) != 1 || len(h.Sets[0].Issuances) != 1 || len(h.Positions) != 1 {
		t.Errorf("a certificate and its precertificate are %+v", h)
	}

	l.asked = nil
	if again := r.Read(t.Context(), watched(), third.Positions); again.Failure != "" || !slices.Equal(l.asked, []string{"checkpoint"}) {
		t.Errorf("nothing is new, and %v was asked (%s)", l.asked, again.Failure)
	}
	if anew := r.Read(t.Context(), []string{"other.example", "shop.example"}, third.Positions); len(anew.Seen) != 2 || anew.At != (time.Time{}) {
		t.Errorf("a new domain is not looked for from the beginning: %+v", anew)
	}
}

// Once a tile is full, its partial one may be gone.
func TestAPartialTileThatIsGone(t *testing.T) {
	l := newStaticLog(t)
	l.fill(300)
	old := l.checkpoint(l.tree())
	l.fill(600)
	l.change = func(path string, answer []byte) []byte {
		if path == "checkpoint" {
			return old
		}
		if strings.Contains(path, ".p/") && !strings.HasPrefix(path, "tile/1/") {
			return nil
		}
		return answer
	}
	if r := l.reader().Read(t.Context(), watched(), nil); r.Failure != "" || r.Positions[0].Next != 300 {
		t.Errorf("%+v", r)
	}
}

func TestALogThatLiesIsNotBelieved(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b = bytes.Clone(b); b[at] ^= 1; return b }
	}
	tests := []struct {
		name   string
		on     string // the path that is changed, by its beginning
		change func([]byte) []byte
		says   string
	}{
		{"no checkpoint", "checkpoint", func([]byte) []byte { return []byte("<html>login</html>") }, "not a checkpoint"},
		{"an empty answer", "checkpoint", func([]byte) []byte { return []byte{} }, "not a checkpoint"},
		{"another size", "checkpoint", func(b []byte) []byte { return bytes.Replace(b, []byte("\n700\n"), []byte("\n701\n"), 1) }, "not signed by the log's key"},
		{"an extension line", "checkpoint", func(b []byte) []byte { return bytes.Replace(b, []byte("\n\n"), []byte("\nmore\n\n"), 1) }, "not signed by the log's key"},
		{"a size with a sign", "checkpoint", func(b []byte) []byte { return bytes.Replace(b, []byte("\n700\n"), []byte("\n+700\n"), 1) }, "not signed by the log's key"},
		{"a huge checkpoint", "checkpoint", func([]byte) []byte { return bytes.Repeat([]byte("x\n"), maxCheckpoint) }, "more than 64 KiB"},
		{"a truncated data tile", "tile/data/000", func(b []byte) []byte { return b[:len(b)/2] }, "cut off"},
		{"an empty data tile", "tile/data/000", func([]byte) []byte { return []byte{} }, "cut off"},
		{"a data tile with more", "tile/data/001", func(b []byte) []byte { return append(bytes.Clone(b), 0) }, "more than the tree has"},
		{"a huge data tile", "tile/data/000", func([]byte) []byte { return make([]byte, maxDataTile+1) }, "more than 16384 KiB"},
		{"another timestamp", "tile/data/000", flip(7), "entry 0 is not the one that was signed"},
		{"another certificate", "tile/data/001", flip(14), "entry 256 is not the one that was signed"},
		{"another kind", "tile/data/000", flip(8), "neither a certificate"},
		{"an altered tile of hashes", "tile/0/001", flip(40), "do not make the tree"},
		{"a truncated tile of hashes", "tile/0/000", func(b []byte) []byte { return b[:31] }, "cut off"},
		{"an altered tile of parents", "tile/1/000", flip(1), "do not make the tree"},
		{"no tile of hashes", "tile/0/000", func([]byte) []byte { return nil }, "tile/0/000, which its checkpoint promises, is not there (404)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newStaticLog(t)
			l.fill(700)
			l.change = func(path string, answer []byte) []byte {
				if strings.HasPrefix(path, tt.on) {
					return tt.change(answer)
				}
				return answer
			}
			r := l.reader().Read(t.Context(), watched(), nil)
			if !strings.Contains(r.Failure, tt.says) || r.FailureHint == "" || !r.At.IsZero() {
				t.Errorf("%q does not say %q (%+v)", r.Failure, tt.says, r.Positions)
			}
			l.change = nil
			if r := l.reader().Read(t.Context(), watched(), r.Positions); r.Failure != "" || r.Unreadable+len(r.Seen) == 0 || r.Positions[0].Next != 700 {
				t.Errorf("after the lie it is not read on: %+v", r)
			}
		})
	}
}

func TestATreeThatDoesNotContinueIsNotBelieved(t *testing.T) {
	l := newStaticLog(t)
	l.fill(700)
	good := l.reader().Read(t.Context(), watched(), nil)
	if good.Failure != "" {
		t.Fatal(good.Failure)
	}
	other := newStaticLog(t) // another history, signed by the same key
	other.key, other.public = l.key, l.public
	other.add(tileLeaf(start(), []byte("rewritten"), false))
	for name, tt := range map[string]struct {
		size int
		says string
	}{
		"a smaller tree":   {500, "500 entries, after 700"},
		"as large":         {700, "does not begin with the 700"},
		"a larger tree":    {1000, "does not begin with the 700"},
		"across the tiles": {66000, "does not begin with the 700"},
	} {
		t.Run(name, func(t *testing.T) {
			fork := newStaticLog(t)
			fork.key, fork.public, fork.leaves, fork.hashes = l.key, l.public, slices.Clone(other.leaves), slices.Clone(other.hashes)
			fork.fill(tt.size)
			r := fork.reader()
			r.origin.name = l.reader().Name()
			got := r.Read(t.Context(), watched(), good.Positions)
			if !strings.Contains(got.Failure, tt.says) || !got.At.Equal(good.At) || len(got.Seen) != 0 {
				t.Errorf("%+v", got)
			}
			if got.Positions[0].Size != 700 || got.Positions[0].Root != good.Positions[0].Root {
				t.Error("the lie took the place of the good checkpoint")
			}
		})
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	l, other := newStaticLog(t), newStaticLog(t)
	l.fill(3)
	r, err := NewLog(LogSettings{URL: l.url, Key: other.public})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Read(t.Context(), watched(), nil); !strings.Contains(got.Failure, "not signed by the log's key") {
		t.Errorf("%q", got.Failure)
	}
	// The name of the right key, signed by another.
	l.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.reader().Read(t.Context(), watched(), nil); !strings.Contains(got.Failure, "not signed by the log's key") {
		t.Errorf("%q", got.Failure)
	}
}

func TestAnEmptyLogIsUnknown(t *testing.T) {
	l := newStaticLog(t)
	if got := l.reader().Read(t.Context(), watched(), nil); !strings.Contains(got.Failure, "unknown, not none") || !got.At.IsZero() {
		t.Errorf("%+v", got)
	}
}

// A state that was written by nobody we know makes no panic and no false accusation.
func TestAForeignPosition(t *testing.T) {
	l := newStaticLog(t)
	l.fill(10)
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, p := range []issuance.Position{
		{Root: "?"}, {Root: root, Size: -1}, {Root: root, Size: 5, Next: 6}, {Root: root, Size: 5, Next: -6},
	} {
		p.Source = l.reader().Name()
		if got := l.reader().Read(t.Context(), watched(), []issuance.Position{p}); got.Failure != "" || got.Positions[0].Next != 10 {
			t.Errorf("%+v: %+v", p, got)
		}
	}
}

// The end of a look is nothing that the log has done: what was read is kept, and the next
// look goes on, without a pause.
func TestTheEndOfALookIsNoFailureOfTheLog(t *testing.T) {
	l := newStaticLog(t)
	l.fill(700)
	ctx, cancel := context.WithCancel(t.Context())
	r := l.reader()
	r.origin.http.Transport = cutOff{cancel, "tile/data/001"}
	first := r.Read(ctx, watched(), nil)
	if first.Failure != "" || !first.More || first.Positions[0].Next != width || !first.At.IsZero() {
		t.Errorf("%+v", first)
	}
	r.origin.http.Transport = nil
	if second := r.Read(t.Context(), watched(), first.Positions); second.Failure != "" || second.More || second.Positions[0].Next != 700 {
		t.Errorf("it was left alone: %+v", second)
	}
}

// cutOff ends the look when a path is asked for.
type cutOff struct {
	end  func()
	path string
}

func (c cutOff) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, c.path) {
		c.end()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A domain that was away for a while does not make us read the log again.
func TestADomainThatComesBackIsKnown(t *testing.T) {
	l, ca := newStaticLog(t), newAuthority(t, "Example CA")
	l.fill(600)
	r := l.reader()
	both := []string{"other.example", "shop.example"}
	p := r.Read(t.Context(), both, nil).Positions
	l.add(tileLeaf(start(), ca.issue(1, nil, "other.example"), false))
	away := r.Read(t.Context(), watched(), p)
	l.asked = nil
	back := r.Read(t.Context(), both, away.Positions)
	if len(away.Seen) != 1 || back.At.IsZero() || !slices.Equal(l.asked, []string{"checkpoint"}) {
		t.Errorf("meanwhile %d seen; then asked for %v", len(away.Seen), l.asked)
	}
	later := start().Add(8 * 24 * time.Hour)
	r.origin.now = func() time.Time { return later }
	only := r.Read(t.Context(), watched(), away.Positions).Positions
	if !slices.Equal(only[0].Domains, watched()) || len(only[0].Gone) != 0 {
		t.Errorf("after a week it is still looked for: %+v", only)
	}
	r.origin.now = start
	var many []string
	for n := range maxAway + 1 {
		many = append(many, fmt.Sprintf("d%03d.example", n))
	}
	p = r.Read(t.Context(), many, back.Positions).Positions
	if p = r.Read(t.Context(), watched(), p).Positions; !slices.Equal(p[0].Domains, watched()) {
		t.Errorf("%d domains are kept", len(p[0].Domains))
	}
}

// A log can be too slow for one look to get anything of it. That is no progress.
func TestALogThatIsTooSlowForALook(t *testing.T) {
	l := newStaticLog(t)
	l.fill(700)
	r := l.reader()
	var from []issuance.Position
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		r.origin.http.Transport = cutOff{cancel, "tile/data/000"}
		got := r.Read(ctx, watched(), from)
		if got.Failure != "" || !got.More || !got.Moved.IsZero() || got.Positions[0].Next != 0 {
			t.Errorf("%+v", got)
		}
		from = got.Positions
	}
	r.origin.http.Transport = nil
	if got := r.Read(t.Context(), watched(), from); got.More || !got.Moved.Equal(start()) {
		t.Errorf("%+v", got)
	}
}

// A log that fails is left alone for a while.
func TestALogThatFailsIsLeftAlone(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Retry-After", "100")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	l := newStaticLog(t)
	l.url = server.URL
	r := l.reader()
	now := start()
	r.origin.now = func() time.Time { return now }
	for n, want := range []int{1, 1, 2} {
		now = start().Add(time.Duration(n) * 60 * time.Second)
		if got := r.Read(t.Context(), watched(), nil); asked != want || !strings.Contains(got.Failure, "failed (503)") {
			t.Errorf("after %d s: asked %d times, want %d (%s)", n*60, asked, want, got.Failure)
		}
	}
}

func TestSettingsOfALog(t *testing.T) {
	good := newStaticLog(t).public
	for _, tt := range []struct {
		url, key, says string
	}{
		{"ftp://x", string(good), "https://"}, {"https://u:p@x", string(good), "password"}, {"https://x/?q", string(good), "after its path"},
		{"https://x", "nothing", "PEM"}, {"https://x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "can't be read"},
		{"https://x", ed25519Key, "another kind"},
	} {
		if _, err := NewLog(LogSettings{URL: tt.url, Key: []byte(tt.key)}); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v does not say %q", tt.url, err, tt.says)
		}
	}
}

const ed25519Key = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`

func TestIndex(t *testing.T) {
	for n, want := range map[int64]string{0: "000", 7: "007", 999: "999", 1000: "x001/000", 1234067: "x001/x234/067"} {
		if got := index(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	l := newStaticLog(f)
	key, id, err := parseKey(l.public)
	if err != nil {
		f.Fatal(err)
	}
	l.fill(5)
	f.Add(l.checkpoint(l.tree()))
	f.Add([]byte("a\n1\n\n\n— a AAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		tree, err := treeHead(text, key, id)
		if err == nil && (tree.N != 5 || tree != l.tree()) {
			t.Errorf("%d entries were not signed", tree.N)
		}
		if tree, err := parseTree(string(text)); err == nil && (tree.N < 0 || tree.N >= maxSize) {
			t.Errorf("size %d", tree.N)
		}
		var v verifier
		v.key = key
		v.Verify([]byte("a\n1\n"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n"), text)
	})
}

func FuzzTile(f *testing.F) {
	ca := newAuthority(f, "Example CA")
	one := tileLeaf(start(), ca.issue(1, nil, "a.example"), false)
	two := tileLeaf(start(), ca.issue(2, poison(), "a.example"), true)
	f.Add(one, 1)
	f.Add(append(slices.Clone(one), two...), 2)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		leaves, err := parseTile(data, max(0, min(n, width)))
		if err == nil && len(leaves) != max(0, min(n, width)) {
			t.Errorf("%d entries", len(leaves))
		}
		for _, l := range leaves {
			if seen, ok := read(l.der, start()); ok && len(seen.Names) > maxNames {
				t.Errorf("%d names", len(seen.Names))
			}
		}
	})
}
