package test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	bigendian "encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/ctonly"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"driftprobe/test/world"
)

// logEntries is the size of the log: several looks of the program.
const logEntries = 10_000

// transparency is a log with the Static CT API, made by Tessera and served as files.
type transparency struct {
	folder, url, key string
	signer           logSigner

	mu    sync.Mutex
	asked []string
	// change may alter an answer, and wait may hold one back; nil: neither does.
	change func(path string, content []byte) []byte
	wait   func(ctx context.Context, path string)
}

// logSigner signs checkpoints as RFC 6962 has it. c2sp.org/static-ct-api, Checkpoints.
type logSigner struct {
	key *ecdsa.PrivateKey
	id  [32]byte
}

func (logSigner) Name() string { return "ct.test/2026" }

func (s logSigner) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(s.Name()+"\n\x05"), s.id[:]...))
	return bigendian.BigEndian.Uint32(sum[:])
}

func (s logSigner) Sign(text []byte) ([]byte, error) {
	var size uint64
	var origin, root string
	if _, err := fmt.Sscan(string(text), &origin, &size, &root); err != nil {
		return nil, err
	}
	hash, err := base64.StdEncoding.DecodeString(root)
	if err != nil {
		return nil, err
	}
	at := uint64(time.Now().UnixMilli())
	head := bigendian.BigEndian.AppendUint64([]byte{0, 1}, at)
	head = append(bigendian.BigEndian.AppendUint64(head, size), hash...)
	sum := sha256.Sum256(head)
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	signed := append(bigendian.BigEndian.AppendUint64(nil, at), 4, 3)
	signed = bigendian.BigEndian.AppendUint16(signed, uint16(len(signature)))
	return append(signed, signature...), err
}

// checkpoint signs any tree.
func (s logSigner) checkpoint(t *testing.T, size int, root [32]byte) []byte {
	text := fmt.Sprintf("%s\n%d\n%s\n", s.Name(), size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// shopEntries are where the five certificates of shop.example stand.
func shopEntries() []int { return []int{100, 4095, 4096, 7000, logEntries - 1} }

func startTransparency(t *testing.T) *transparency {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	l := &transparency{folder: filepath.Join(t.TempDir(), "log"), signer: logSigner{key, sha256.Sum256(public)}}
	l.key = filepath.Join(t.TempDir(), "log.pem")
	if err := os.WriteFile(l.key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600); err != nil {
		t.Fatal(err)
	}
	l.fill(t, key)
	server := httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(server.Close)
	l.url = server.URL + "/2026/"
	return l
}

// fill has Tessera make the log.
func (l *transparency) fill(t *testing.T, key *ecdsa.PrivateKey) {
	t.Helper()
	driver, err := posix.New(t.Context(), posix.Config{Path: l.folder})
	if err != nil {
		t.Fatal(err)
	}
	options := tessera.NewAppendOptions().WithCTLayout().WithCheckpointSigner(l.signer).
		WithBatching(logEntries, 100*time.Millisecond).WithPushback(2 * logEntries).WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, _, err := tessera.NewAppender(t.Context(), driver, options)
	if err != nil {
		t.Fatal(err)
	}
	add := tessera.NewCertificateTransparencyAppender(appender)
	now := time.Now()
	futures := make([]tessera.IndexFuture, 0, logEntries)
	for n := range logEntries {
		names := []string{fmt.Sprintf("host-%d.other.example", n)}
		if slices.Contains(shopEntries(), n) {
			names = []string{"www.shop.example", "shop.example"}
		}
		futures = append(futures, add(t.Context(), logged(t, key, n, now.Add(-time.Duration(logEntries-n)*time.Second), names)))
	}
	for n, future := range futures {
		if at, err := future(); err != nil || at.Index != uint64(n) {
			t.Fatalf("entry %d is at %d: %v", n, at.Index, err)
		}
	}
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// logged is an entry: every second one a precertificate.
func logged(t *testing.T, key *ecdsa.PrivateKey, n int, at time.Time, names []string) *ctonly.Entry {
	t.Helper()
	issuer := &x509.Certificate{Subject: pkix.Name{Organization: []string{"Let's Encrypt"}, CommonName: "E7"}}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(n) + 1), DNSNames: names, NotBefore: at, NotAfter: at.Add(90 * 24 * time.Hour)}
	e := &ctonly.Entry{Timestamp: uint64(at.UnixMilli()), IsPrecert: n%2 == 0, FingerprintsChain: [][32]byte{{1}}}
	if e.IsPrecert {
		poison := pkix.Extension{Id: []int{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}, Critical: true, Value: []byte{5, 0}}
		leaf.ExtraExtensions = []pkix.Extension{poison}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	e.Certificate = der
	if e.IsPrecert {
		e.Certificate, e.Precertificate, e.IssuerKeyHash = []byte("the part to be signed"), der, make([]byte, 32)
	}
	return e
}

func (l *transparency) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/2026/")
	l.mu.Lock()
	l.asked = append(l.asked, path)
	change, wait := l.change, l.wait
	l.mu.Unlock()
	if wait != nil {
		wait(r.Context(), path)
	}
	content, err := os.ReadFile(filepath.Join(l.folder, filepath.FromSlash(path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if change != nil {
		content = change(path, content)
	}
	_, _ = w.Write(content)
}

// set changes how the log answers, and forgets what was asked.
func (l *transparency) set(change func(string, []byte) []byte, wait func(context.Context, string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked, l.change, l.wait = nil, change, wait
}

// read are the tiles of entries that were asked for.
func (l *transparency) read() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var tiles []string
	for _, path := range l.asked {
		if tile, ok := strings.CutPrefix(path, "tile/data/"); ok {
			tiles = append(tiles, tile)
		}
	}
	return tiles
}

// config watches a host that nobody serves, and the log. No name server is at that port.
func (l *transparency) config(t *testing.T, state string) string {
	t.Helper()
	text := fmt.Sprintf(`interval: 1s
timeout: 1s
targets: [{url: "https://www.shop.example/"}]
dns: {interval: 1s, timeout: 1s, root_servers: [127.0.0.1], port: 1, resolvers: []}
certificates: {authorities: [Example Trust], ct: {logs: [{url: %q, public_key_file: %q}]}}
state: {file: %q}
`, l.url, l.key, state)
	path := filepath.Join(t.TempDir(), "driftprobe.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kept is what the state file has of certificates.
type kept struct {
	Sets []struct {
		Names     []string
		Issuances []struct{ Serial string }
	}
	Positions []struct{ Size, Next int }
}

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
