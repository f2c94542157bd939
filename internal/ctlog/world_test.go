package ctlog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func start() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// authority issues certificates; one with poison is a precertificate.
type authority struct {
	t   testing.TB
	key *ecdsa.PrivateKey
	org string
}

func newAuthority(t testing.TB, org string) authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return authority{t, key, org}
}

func (a authority) issue(serial int64, extensions []pkix.Extension, names ...string) []byte {
	issuer := &x509.Certificate{Subject: pkix.Name{Organization: []string{a.org}, CommonName: "E7"}}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: names, ExtraExtensions: extensions,
		NotBefore: start().Add(-time.Hour), NotAfter: start().Add(90 * 24 * time.Hour),
	}, issuer, &a.key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

func poison() []pkix.Extension {
	return []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}, Critical: true, Value: []byte{5, 0}}}
}

// timestamps is the list of timestamps that logs gave a certificate.
func timestamps(t testing.TB, at ...time.Time) []pkix.Extension {
	var list cryptobyte.Builder
	list.AddUint16LengthPrefixed(func(list *cryptobyte.Builder) {
		for _, at := range at {
			list.AddUint16LengthPrefixed(func(sct *cryptobyte.Builder) {
				sct.AddBytes(make([]byte, 1+32))
				sct.AddUint64(uint64(at.UnixMilli()))
				sct.AddBytes(make([]byte, 10))
			})
		}
	})
	var value cryptobyte.Builder
	value.AddASN1OctetString(list.BytesOrPanic())
	return []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value.BytesOrPanic()}}
}

// tileLeaf writes an entry of a data tile.
func tileLeaf(at time.Time, der []byte, precertified bool) []byte {
	var b cryptobyte.Builder
	b.AddUint64(uint64(at.UnixMilli()))
	signed := func(c *cryptobyte.Builder) { c.AddBytes(der) }
	if precertified {
		b.AddUint16(1)
		b.AddBytes(make([]byte, 32))
		b.AddUint24LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes([]byte("the certificate without poison")) })
	} else {
		b.AddUint16(0)
		b.AddUint24LengthPrefixed(signed)
	}
	b.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes([]byte("extension")) })
	if precertified {
		b.AddUint24LengthPrefixed(signed)
	}
	b.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes(make([]byte, 64)) })
	return b.BytesOrPanic()
}

// staticLog is a log with the Static CT API, made here; test/ reads one that others made.
type staticLog struct {
	t      testing.TB
	key    *ecdsa.PrivateKey
	mu     sync.Mutex
	leaves [][]byte
	hashes []tlog.Hash
	asked  []string
	// change may alter an answer; nil: none is. A nil answer is 404.
	change func(path string, answer []byte) []byte
	url    string
	public []byte
}

func newStaticLog(t testing.TB) *staticLog {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	l := &staticLog{t: t, key: key, public: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}
	server := httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(server.Close)
	l.url = server.URL + "/log"
	return l
}

func (l *staticLog) reader() *Log {
	r, err := NewLog(LogSettings{URL: l.url, Key: l.public})
	if err != nil {
		l.t.Fatal(err)
	}
	r.origin.now = start
	return r
}

// ReadHashes is part of tlog.HashReader.
func (l *staticLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, len(indexes))
	for n, i := range indexes {
		all[n] = l.hashes[i]
	}
	return all, nil
}

func (l *staticLog) add(leaves ...[]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, leaf := range leaves {
		rest := cryptobyte.String(leaf)
		e, err := parseLeaf(&rest)
		if err != nil {
			l.t.Fatal(err)
		}
		more, err := tlog.StoredHashesForRecordHash(int64(len(l.leaves)), e.hash, l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes, l.leaves = append(l.hashes, more...), append(l.leaves, leaf)
	}
}

// fill adds entries that nobody is interested in.
func (l *staticLog) fill(n int) {
	for len(l.leaves) < n {
		l.add(tileLeaf(start(), fmt.Appendf(nil, "entry %d", len(l.leaves)), false))
	}
}

func (l *staticLog) tree() tlog.Tree {
	root, err := tlog.TreeHash(int64(len(l.leaves)), l)
	if err != nil {
		l.t.Fatal(err)
	}
	return tlog.Tree{N: int64(len(l.leaves)), Hash: root}
}

// Sign is part of note.Signer: the signature of RFC 6962.
func (l *staticLog) Sign(text []byte) ([]byte, error) {
	tree, err := parseTree(string(text))
	if err != nil {
		return nil, err
	}
	const at = 1_790_000_000_000
	sum := sha256.Sum256(signedTree(at, tree))
	der, err := ecdsa.SignASN1(rand.Reader, l.key, sum[:])
	b := binary.BigEndian.AppendUint64(nil, at)
	b = append(b, 4, 3)
	b = binary.BigEndian.AppendUint16(b, uint16(len(der)))
	return append(b, der...), err
}

// Name is part of note.Signer.
func (l *staticLog) Name() string { return "ct.example/log" }

// KeyHash is part of note.Signer.
func (l *staticLog) KeyHash() uint32 {
	block, _ := pem.Decode(l.public)
	return verifier{name: l.Name(), id: sha256.Sum256(block.Bytes)}.KeyHash()
}

func (l *staticLog) checkpoint(tree tlog.Tree) []byte {
	text := fmt.Sprintf("%s\n%d\n%s\n", l.Name(), tree.N, base64.StdEncoding.EncodeToString(tree.Hash[:]))
	signed, err := note.Sign(&note.Note{Text: text}, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return signed
}

func (l *staticLog) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/log/")
	l.asked = append(l.asked, path)
	answer := l.answer(path)
	if l.change != nil {
		answer = l.change(path, answer)
	}
	if answer == nil {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(answer)
}

func (l *staticLog) answer(path string) []byte {
	if path == "checkpoint" {
		return l.checkpoint(l.tree())
	}
	level, number, _ := strings.Cut(strings.TrimPrefix(path, "tile/"), "/")
	number, partial, cut := strings.Cut(number, ".p/")
	n, err := strconv.ParseInt(strings.NewReplacer("x", "", "/", "").Replace(number), 10, 64)
	wide := width
	if cut {
		wide, err = strconv.Atoi(partial)
	}
	if err != nil {
		return nil
	}
	var answer []byte
	if level == "data" {
		if begin, end := n*width, n*width+int64(wide); end <= int64(len(l.leaves)) {
			for _, leaf := range l.leaves[begin:end] {
				answer = append(answer, leaf...)
			}
		}
		return answer
	}
	high, err := strconv.Atoi(level)
	if err != nil || (n*width+int64(wide))<<(8*high) > int64(len(l.leaves)) {
		return nil
	}
	answer, err = tlog.ReadTileData(tlog.Tile{H: height, L: high, N: n, W: wide}, l)
	if err != nil {
		return nil
	}
	return answer
}
