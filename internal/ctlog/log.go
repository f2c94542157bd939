package ctlog

import (
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"driftprobe/internal/issuance"
)

const (
	// maxTiles is how many tiles of entries one look reads.
	maxTiles = 16
	// reach is how far back a log is read that was never read before. What came earlier
	// matters to no limit.
	reach = 1 << 20
	// late is how long after its first moment of validity a precertificate may be logged
	// for that to be its issuance: anybody can submit one again.
	late = 24 * time.Hour
)

// LogSettings say which log is read.
type LogSettings struct {
	// URL is the log's monitoring prefix.
	URL string
	// Key is the log's public key, PEM.
	Key []byte
	// Transport is http.DefaultTransport if it is nil.
	Transport http.RoundTripper
}

// Log is one log with the Static CT API. https://c2sp.org/static-ct-api
type Log struct {
	origin origin
	key    crypto.PublicKey
	id     [32]byte

	mu sync.Mutex
	// wait is why the log is left alone for a while.
	wait     *failure
	failures int
}

// NewLog prepares a log and asks nobody.
func NewLog(s LogSettings) (*Log, error) {
	o, err := newOrigin("", s.URL, s.Transport)
	if err != nil {
		return nil, err
	}
	key, id, err := parseKey(s.Key)
	if err != nil {
		return nil, err
	}
	return &Log{origin: o, key: key, id: id}, nil
}

// Name is that of its readings: its host and path.
func (l *Log) Name() string { return l.origin.name }

// Read reads on from the position. Nothing is believed but what the checkpoint signs, and
// no checkpoint that does not continue the last one. Only certificates for names in the
// domains are kept, and in those asked for before; if there is a new domain, the log is read
// again.
func (l *Log) Read(ctx context.Context, domains []string, from []issuance.Position) issuance.Reading {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := issuance.Position{Source: l.Name()}
	for _, old := range from {
		if old.Source == l.Name() {
			p = old
		}
	}
	reading := issuance.Reading{Source: l.Name(), At: p.At}
	f := l.wait
	if f == nil || !l.origin.now().Before(f.until) {
		f = l.read(ctx, domains, &p, &reading)
		l.rest(f)
	}
	switch {
	case f == nil:
	case f.ours:
		reading.More = true
	default:
		reading.Failure, reading.FailureHint = f.what, f.hint
	}
	reading.Positions, reading.At, reading.Moved = []issuance.Position{p}, p.At, p.Moved
	return reading
}

// rest notes how long the log is left alone after it failed.
func (l *Log) rest(f *failure) {
	switch {
	case f == nil:
		l.wait, l.failures = nil, 0
	case f.theirs:
		if f.until.IsZero() {
			most := min(firstRest<<min(l.failures, 6), maxRest)
			f.until = l.origin.now().Add(most/2 + rand.N(most/2))
			l.failures++
		}
		l.wait = f
	}
}

func (l *Log) read(ctx context.Context, domains []string, p *issuance.Position, r *issuance.Reading) *failure {
	tree, f := l.head(ctx)
	if f != nil {
		return f
	}
	hashes := &tiles{ctx: ctx, origin: l.origin, proven: map[tlog.Tile][]byte{}}
	proven := tlog.TileHashReader(tree, hashes)
	if f := l.continues(tree, p, hashes, proven); f != nil {
		return f
	}
	if tree.N == 0 {
		return failed("nothing, if it is new", "%s has no entries: that is unknown, not none", l.Name())
	}
	unknown := func(domain string) bool { return !slices.Contains(p.Domains, domain) }
	if p.Root == "" || slices.ContainsFunc(domains, unknown) {
		p.Next = max(0, tree.N-reach) / width * width
		p.At = time.Time{}
	}
	p.Domains, p.Gone = l.wanted(domains, *p)
	p.Size, p.Root = tree.N, base64.StdEncoding.EncodeToString(tree.Hash[:])
	for range maxTiles {
		if p.Next >= tree.N {
			break
		}
		if f := l.entries(tree, p, r, hashes, proven); f != nil {
			return f
		}
	}
	if r.More = p.Next < tree.N; !r.More {
		p.At = l.origin.now().UTC()
	}
	return nil
}

