package test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	bigendian "encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
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
