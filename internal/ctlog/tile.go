package ctlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// height is that of a tile (static-ct-api, Merkle Tree), and width its hashes.
	height, width = 8, 1 << 8
	// maxDataTile bounds the entries of a tile, in bytes.
	maxDataTile = 16 << 20
)

var (
	errTruncated = errors.New("an entry is cut off")
	errKind      = errors.New("an entry is neither a certificate nor a precertificate")
)

// leaf is one entry of a log.
type leaf struct {
	hash tlog.Hash
	at   time.Time // zero if the timestamp is none
	// der is the certificate, or the precertificate as it was submitted.
	der          []byte
	precertified bool
}

// parseTile reads the entries of a data tile: exactly n of them, and nothing after.
func parseTile(data []byte, n int) ([]leaf, error) {
	rest := cryptobyte.String(data)
	leaves := make([]leaf, 0, n)
	for range n {
		l, err := parseLeaf(&rest)
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, l)
	}
	if !rest.Empty() {
		return nil, errors.New("there is more than the tree has")
	}
	return leaves, nil
}

// parseLeaf reads a TileLeaf, and hashes the MerkleTreeLeaf that the TimestampedEntry at
// its beginning makes. static-ct-api, Log entries; RFC 6962 section 3.4.
func parseLeaf(rest *cryptobyte.String) (leaf, error) {
	begin := *rest
	var timestamp uint64
	var kind uint16
	if !rest.ReadUint64(&timestamp) || !rest.ReadUint16(&kind) {
		return leaf{}, errTruncated
	}
	var signed, extensions, precertificate, chain cryptobyte.String
	switch kind {
	case 0:
	case 1:
		const issuerKeyHash = 32
		if !rest.Skip(issuerKeyHash) {
			return leaf{}, errTruncated
		}
	default:
		return leaf{}, errKind
	}
	if !rest.ReadUint24LengthPrefixed(&signed) || !rest.ReadUint16LengthPrefixed(&extensions) {
		return leaf{}, errTruncated
	}
	l := leaf{der: signed, precertified: kind == 1}
	// Version 1 and the type timestamped_entry are zero both.
	l.hash = tlog.RecordHash(append([]byte{0, 0}, begin[:len(begin)-len(*rest)]...))
	l.at, _ = moment(timestamp)
	if kind == 1 {
		if !rest.ReadUint24LengthPrefixed(&precertificate) {
			return leaf{}, errTruncated
		}
		l.der = precertificate
	}
	if !rest.ReadUint16LengthPrefixed(&chain) {
		return leaf{}, errTruncated
	}
	return l, nil
}

// tiles reads the hashes of one tree for one look. It keeps those that were found right:
// the same parents prove many tiles.
type tiles struct {
	ctx    context.Context
	origin origin
	proven map[tlog.Tile][]byte
	// failure is why the last tile could not be had; a wrong one has none.
	failure *failure
}

// Height is part of tlog.TileReader.
func (t *tiles) Height() int { return height }

// SaveTiles is part of tlog.TileReader: these agree with the tree.
func (t *tiles) SaveTiles(all []tlog.Tile, data [][]byte) {
	for n, tile := range all {
		t.proven[tile] = data[n]
	}
}

// ReadTiles is part of tlog.TileReader.
func (t *tiles) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(all))
	for n, tile := range all {
		if known, ok := t.proven[tile]; ok {
			data[n] = known
			continue
		}
		const most = width * tlog.HashSize
		text, _, f := t.fetch(fmt.Sprintf("/tile/%d/", tile.L), tile.N, tile.W, most)
		if f != nil {
			t.failure = f
			return nil, f
		}
		if len(text) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %d of level %d is cut off", tile.N, tile.L)
		}
		data[n] = text[:tile.W*tlog.HashSize]
	}
	return data, nil
}

// fetch reads a tile of which the tree has w entries, and returns how many it has: once
// there is a full tile, a log need not keep the partial one.
func (t *tiles) fetch(folder string, n int64, w int, most int64) ([]byte, int, *failure) {
	path := folder + index(n)
	if w == width {
		return t.whole(path, most)
	}
	text, f := t.origin.get(t.ctx, fmt.Sprintf("%s.p/%d", path, w), "", most)
	if f == nil || !f.absent {
		return text, w, f
	}
	return t.whole(path, most)
}

// whole reads a full tile. One that the tree has and the log has not is a lie of the tree.
func (t *tiles) whole(path string, most int64) ([]byte, int, *failure) {
	text, f := t.origin.get(t.ctx, path, "", most)
	if f != nil && f.absent {
		f = failed("see whether the url is the log's monitoring prefix; else tell who runs the log", "%s is not believed: %s, which its checkpoint promises, is not there (404)", t.origin.name, path[1:])
	}
	return text, width, f
}

// index writes a tile's number: three digits an element, all but the last after an x.
func index(n int64) string {
	text := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		text = fmt.Sprintf("x%03d/%s", n%1000, text)
	}
	return text
}