// wanted are the domains asked for and those of before, with the time since which they are
// not asked for: a host that is away for a while, as while it is moved, does not make us read
// the log again. Of very many, only the former.
func (l *Log) wanted(asked []string, p issuance.Position) ([]string, map[string]time.Time) {
	now := l.origin.now().UTC()
	var gone map[string]time.Time
	for _, domain := range p.Domains {
		since, known := p.Gone[domain]
		if !known {
			since = now
		}
		if slices.Contains(asked, domain) || now.Sub(since) >= away {
			continue
		}
		if gone == nil {
			gone = map[string]time.Time{}
		}
		gone[domain] = since
	}
	if len(gone) > maxAway {
		gone = nil
	}
	all := slices.AppendSeq(slices.Clone(asked), maps.Keys(gone))
	slices.Sort(all)
	return all, gone
}

// head reads the checkpoint.
func (l *Log) head(ctx context.Context) (tlog.Tree, *failure) {
	text, f := l.origin.get(ctx, "/checkpoint", "", maxCheckpoint)
	if f != nil {
		return tlog.Tree{}, f
	}
	tree, err := treeHead(text, l.key, l.id)
	if err != nil {
		return tlog.Tree{}, failed("check the log's url and public_key_file", "%s is not believed: %v", l.Name(), err)
	}
	return tree, nil
}

const contradiction = "tell who runs the log, and keep the state: its last good checkpoint is in it"

// continues checks that the new tree begins with the old one (RFC 6962 section 2.1.2), by
// the hashes of the new.
func (l *Log) continues(tree tlog.Tree, p *issuance.Position, hashes *tiles, proven tlog.HashReader) *failure {
	if p.Root == "" {
		return nil
	}
	root, err := base64.StdEncoding.DecodeString(p.Root)
	switch {
	case err != nil || len(root) != tlog.HashSize || p.Size < 0 || p.Next < 0 || p.Next > p.Size:
		*p = issuance.Position{Source: l.Name()} // no state of ours
		return nil
	case tree.N < p.Size:
		return failed(contradiction, "%s is not believed: it shows %d entries, after %d that it has signed", l.Name(), tree.N, p.Size)
	}
	old := tree.Hash
	if tree.N > p.Size {
		if old, err = tlog.TreeHash(p.Size, proven); err != nil {
			return l.wrongTile(hashes, err)
		}
	}
	if old != tlog.Hash(root) {
		return failed(contradiction, "%s is not believed: its tree of %d entries does not begin with the %d that it has signed before", l.Name(), tree.N, p.Size)
	}
	return nil
}

// wrongTile says what is wrong with a tile of hashes.
func (l *Log) wrongTile(hashes *tiles, err error) *failure {
	if f := hashes.failure; f != nil {
		return f
	}
	return failed("see whether a cache stands before the log; else tell who runs it", "%s is not believed: its tiles do not make the tree that it has signed (%v)", l.Name(), err)
}

// entries reads one tile of entries from the position on.
func (l *Log) entries(tree tlog.Tree, p *issuance.Position, r *issuance.Reading, hashes *tiles, proven tlog.HashReader) *failure {
	n := p.Next / width
	begin, end := n*width, min((n+1)*width, tree.N)
	text, w, f := hashes.fetch("/tile/data/", n, int(end-begin), maxDataTile)
	if f != nil {
		return f
	}
	refused := func(err error) *failure {
		return failed("see whether a cache stands before the log; else tell who runs it", "%s is not believed: tile %d of its entries: %v", l.Name(), n, err)
	}
	leaves, err := parseTile(text, w)
	if err != nil {
		return refused(err)
	}
	indexes := make([]int64, end-begin)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, begin+int64(i))
	}
	signed, err := proven.ReadHashes(indexes)
	if err != nil {
		return l.wrongTile(hashes, err)
	}
	for i, hash := range signed {
		if leaves[i].hash != hash {
			return refused(fmt.Errorf("entry %d is not the one that was signed", begin+int64(i)))
		}
	}
	for i := p.Next - begin; i < end-begin; i++ {
		l.keep(leaves[i], p.Domains, r)
	}
	p.Next, p.Moved = end, l.origin.now().UTC()
	return nil
}

// keep adds an entry that is for one of the domains.
func (l *Log) keep(e leaf, domains []string, r *issuance.Reading) {
	seen, ok := read(e.der, l.origin.now().UTC())
	if !ok {
		r.Unreadable++
		return
	}
	if since := e.at.Sub(seen.Issued); e.precertified && since > 0 && since < late {
		seen.Issued = e.at
	}
	if seen.Log = l.Name(); below(seen.Names, domains) {
		r.Seen = append(r.Seen, seen)
	}
}
